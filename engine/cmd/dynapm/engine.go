package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"dynapm/actors/keeper"
	"dynapm/engine"
	"dynapm/engine/config"
)

// configFlag adds -config to the flags of a verb.
func configFlag(flags *flag.FlagSet) *string {
	return flags.String("config", "", "the config `FILE` (default: $DYNAPM_CONFIG, or the one in the current folder)")
}

// load finds and reads the config. Its faults are printed here, one a line, as they stand.
func load(flagged string) (*config.Config, error) {
	path, err := config.Find(flagged)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(path)
	var faults config.Faults
	if errors.As(err, &faults) {
		fmt.Fprintln(os.Stderr, faults)
		return nil, exitStatus(exitFailed)
	}
	return cfg, err
}

func runEngine(args []string) error {
	keeper.RelaxMonitor()
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	file := configFlag(flags)
	takeover := flags.Bool("takeover", false, "take the place of the engine that runs with the same state directory, if one does")
	if _, err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	cfg, err := load(*file)
	if err != nil {
		return err
	}
	// Before the engine is up, so that a signal at that time is no sudden end either.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, leavingSignals()...)
	e, err := engine.Start(cfg, engine.Options{Takeover: *takeover})
	if err != nil {
		return err
	}
	go func() {
		// SIGINT takes the services along, as whoever presses Ctrl-C expects; the others leave them up.
		e.Leave(<-signals == syscall.SIGINT)
		<-signals
		os.Exit(exitFailed)
	}()
	return e.Wait()
}

// leavingSignals are those that end the engine. SIGHUP, the end of its terminal, is not among them where it was started
// with that ignored: nohup(1) promises to outlive the terminal, and to ask for the signal would undo it.
func leavingSignals() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

func runCheck(args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	file := configFlag(flags)
	if _, err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	cfg, err := load(*file)
	if err != nil {
		return err
	}
	for _, note := range cfg.Notes {
		fmt.Println(note)
	}
	plural := "s"
	if len(cfg.Services) == 1 {
		plural = ""
	}
	fmt.Printf("%s: good, %d service%s\n", cfg.File, len(cfg.Services), plural)
	return nil
}
