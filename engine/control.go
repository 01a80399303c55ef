package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/engine/admin"
)

// control is what the admin API may ask for; it is admin's Control.
type control struct{ *Engine }

func (c control) List(ctx context.Context) []admin.Service {
	list := make([]admin.Service, 0, len(c.services))
	for _, s := range c.services {
		d, _ := c.detail(ctx, s)
		list = append(list, d.Service)
	}
	return list
}

func (c control) Inspect(ctx context.Context, name string) (admin.Detail, error) {
	s := c.byName[name]
	if s == nil {
		return admin.Detail{}, admin.ErrNotFound
	}
	d, _ := c.detail(ctx, s)
	return d, nil
}

func (c control) Why(ctx context.Context, name string) (admin.Why, error) {
	s := c.byName[name]
	if s == nil {
		return admin.Why{}, admin.ErrNotFound
	}
	d, st := c.detail(ctx, s)
	w := admin.Why{Service: d.Service, RetryAt: epoch(st.RetryAt), EngineSince: epoch(c.since),
		Decisions: s.diary.read(), Starts: []admin.Start{}}
	for _, past := range st.RecentStarts {
		if one := start(past.Clock); one != nil {
			one.Run, one.Outcome = uint64(past.Run), string(past.Outcome)
			w.Starts = append(w.Starts, *one)
		}
	}
	return w, nil
}

func (c control) Start(ctx context.Context, name string) error {
	s := c.byName[name]
	switch {
	case s == nil:
		return admin.ErrNotFound
	case s.actor == nil:
		return admin.ErrAlreadyUp
	}
	err := s.actor.Start(ctx)
	var refusal *actors.Refusal
	switch {
	case errors.Is(err, actors.ErrAlreadyUp):
		return admin.ErrAlreadyUp
	case errors.As(err, &refusal) && refusal.Reason == actors.StartTimeout:
		return fmt.Errorf("%w: %s", admin.ErrStartTimeout, refusal.Detail)
	}
	return err
}

func (c control) Stop(ctx context.Context, name string, hold bool) error {
	s := c.byName[name]
	switch {
	case s == nil:
		return admin.ErrNotFound
	case s.actor == nil:
		return fmt.Errorf("%s is only proxied: it is not the engine's to stop", name)
	}
	err := s.actor.Stop(ctx, hold)
	var refusal *actors.Refusal
	switch {
	case errors.Is(err, actors.ErrNotUp):
		return admin.ErrNotUp
	case errors.Is(err, actors.ErrNeeded) && errors.As(err, &refusal):
		return fmt.Errorf("%w: %s", admin.ErrNeeded, refusal.Detail)
	}
	return err
}

// Down takes everything down; the engine's own end follows.
func (c control) Down(ctx context.Context) error {
	if !c.Leave(true) {
		return errors.New("the engine is leaving already, and its services stay up")
	}
	select {
	case <-c.servicesDown:
		return c.downError
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c control) Events() (<-chan admin.Event, func()) { return c.journal.subscribe() }

// words are DynaPM's for our states.
func word(s actors.State) string {
	switch s {
	case actors.StateReady:
		return "online"
	case actors.StateStarting:
		return "starting"
	case actors.StateDraining, actors.StateStopping:
		return "stopping"
	}
	return "offline"
}

// detail is what there is to say of a service, and what its actor said of it; of one that is only proxied, nothing.
func (c control) detail(ctx context.Context, s *service) (admin.Detail, actors.Status) {
	d := admin.Detail{
		Service: admin.Service{
			Name:        s.Name,
			Base:        s.baseURL(),
			IdleTimeout: s.IdleTimeout.Milliseconds(),
			ProxyOnly:   s.ProxyOnly,
		},
		StartTimeout:  s.StartTimeout.Milliseconds(),
		HealthCheck:   s.healthCheck(),
		DependsOn:     s.DependsOn,
		MaxConcurrent: s.MaxConcurrent,
	}
	for _, r := range s.Routes {
		d.Routes = append(d.Routes, describe(r))
	}
	if s.actor == nil {
		proxied(&d, s)
		return d, actors.Status{}
	}
	st, err := s.actor.Status(ctx)
	if err != nil {
		d.Status, d.State, d.Reason = "offline", "unknown", err.Error()
		return d, actors.Status{}
	}
	d.Status, d.State, d.Reason, d.Held = word(st.State), st.State.String(), st.Reason, st.Held
	d.Pid, d.Waiting, d.ActiveConnections = st.Pid, st.Waiting, st.Holding+st.Passive
	d.Since, d.LastAccessTime = epoch(st.Since), epoch(st.LastUse)
	d.StartCount, d.Uptime = st.StartCount, st.TotalUptime.Milliseconds()
	d.TotalUptime = d.Uptime
	if !st.ReadySince.IsZero() {
		d.TotalUptime -= time.Since(st.ReadySince).Milliseconds()
	}
	d.Overloaded = st.Overloaded
	for _, g := range st.Grounds {
		d.KeptUp = append(d.KeptUp, g.Why)
	}
	d.LastStart = start(st.LastStart)
	if trouble := s.trouble(); trouble != "" && st.State == actors.StateReady {
		d.Reason = trouble
	}
	if s.Run != nil && st.Process.Pid != 0 {
		d.Ownership = ownership(st.Process)
	}
	return d, st
}

func ownership(p keeper.Process) *admin.Ownership {
	o := &admin.Ownership{Level: "group+subreaper+mark", Cgroup: p.Cgroup, Unmet: p.Unmet}
	if p.Cgroup != "" {
		o.Level = "cgroup"
	}
	return o
}

// proxied fills in what there is to say of a service without an actor.
func proxied(d *admin.Detail, s *service) {
	holding, passive := s.gate.Counts()
	d.Status, d.State, d.Reason = word(actors.StateReady), actors.StateReady.String(), s.trouble()
	d.ActiveConnections = holding + passive
	d.Since, d.LastAccessTime = epoch(s.since), epoch(s.gate.LastUse())
	d.Uptime = time.Since(s.since).Milliseconds()
}

func (s *service) healthCheck() admin.HealthCheck {
	h := s.HealthCheck
	out := admin.HealthCheck{Type: h.Type, Command: h.Command, Timeout: h.Timeout.Milliseconds()}
	if h.Type == "http" {
		out.URL = s.check().URL
		out.ExpectedStatus = fmt.Sprint(h.StatusMin)
		if h.StatusMax > h.StatusMin {
			out.ExpectedStatus = fmt.Sprintf("%d-%d", h.StatusMin, h.StatusMax)
		}
	}
	return out
}

func start(c actors.StartClock) *admin.Start {
	if c.Accepted.IsZero() {
		return nil
	}
	after := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		ms := float64(at.Sub(c.Accepted).Microseconds()) / 1000
		return &ms
	}
	return &admin.Start{At: epoch(c.Accepted), Launched: after(c.Launched), Listening: after(c.Listening), Ready: after(c.Ready),
		Connected: after(c.Connected), FirstByte: after(c.FirstByte)}
}

// epoch is milliseconds since the Unix epoch, 0 for never.
func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
