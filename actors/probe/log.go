package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
)

// maxLine is how much of a line a Log check looks at.
const maxLine = 16 << 10

// tryLog reads what the output has grown by. Nothing is watched: one read of
// nothing costs less than the connect that other checks try as often.
func (w *waiter) tryLog(ctx context.Context) error {
	if !w.check.Said {
		if err := w.output.look(ctx); err != nil {
			return err
		}
	}
	return w.said(ctx)
}

// said looks, once a service is known to be ready by what it said, which address
// to use and whether something listens there, without which it may be ready.
func (w *waiter) said(ctx context.Context) error {
	_ = w.tryConnect(ctx)
	return nil
}

// output is a file that grows, as far as it was read.
type output struct {
	path    string
	pattern *regexp.Regexp
	file    *os.File
	offset  int64
	line    []byte // the beginning of the last one, which has no end yet
	chunk   []byte // to read into
}

// look reads on, to the end or to a line that matches. A line counts before its
// end too: what a service says last may have none.
func (o *output) look(ctx context.Context) error {
	if err := o.open(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		n, err := o.file.ReadAt(o.chunk, o.offset)
		o.offset += int64(n)
		switch {
		case o.matches(o.chunk[:n]):
			return nil
		case err == nil, errors.Is(err, io.EOF) && o.truncated():
		case errors.Is(err, io.EOF):
			return o.missing()
		default:
			return fmt.Errorf("cannot read its output: %w", err)
		}
	}
	return o.missing()
}

func (o *output) missing() error {
	return fmt.Errorf("its output has no line that matches %q yet", o.pattern)
}

// open opens the file once it is there.
func (o *output) open() error {
	if o.file != nil {
		return nil
	}
	f, err := os.Open(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.missing()
	case err != nil:
		return fmt.Errorf("cannot read its output: %w", err)
	}
	o.file, o.chunk = f, make([]byte, maxLine)
	return nil
}

func (o *output) close() {
	if o.file != nil {
		o.file.Close()
	}
}

// truncated goes back to the beginning of a file that was cut, as one does whose
// writer appends to it.
func (o *output) truncated() bool {
	info, err := o.file.Stat()
	if err != nil || info.Size() >= o.offset {
		return false
	}
	o.offset, o.line = 0, o.line[:0]
	return true
}

// matches takes in a piece of the file.
func (o *output) matches(piece []byte) bool {
	for len(piece) > 0 {
		part, rest, whole := bytes.Cut(piece, []byte("\n"))
		o.line = append(o.line, part[:min(len(part), maxLine-len(o.line))]...)
		if o.pattern.Match(bytes.TrimSuffix(o.line, []byte("\r"))) {
			return true
		}
		if whole {
			o.line = o.line[:0]
		}
		piece = rest
	}
	return false
}
