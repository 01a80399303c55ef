package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// tryTalk connects to each address and passes with the first at which talk
// succeeds. What talk reads and writes fails when ctx ends.
func (w *waiter) tryTalk(ctx context.Context, talk func(ctx context.Context, conn net.Conn, door string) error) error {
	var failures []error
	for _, address := range w.addresses {
		err := w.talkTo(ctx, address, talk)
		if err == nil {
			w.result.Address = address
			return nil
		}
		failures = append(failures, err)
	}
	return summary(failures)
}

func (w *waiter) talkTo(ctx context.Context, address string, talk func(context.Context, net.Conn, string) error) error {
	door := w.door(address)
	s, err := reach(ctx, door, w.known(door))
	if err != nil {
		return err
	}
	w.listens(address)
	conn, err := s.conn()
	if err != nil {
		return fmt.Errorf("cannot check: %w", err)
	}
	defer conn.Close()
	past := time.Unix(1, 0)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(past) })()
	return talk(ctx, conn, door)
}

// noReply says why a peer that was sent what did not answer.
func (w *waiter) noReply(door, what string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s did not answer %s within %v", door, what, w.check.Timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s closed the connection without an answer to %s", door, what)
	}
	return fmt.Errorf("%s did not answer %s: %w", door, what, err)
}
