package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// certificate puts cert.pem and key.pem into the world's folder: a certificate for 127.0.0.1, ::1 and example.com, which
// only its own signature vouches for.
func (w *world) certificate() {
	w.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		w.Fatal(err)
	}
	w.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	w.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// machineName is a host name that has to be resolved. Where the machine's own does not, there is none.
func machineName() string {
	name, err := os.Hostname()
	if err == nil {
		_, err = net.LookupHost(name)
	}
	if err != nil {
		return "localhost"
	}
	return strings.ToLower(name)
}

// hasIPv6 is false on a machine without ::1.
func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// TestBases: whatever a base can be, the service that is started there is found, and so it is by one that only proxies.
func TestBases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.certificate()
	bases := map[string]string{
		"name":      "http://" + machineName() + ":{{port `name`}}",
		"localhost": "http://localhost:{{port `localhost`}}",
		"below":     "http://app.localhost:{{port `below`}}",
		"ipv4":      "http://127.0.0.1:{{port `ipv4`}}",
		"socket":    "unix:{{dir}}/app.sock",
		"secure":    "https://127.0.0.1:{{port `secure`}}",
	}
	if hasIPv6() {
		bases["ipv6"] = "http://[::1]:{{port `ipv6`}}"
		bases["secure6"] = "https://[::1]:{{port `secure6`}}"
	}
	config := "services:\n"
	for name, base := range bases {
		flags, tls := "", ""
		switch {
		case name == "below":
			flags = "`-listen=127.0.0.1:" + w.expand("{{port `below`}}") + "`" // not every resolver knows what is below localhost
		case name == "socket":
			flags = "`-listen=" + base + "`"
		case strings.HasPrefix(base, "https:"):
			flags, tls = "`-tls={{dir}}`", "tls: {caFile: cert.pem}, healthCheck: {type: http, url: /_/health}, "
		}
		base, flags = w.expand(base), w.expand(flags)
		config += "  " + name + ": {run: {{svc `" + name + "` " + flags + "}}, base: '" + base + "', " + tls + "idleTimeout: 1h}\n" +
			"  " + name + "-too: {proxyOnly: true, base: '" + base + "', " + strings.TrimSuffix(tls, "healthCheck: {type: http, url: /_/health}, ") + "}\n"
	}
	e := w.start(config)
	for name := range bases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := e.in(t)
			for _, host := range []string{name, name + "-too"} {
				if got := e.ask(host, "/x?"); got.Name != name || got.Target != "/x?" || got.Host != host || got.Header.Get("X-Forwarded-Proto") != "http" {
					t.Errorf("%s: the service saw %+v", host, got)
				}
			}
		})
	}
}

const unresolvedServices = `
services:
  proxied:   {proxyOnly: true, base: http://nowhere.invalid}
  managed:   {run: {{svc "managed"}}, base: http://nowhere.invalid:8000}
  delegated: {commands: {start: "true", stop: "true"}, base: http://nowhere.invalid}
  routed:    {run: {{svc "routed"}}, routes: [{type: host, value: routed, target: https://nowhere.invalid}]}
`

// TestNameThatDoesNotResolve: the client is told that the backend cannot be reached, the operator why.
func TestNameThatDoesNotResolve(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(unresolvedServices)
	for _, service := range []string{"proxied", "managed", "delegated", "routed"} {
		r := e.get(service, "/")
		if r.status != http.StatusBadGateway || strings.Contains(r.body, "nowhere") {
			t.Errorf("%s answered %v; want 502, and nothing of what is inside", service, r)
		}
	}
	e.logged(`"level":"WARN"`, "cannot resolve the name of a target", "nowhere.invalid")
	for _, service := range []string{"managed", "delegated"} {
		e.reach(service, "failed")
		e.logged(`"level":"ERROR"`, `"service":"`+service+`"`, "lookup nowhere.invalid")
	}
	for _, service := range []string{"proxied", "managed", "delegated"} {
		if i := e.inspect(service); !strings.Contains(i.Reason, "nowhere.invalid") {
			t.Errorf("the reason of %s is %q", service, i.Reason)
		}
	}
	if r := e.run("status", "-config", e.config); r.code != 0 || !strings.Contains(r.out, "cannot resolve nowhere.invalid") {
		t.Errorf("status says %v", r)
	}
}

const secureServices = `
connectTimeout: 1m # the first use of the system's certificates reads them all
services:
  chat:
    run: {{svc "chat" "-tls={{dir}}"}}
    base: https://127.0.0.1:{{port "chat"}}
    tls: {caFile: cert.pem}
    idleTimeout: 1h
  verified: {proxyOnly: true, base: "https://127.0.0.1:{{port "chat"}}"}
  named:    {proxyOnly: true, base: "https://localhost:{{port "chat"}}", tls: {caFile: cert.pem, serverName: example.com}}
  misnamed: {proxyOnly: true, base: "https://127.0.0.1:{{port "chat"}}", tls: {caFile: cert.pem, serverName: app.internal}}
  anybody:  {proxyOnly: true, base: "https://localhost:{{port "chat"}}", tls: {insecureSkipVerify: true}}
  plain:    {proxyOnly: true, base: "http://127.0.0.1:{{port "chat"}}"}
  target:
    proxyOnly: true
    base: http://127.0.0.1:{{port "chat"}}
    hostHeader: target
    routes: [{type: host, value: target, target: "https://127.0.0.1:{{port "chat"}}"}]
    tls: {caFile: cert.pem}
  unhealthy:
    run: {{svc "unhealthy" "-tls={{dir}}"}}
    base: https://127.0.0.1:{{port "unhealthy"}}
    healthCheck: {type: http, url: /_/health}
    startTimeout: 2s
`

// TestSecureBackends: whom a service believes, and that by default it is nobody whom no authority vouches for.
func TestSecureBackends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.certificate()
	e := w.start(strings.ReplaceAll(secureServices, "{{dir}}", w.dir))
	conn := e.socket("chat.localhost")
	if _, got := e.exchange(conn, websocket.MessageText, "hello"); !strings.Contains(got, "hello") {
		t.Errorf("the WebSocket answers %q", got)
	}
	for host, want := range map[string]string{"chat": "chat", "named": "named", "anybody": "anybody",
		"target": w.expand("127.0.0.1:{{port `chat`}}")} {
		if got := e.ask(host, "/"); got.Host != want || got.Header.Get("X-Forwarded-Proto") != "http" {
			t.Errorf("%s: the service saw %+v", host, got)
		}
	}
	for host, want := range map[string]string{
		"verified": "x509: certificate signed by unknown authority",
		"misnamed": ", not app.internal",
	} {
		if r := e.get(host, "/"); r.status != http.StatusBadGateway || strings.Contains(r.body, "x509") {
			t.Errorf("%s answered %v; want 502, and nothing of what is inside", host, r)
		}
		e.logged(`"level":"WARN"`, "cannot reach a backend", want)
		if i := e.inspect(host); !strings.Contains(i.Reason, want) {
			t.Errorf("the reason of %s is %q; want %q", host, i.Reason, want)
		}
	}
	if r := e.get("plain", "/"); r.status != http.StatusBadRequest {
		t.Errorf("spoken to in plain it answered %v", r)
	}
	if r := e.get("unhealthy", "/"); r.status != http.StatusGatewayTimeout {
		t.Errorf("a service whose check is not believed answered %v; want 504", r)
	}
	e.reach("unhealthy", "failed")
	e.saysWhy("unhealthy", "x509: certificate signed by unknown authority")
}
