package loadtest

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// parse reads the flags that the scenario has.
func (s scenario) parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet(s.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "", "what is asked, `http://HOST:PORT/PATH` or https://")
	flags.StringVar(&o.compare, "compare", "", "a second `URL`, asked in turns with the first (hold: at the same time); prints ratios with a\n95% confidence interval. -host, -admin and -service then are for both, or A,B for one each")
	flags.StringVar(&o.host, "host", "", "the `name` in the Host field, and for TLS, where it is not the URL's")
	flags.StringVar(&o.dir, "report", "", "write report.json, report.md and report.html into this `folder`")
	flags.BoolVar(&o.insecure, "insecure", false, "trust any certificate")
	flags.Func("cacert", "trust the certificate authorities in this PEM `file`, and no others", o.trust)
	s.define(flags, &o)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Printf("usage: dynapm loadtest %s -url URL [flags]\n%s\n", s.name, s.help)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, s.check(&o)
}

func (s scenario) define(flags *flag.FlagSet, o *options) {
	o.clients = 1
	for name, dflt := range s.flags {
		switch name {
		case "c":
			what := "connections, each with one request at a time"
			if s.name == "hold" {
				what = "streams"
			}
			flags.IntVar(&o.clients, name, dflt.(int), what)
		case "n":
			what := "how many requests; 0: as many as fit into -d"
			if dflt != 0 {
				what = "how many times"
			}
			flags.Int64Var(&o.requests, name, int64(dflt.(int)), what)
		case "rate":
			flags.Float64Var(&o.rate, name, dflt.(float64), "requests a second")
		case "d":
			what := "how long; with -compare for both together; 0: until -n"
			if _, counts := s.flags["n"]; !counts {
				what = "how long"
			}
			flags.DurationVar(&o.duration, name, dflt.(time.Duration), what)
		case "warmup":
			flags.DurationVar(&o.warmup, name, dflt.(time.Duration), "how long to ask before it counts")
		case "expect":
			flags.Func(name, "the `body` of each reply, or @FILE for that in a file; without it what was answered twice beforehand", o.expects)
		case "admin":
			flags.StringVar(&o.admin, name, "", "the `URL` of the engine's admin API; the token is taken from $DYNAPM_TOKEN")
		case "service":
			flags.StringVar(&o.service, name, "", "the `NAME` of the service; without it the first label of the host")
		case "hosts":
			flags.StringVar(&o.hosts, name, "", "the `HOSTS` that are asked, such as a.localhost,s{1..200}.localhost")
		case "idle":
			flags.BoolVar(&o.idle, name, false, "wait until the service falls asleep by itself, in place of stopping it each time")
		}
	}
}

// check refuses what cannot be run.
func (s scenario) check(o *options) error {
	_, many := s.flags["hosts"]
	_, paced := s.flags["rate"]
	switch {
	case o.url == "":
		return errors.New("-url is missing")
	case many && o.hosts == "":
		return errors.New("-hosts is missing")
	case o.compare == "" && strings.Contains(o.host+o.admin+o.service, ","):
		return errors.New("-host, -admin and -service have two values only with -compare")
	case o.clients < 1 || o.clients > 100_000:
		return errors.New("-c must be between 1 and 100000")
	case paced && !(o.rate > 0 && o.rate <= 1e7):
		return errors.New("-rate must be more than 0 and at most 10000000")
	case o.requests < 0 || o.duration < 0 || o.warmup < 0:
		return errors.New("-n, -d and -warmup cannot be negative")
	case o.requests == 0 && o.duration == 0:
		return errors.New("there is no end: -n must be more than 0, or -d where the scenario has it")
	}
	return nil
}

// trust reads the file of -cacert.
func (o *options) trust(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	o.roots = x509.NewCertPool()
	if !o.roots.AppendCertsFromPEM(text) {
		return errors.New("there is no certificate in it")
	}
	return nil
}

// expects reads the value of -expect, whose form is curl's.
func (o *options) expects(value string) error {
	text := []byte(value)
	if file, ok := strings.CutPrefix(value, "@"); ok {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	o.expect = &body{text}
	return nil
}
