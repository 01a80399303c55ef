package engine

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/sys/unix"
)

// newLog writes to standard error, for a person where that is a terminal, which is given as well then, and as JSON
// otherwise.
func newLog() (log *slog.Logger, terminal io.Writer) {
	if !onTerminal() {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil)), nil
	}
	_, plain := os.LookupEnv("NO_COLOR")
	return slog.New(tint.NewTextHandler(os.Stderr, &tint.Options{TimeFormat: "15:04:05.000", NoColor: plain})), os.Stderr
}

func onTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return err == nil
}

// brief is a duration as one reads it in a log: 1.2ms, 340ms, 2.41s.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
