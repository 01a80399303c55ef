package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
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
	var failed error
	select {
	case <-e.leave:
	case <-e.server.Done():
		failed = fmt.Errorf("the front ended: %w", e.server.Err())
	}
	services := e.Leave(false)
	e.log.Info("leaving", "services", map[bool]string{true: "stop", false: "stay"}[services])
	e.drain()
	if services {
		e.downError = e.takeDown()
	}
	close(e.servicesDown)
	if err := e.close(services); err != nil {
		e.downError = errors.Join(e.downError, err)
	}
	e.journal.close()
	e.log.Info("left")
	return errors.Join(failed, e.downError)
}

func (e *Engine) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.DrainTimeout)
	defer cancel()
	if err := e.server.Drain(ctx); err != nil {
		e.log.Warn("requests were cut off", "after", e.cfg.DrainTimeout.String(), "error", err)
	}
}

// takeDown stops every service at once and waits for all. Each has a bound of its own: its drain and stop timeouts.
func (e *Engine) takeDown() error {
	var all sync.WaitGroup
	failed := make([]error, len(e.services))
	for i, s := range e.services {
		if s.actor == nil {
			continue
		}
		all.Go(func() {
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

// close ends what is left of the engine. The keeper goes with the services; it is an error if it keeps any all the same.
func (e *Engine) close(services bool) error {
	e.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := e.memory.close(ctx, e.system); err != nil {
		e.log.Warn("not everything was written down", "error", err)
	}
	e.system.Close(ctx)
	err := e.partFromKeeper(services)
	if e.admin != nil {
		e.journal.unsubscribeAll()
		if err := e.admin.Shutdown(ctx); err != nil {
			e.admin.Close()
		}
	}
	return err
}

func (e *Engine) partFromKeeper(services bool) error {
	if !services {
		return e.keeper.Close()
	}
	e.ending.Wait()
	return e.keeper.Shutdown()
}
