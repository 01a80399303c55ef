package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"dynapm/engine/admin"
	"dynapm/engine/config"
)

// remote is a verb that talks to a running engine.
type remote struct {
	flags  *flag.FlagSet
	file   *string
	url    *string
	client admin.Client
	names  []string
}

func newRemote(name string) *remote {
	r := &remote{flags: flag.NewFlagSet(name, flag.ContinueOnError)}
	r.file = configFlag(r.flags)
	r.url = r.flags.String("admin", "", "the `URL` of the engine's admin API, in place of the config's; the token is taken from $DYNAPM_TOKEN")
	return r
}

// connect reads the command line and finds the engine.
func (r *remote) connect(args []string, least, most int) error {
	var err error
	if r.names, err = parse(r.flags, args, least, most); err != nil {
		return err
	}
	if *r.url != "" {
		if !strings.Contains(*r.url, "://") {
			*r.url = "http://" + *r.url
		}
		r.client = admin.Client{Base: *r.url, Token: os.Getenv("DYNAPM_TOKEN")}
		return nil
	}
	cfg, err := load(*r.file)
	if err != nil {
		return err
	}
	if !cfg.AdminAPI.Enabled {
		return fmt.Errorf("%s switches the admin API off (adminApi.enabled), and this command needs it", cfg.File)
	}
	r.client = admin.Client{Base: "http://" + reachable(cfg.AdminAPI.Listen), Token: cfg.AdminAPI.AuthToken}
	return nil
}

// reachable turns an address to listen on into one to connect to.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// explain adds to an error what to do next.
func (r *remote) explain(err error) error {
	switch {
	case errors.Is(err, admin.ErrNoEngine):
		return fmt.Errorf("%w; start one with: dynapm engine -config FILE", err)
	case errors.Is(err, admin.ErrUnauthorized):
		return fmt.Errorf("%w: set DYNAPM_TOKEN, or name the config with -config", err)
	case errors.Is(err, admin.ErrNotFound):
		return noService(r.names[0], r.known())
	case errors.Is(err, admin.ErrStartTimeout):
		return also(err, "see: dynapm logs "+r.names[0])
	}
	return err
}

// hintPatience is how long an engine may take to tell the names of its services. It has just answered.
const hintPatience = 10 * time.Second

// known are the names of the services, as far as the engine still tells.
func (r *remote) known() []string {
	ctx, cancel := context.WithTimeout(context.Background(), hintPatience)
	defer cancel()
	services, _ := r.client.List(ctx) // without it the message names none
	var names []string
	for _, s := range services {
		names = append(names, s.Name)
	}
	return names
}

func noService(name string, known []string) error {
	hint := config.DidYouMean(name, known)
	if hint == "" {
		hint = "; see: dynapm status"
	}
	return fmt.Errorf("there is no service %s%s", name, hint)
}

// also adds more to an error: on a line of its own if the error ends with lines that a service printed.
func also(err error, more string) error {
	if strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("%w\n%s", err, more)
	}
	return fmt.Errorf("%w; %s", err, more)
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}

func runStart(args []string) error {
	r := newRemote("start")
	if err := r.connect(args, 1, 1); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	began := time.Now()
	if err := r.client.Start(ctx, r.names[0]); err != nil {
		return r.explain(err)
	}
	fmt.Printf("%s is ready after %s\n", r.names[0], short(round(time.Since(began))))
	return nil
}

func runStop(args []string) error {
	r := newRemote("stop")
	hold := r.flags.Bool("hold", false, "keep it down although requests arrive, until it is started with: dynapm start NAME")
	if err := r.connect(args, 1, 1); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	if err := r.client.Stop(ctx, r.names[0], *hold); err != nil {
		return r.explain(err)
	}
	if *hold {
		fmt.Printf("%s is stopped and held down until: dynapm start %[1]s\n", r.names[0])
	} else {
		fmt.Printf("%s is stopped; the next request starts it\n", r.names[0])
	}
	return nil
}

func runRestart(args []string) error {
	r := newRemote("restart")
	if err := r.connect(args, 1, 1); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	if err := r.client.Stop(ctx, r.names[0], false); err != nil && !errors.Is(err, admin.ErrNotUp) {
		return r.explain(err)
	}
	// A request that waited may have started it first, which is as good.
	if err := r.client.Start(ctx, r.names[0]); err != nil && !errors.Is(err, admin.ErrAlreadyUp) {
		return r.explain(err)
	}
	fmt.Printf("%s is restarted\n", r.names[0])
	return nil
}

func runStatus(args []string) error {
	r := newRemote("status")
	asJSON := r.flags.Bool("json", false, "print JSON, as the admin API gives it")
	if err := r.connect(args, 0, 1); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	if len(r.names) == 1 {
		detail, err := r.client.Inspect(ctx, r.names[0])
		if err != nil {
			return r.explain(err)
		}
		if *asJSON {
			return printJSON(detail)
		}
		printDetail(os.Stdout, detail, time.Now())
		return nil
	}
	services, err := r.client.List(ctx)
	if err != nil {
		return r.explain(err)
	}
	if *asJSON {
		return printJSON(services)
	}
	printTable(os.Stdout, services, time.Now())
	return nil
}
