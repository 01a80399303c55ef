package engine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"dynapm/engine/takeover"

	"github.com/coreos/go-systemd/v22/daemon"
)

// What systemd is told, or whoever else has set NOTIFY_SOCKET (sd_notify(3)): that the engine is ready, that it works
// (sd_watchdog_enabled(3)), that it leaves. Nobody, most often.

// notify tells the supervisor.
func (e *Engine) notify(state ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(state, "\n")); err != nil {
		e.log.Warn("cannot tell the supervisor (NOTIFY_SOCKET)", "state", state[0], "error", err)
	}
}

// ready tells that the engine serves, and keeps the watchdog quiet until ctx ends.
func (e *Engine) ready(ctx context.Context) {
	e.notify(daemon.SdNotifyReady, fmt.Sprintf("MAINPID=%d", os.Getpid()),
		fmt.Sprintf("STATUS=%d services, listening on %s", len(e.services), e.cfg.Listen))
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		e.log.Warn("there is no watchdog: its interval cannot be understood", "error", err)
	}
	if interval > 0 {
		go e.watchdog(ctx, interval/2)
	}
}

// watchdog tells again and again that the engine works, if it does: the front, each loop and the actors must answer.
func (e *Engine) watchdog(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := e.ping(ctx, interval); err == nil {
			e.notify(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			e.log.Error("the watchdog is not told that all is well", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) ping(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := e.server.Ping(ctx); err != nil {
		return err
	}
	return e.system.Ping(ctx)
}

// Supervisor is whom a younger engine is to speak to: it need not have been started by the supervisor itself.
func (e *Engine) Supervisor() takeover.Supervisor {
	interval, _ := daemon.SdWatchdogEnabled(false) // ready has told
	return takeover.Supervisor{Socket: os.Getenv("NOTIFY_SOCKET"), Watchdog: interval}
}

// adoptSupervisor makes the supervisor of the engine before this one its own, unless it has one.
func adoptSupervisor(s takeover.Supervisor) {
	if s.Socket == "" || os.Getenv("NOTIFY_SOCKET") != "" {
		return
	}
	os.Setenv("NOTIFY_SOCKET", s.Socket)
	if s.Watchdog > 0 {
		os.Setenv("WATCHDOG_USEC", fmt.Sprint(s.Watchdog.Microseconds()))
		os.Unsetenv("WATCHDOG_PID")
	}
}
