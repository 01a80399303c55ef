package engine

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"strings"
	"text/tabwriter"

	"dynapm/engine/config"
)

// announce says what the engine listens on and which services it knows: a table on a terminal, a log line otherwise.
func (e *Engine) announce(sockets *sockets) {
	listen := make([]string, len(sockets.public))
	for i, l := range sockets.public {
		listen[i] = l.Addr().String()
	}
	api := "off"
	if sockets.admin != nil {
		api = "http://" + sockets.admin.Addr().String()
	}
	if !onTerminal() {
		e.log.Info("listening", "addresses", listen, "admin", api, "services", len(e.services), "pid", os.Getpid())
		return
	}
	fmt.Fprintf(os.Stderr, "\nDynaPM listens on %s, admin API %s\n\n", strings.Join(listen, ", "), api)
	t := tabwriter.NewWriter(os.Stderr, 0, 0, 2, ' ', 0)
	_, port, _ := net.SplitHostPort(listen[0])
	for _, s := range e.services {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, strings.Join(s.links(port), " "), s.habit())
	}
	t.Flush()
	fmt.Fprintln(os.Stderr)
}

// links are the service's routes as one can open them, where one can: a name of one word has no address.
func (s *service) links(port string) []string {
	var links []string
	for _, r := range s.Routes {
		switch {
		case r.Kind == config.PortRoute:
			links = append(links, fmt.Sprintf("http://127.0.0.1:%d/", r.Port))
		case strings.ContainsAny(r.Host, ".:") && !strings.HasPrefix(r.Host, "*"):
			links = append(links, "http://"+net.JoinHostPort(r.Host, port)+cmp.Or(r.Path, "/"))
		case r.Host == "" || r.Host[0] == '*':
			links = append(links, describe(r))
		}
	}
	return links
}

// habit says in a few words what becomes of the service.
func (s *service) habit() string {
	switch {
	case s.ProxyOnly:
		return "proxied to " + s.baseURL()
	case s.IdleTimeout == 0:
		return "started on demand, never stopped for idleness"
	}
	return "sleeps after " + s.IdleTimeout.String() + " without a request"
}
