// Command dynapm is the gateway and its tools. Each file beside this one is one verb.
package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:])) }

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// verb is one command. Its run gets what follows the verb.
type verb struct {
	name, args, help string
	hidden           bool
	run              func(args []string) error
}

func run(args []string) int {
	if len(args) == 0 {
		printUsage(os.Stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		printUsage(os.Stdout)
		return exitDone
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return status(v, v.run(args[1:]))
		}
	}
	fmt.Fprintf(os.Stderr, "dynapm: unknown command %q: `dynapm help` lists them\n", args[0])
	return exitUsage
}

// exitStatus is the status of a verb that has said what went wrong in a form of its own.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// status says what went wrong, once, and turns it into an exit status.
func status(v verb, err error) int {
	var code exitStatus
	var usage usageError
	switch {
	case err == nil, errors.Is(err, errHelp):
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "dynapm %s: %v\n%s\n", v.name, err, usageOf(v.name))
		return exitUsage
	default:
		fmt.Fprintf(os.Stderr, "dynapm %s: %v\n", v.name, err)
		return exitFailed
	}
}
