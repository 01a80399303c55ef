package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dynapm/actors/keeper/failpoint"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Leave makes the engine finish the requests in flight, for drainTimeout at most, and end. Services are left running,
// to be found again by the next engine, or with services true stopped first. Only the first call counts; what that
// wanted is returned.
func (e *Engine) Leave(services bool) (taken bool) {
	e.leaving.Do(func() {
		e.takes = services
		close(e.leave)
	})
	return e.takes
}

// Wait returns when the engine has ended: nil after Leave.
func (e *Engine) Wait() error { return <-e.ended }

func (e *Engine) run() error {
	failed := e.untilLeave()
	services := e.Leave(false)
	e.offer.Withdraw()
	e.refuseAsked()
	if e.successor != nil {
		e.handOver()
	} else {
		e.depart(services)
	}
	e.log.Info("left")
	e.journal.close()
	return errors.Join(failed, e.downError)
}

// depart is the end of an engine that nobody takes the place of.
func (e *Engine) depart(services bool) {
	e.log.Info("leaving", "services", map[bool]string{true: "stop", false: "stay"}[services])
	e.notify(daemon.SdNotifyStopping)
	e.drain()
	failpoint.Reached("engine.drained")
	if services {
		e.downError = e.takeDown()
		failpoint.Reached("engine.down")
	}
	close(e.servicesDown)
	e.downError = errors.Join(e.downError, e.stepDown(services))
	e.endAdmin()
}

func (e *Engine) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.DrainTimeout)
	defer cancel()
	if err := e.server.Drain(ctx); err != nil {
		e.log.Warn("requests were cut off", "after", e.cfg.DrainTimeout.String(), "error", err)
	}
}

// takeDown stops every service at once, but for those that others depend on, which are stopped when these are down or
// could not be stopped. It waits for all. Each has a bound of its own: its drain and stop timeouts.
func (e *Engine) takeDown() error {
	var all sync.WaitGroup
	failed := make([]error, len(e.services))
	for _, s := range e.services {
		s.done = make(chan struct{})
	}
	for i, s := range e.services {
		if s.actor == nil {
			close(s.done)
			continue
		}
		all.Go(func() {
			defer close(s.done)
			for _, other := range s.dependants {
				<-other.done
			}
			ctx, cancel := context.WithTimeout(context.Background(), s.DrainTimeout+s.StopTimeout+10*time.Second)
			defer cancel()
			if err := s.actor.Retire(ctx); err != nil {
				failed[i] = fmt.Errorf("cannot stop %s: %w", s.Name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// stepDown ends what only one engine may do. The keeper goes with the services; it is an error if it keeps any all the
// same.
func (e *Engine) stepDown(services bool) error {
	e.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	e.system.Close(ctx) // first, so that there is no more to be written down
	failpoint.Reached("engine.dumb")
	if err := e.memory.close(ctx, e.system); err != nil {
		e.log.Warn("not everything was written down", "error", err)
	}
	failpoint.Reached("engine.remembered")
	err := e.partFromKeeper(services)
	failpoint.Reached("engine.parted")
	return err
}

// endAdmin finishes what the admin API was asked for, and no more.
func (e *Engine) endAdmin() {
	if e.admin == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	e.journal.unsubscribeAll()
	if err := e.admin.Shutdown(ctx); err != nil {
		e.admin.Close()
	}
}

func (e *Engine) partFromKeeper(services bool) error {
	if !services {
		return e.keeper.Close()
	}
	e.ending.Wait()
	return e.keeper.Shutdown()
}
