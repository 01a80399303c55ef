package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

const (
	// panicWindow: of two panics of one actor within it, the second fails its
	// service.
	panicWindow = 10 * time.Second
	// panicRest is how long an actor rests that panicked even while its service
	// was being failed.
	panicRest = time.Second
)

// birth asks the supervisor for the actors of services.
type birth struct {
	services []*Service
	born     chan<- struct{}
}

// ping asks the supervisor for a sign of life.
type ping struct{ answered chan<- struct{} }

// supervise is the supervisor: the parent of all services, so that they are
// under our strategy and not under that of the root, which gives up a child
// after ten restarts.
func (s *System) supervise(c actor.Context) {
	switch m := c.Message().(type) {
	case birth:
		for _, v := range m.services {
			s.bear(c, v)
		}
		close(m.born)
	case ping:
		close(m.answered)
	}
}

// bear begins the actor of a service, after those it depends on: it may tell them
// something at once.
func (s *System) bear(c actor.Context, v *Service) {
	if v.pid != nil {
		return
	}
	for _, of := range v.dependsOn {
		s.bear(c, of)
	}
	id := s.actors.ProcessRegistry.NextId()
	v.pid = s.actors.NewLocalPID(c.Self().Id + "/" + id) // before its instance begins
	props := s.props(actor.PropsFromProducer(func() actor.Actor { return &instance{Service: v} }))
	if _, err := c.SpawnNamed(props, id); err != nil {
		panic(err) // NextId is unique
	}
}

// restarts is our strategy: always another instance, whatever happened. What a
// repeated panic means is for the next instance to say.
type restarts struct{}

func (restarts) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID,
	stats *actor.RestartStatistics, _, _ any) {
	recent := stats.NumberOfFailures(panicWindow)
	if recent == 0 {
		stats.Reset()
	}
	stats.Fail()
	if recent >= 2 {
		time.AfterFunc(panicRest, func() { s.RestartChildren(child) })
		return
	}
	s.RestartChildren(child)
}

// faultsOnly is the logger of protoactor, which has a lot to say.
type faultsOnly struct{ slog.Handler }

func (h faultsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && h.Handler.Enabled(ctx, l)
}
func (h faultsOnly) WithAttrs(a []slog.Attr) slog.Handler { return faultsOnly{h.Handler.WithAttrs(a)} }
func (h faultsOnly) WithGroup(g string) slog.Handler      { return faultsOnly{h.Handler.WithGroup(g)} }
