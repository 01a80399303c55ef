package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"dynapm/actors/keeper"
	"dynapm/engine/hello"
	"dynapm/loadtest"
)

func verbs() []verb {
	return []verb{
		{name: "engine", args: "[-takeover] -config FILE", help: "run the gateway; -takeover: in place of the one that runs", run: runEngine},
		{name: "check", args: "-config FILE", help: "say what is wrong with a config, all of it", run: runCheck},
		{name: "status", args: "[-json] [NAME]", help: "what runs, since when, for whom; -json for machines", run: runStatus},
		{name: "start", args: "NAME", help: "start a service and wait until it is ready", run: runStart},
		{name: "stop", args: "[-hold] NAME", help: "stop a service; -hold: it stays down although requests arrive, until start", run: runStop},
		{name: "restart", args: "NAME", help: "stop a service and start it again", run: runRestart},
		{name: "logs", args: "[-f] NAME", help: "what the service printed since its last start; -f: and prints from now on", run: runLogs},
		{name: "why", args: "[-json] NAME", help: "the last decisions about a service, with their reasons", run: runWhy},
		{name: "down", help: "stop all services and the engine", run: runDown},
		{name: "hello", help: "the demo service of examples/quickstart.yaml", run: exits(hello.Main)},
		{name: "loadtest", args: "SCENARIO ...", help: "ask any gateway, and report; `dynapm loadtest help` lists the scenarios", run: exits(loadtest.Main)},
		{name: "version", help: "print the version", run: runVersion},
		{name: "keeper", hidden: true, run: exits(keeper.Main)},
	}
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "dynapm: every service on the box, asleep until asked\n\n")
	for _, v := range verbs() {
		if !v.hidden {
			fmt.Fprintf(w, "  dynapm %-8s %-14s %s\n", v.name, v.args, v.help)
		}
	}
	fmt.Fprint(w, "\nWithout -config, DYNAPM_CONFIG or the one dynapm.yaml of the current folder is taken.\n"+
		"The commands that talk to a running engine find it by its config, or by -admin URL.\n")
}

// usageOf is the line that says how a verb is called.
func usageOf(name string) string {
	line := "usage: dynapm " + name
	for _, v := range verbs() {
		if v.name == name && v.args != "" {
			line += " " + v.args
		}
	}
	return line
}

// exits makes a verb of a program that has its own exit status.
func exits(main func(args []string) int) func([]string) error {
	return func(args []string) error {
		if code := main(args); code != 0 {
			return exitStatus(code)
		}
		return nil
	}
}

var errHelp = errors.New("help was asked for")

// parse reads flags that stand before or after names, which package flag alone does not allow, and wants between
// least and most names.
func parse(flags *flag.FlagSet, args []string, least, most int) ([]string, error) {
	flags.SetOutput(io.Discard)
	var names []string
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(os.Stdout)
			fmt.Println(usageOf(flags.Name()))
			flags.PrintDefaults()
			return nil, errHelp
		} else if err != nil {
			return nil, usageError{err}
		}
		if flags.NArg() == 0 {
			break
		}
		names = append(names, flags.Arg(0))
		args = flags.Args()[1:]
	}
	switch {
	case len(names) < least:
		return nil, usagef("the name of a service is missing")
	case len(names) > most:
		return nil, usagef("unexpected argument %q", names[most])
	}
	return names, nil
}

// version is set by the release build.
var version = "0.1.0-dev"

func runVersion(args []string) error {
	if _, err := parse(flag.NewFlagSet("version", flag.ContinueOnError), args, 0, 0); err != nil {
		return err
	}
	fmt.Printf("dynapm %s%s %s %s/%s\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
