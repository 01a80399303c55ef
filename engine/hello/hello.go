// Package hello is the demo service behind `dynapm hello`: something to wake, hold and put to sleep on a machine with
// nothing else installed. It is an ordinary HTTP server that takes its address from $HOST and $PORT, as any service
// under the engine may, and knows nothing of the engine.
package hello

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// farewell bounds how long requests in flight may take after SIGTERM. It is well under the engine's default
// stopTimeout of 10 s, so that the demo never needs a SIGKILL.
const farewell = 5 * time.Second

// Main runs the demo service until SIGTERM or SIGINT and returns its exit status: 0 stopped, 1 it failed,
// 2 the command line was wrong. args are those after the word hello.
func Main(args []string) int {
	flags := flag.NewFlagSet("dynapm hello", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: PORT=8080 dynapm hello\n\nThe demo service of examples/quickstart.yaml. It listens on $HOST:$PORT; HOST is 127.0.0.1 where it is not set.")
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "hello: unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return 2
	}
	// Caught before the first line is printed: whoever sees the line may send the signal.
	leave, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(leave, os.Getenv("HOST"), os.Getenv("PORT"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		return 1
	}
	return 0
}

// run serves the demo on host:port until leave is done, then lets requests in flight end.
func run(leave context.Context, host, port string, out io.Writer) error {
	if port == "" {
		return errors.New("cannot listen: PORT is not set; the engine sets it, by hand try: PORT=8080 dynapm hello")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	d := newDemo(leave.Done())
	server := &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "hello: awake on http://%s (pid %d)\n", listener.Addr(), os.Getpid())

	select {
	case err := <-served:
		return fmt.Errorf("cannot serve: %w", err)
	case <-leave.Done():
	}
	fmt.Fprintf(out, "hello: told to stop after %s and %s; good night\n", d.awake(), count(d.requests.Load()))
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("cannot let the last requests end: %w", errors.Join(err, server.Close()))
	}
	return nil
}
