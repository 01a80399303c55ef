package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"dynapm/actors/keeper"
	"dynapm/engine"
	"dynapm/engine/config"
)

func runLogs(args []string) error {
	flags := flag.NewFlagSet("logs", flag.ContinueOnError)
	file := configFlag(flags)
	on := flags.Bool("f", false, "go on as it prints more, until Ctrl-C")
	names, err := parse(flags, args, 1, 1)
	if err != nil {
		return err
	}
	cfg, err := load(*file)
	if err != nil {
		return err
	}
	name := names[0]
	at := slices.IndexFunc(cfg.Services, func(s config.Service) bool { return s.Name == name })
	switch {
	case at < 0:
		return noService(name, cfg.Names())
	case cfg.Services[at].ProxyOnly:
		return fmt.Errorf("%s is only proxied: the engine does not start it, and has no output of it", name)
	}
	if *on {
		return follow(os.Stdout, engine.LogFile(cfg, name), nil)
	}
	printed, err := copyFile(os.Stdout, engine.LogFile(cfg, name))
	if err == nil && printed == 0 || errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "%s has printed nothing yet; see: dynapm status %[1]s\n", name)
		return nil
	}
	return err
}

func copyFile(w io.Writer, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// Where the file system cannot shorten a file at its front, that is a hole after a rotation.
	_, begin := keeper.FirstByte(f)
	if _, err := f.Seek(begin, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(w, f)
}
