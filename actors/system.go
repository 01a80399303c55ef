// Package actors decides when a service runs, and runs it: one actor per
// service.
//
// The brain is the Machine (machine.go; what it does in each state is in
// starting.go, ready.go, stopping.go, failing.go and always.go): a plain value that is told
// events and returns effects. testdata/transitions.txt is its specification. An
// instance (instance.go, carryout.go) is the actor around it. A conduct
// (managed.go, delegated.go) does the slow work of one run and reports facts.
// Starts take turns (turns.go), after what the service depends on is up (needs.go).
// What an earlier engine left is taken up again (resume.go, recognize.go, shared.go).
// Requests do not go through any of it: they meet the run at its Gate.
package actors

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"syscall"
	"time"

	"dynapm/actors/keeper"

	"github.com/asynkron/protoactor-go/actor"
)

// Keeper owns the processes; *keeper.Client is one.
type Keeper interface {
	Launch(keeper.Command) (keeper.Process, error)
	Signal(keeper.Process, syscall.Signal) error
}

// Traffic carries the requests.
type Traffic interface {
	// Close ends the pooled connections to the run of g; with cut also those in
	// use. It must not block.
	Close(g *Gate, cut bool)
}

// Journal is told each change of state, with its reason. It must not block.
type Journal interface{ Record(Record) }

// Options are what a System needs. All are required but where a default is
// named.
type Options struct {
	Keeper  Keeper
	Traffic Traffic
	Journal Journal
	Log     *slog.Logger // for faults of our own; nil: none
	LogDir  string       // the output of a service goes to LogDir/NAME.log
	// Intent makes the Record of a delegated start durable before the start command
	// is run, and returns when it is, or ctx ends; nil: nothing does. It may block:
	// it is called on a goroutine of the run. An error is logged and the start goes
	// on, since what is kept is only a hint.
	Intent func(context.Context, Record) error
	// MaxStarts bounds the starts that are under way at one time; 0: nothing does.
	MaxStarts int

	// mailbox makes the mailbox of each actor; nil: protoactor's. In a simulation
	// it is what decides who is told what next.
	mailbox actor.MailboxProducer
	// beside begins what goes on beside an actor that is in the middle of a turn;
	// nil: at once. In a simulation that is when the turn is over.
	beside func(func())
}

// System holds the actors of all services.
type System struct {
	options    Options
	actors     *actor.ActorSystem
	supervisor *actor.PID
	uses       uses
	turns      turns

	mu       sync.Mutex
	services map[string]*Service
	lastRuns map[string]Run // of services that have ended
}

// NewSystem makes a system without services. It is given up by Close.
func NewSystem(o Options) *System {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &System{options: o, services: map[string]*Service{}, lastRuns: map[string]Run{},
		turns: turns{free: cmp.Or(o.MaxStarts, math.MaxInt)}}
	s.actors = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(faultsOnly{o.Log.Handler()})
	}))
	s.supervisor = s.actors.Root.Spawn(s.props(actor.PropsFromFunc(s.supervise, actor.WithSupervisor(restarts{}))))
	return s
}

func (s *System) props(p *actor.Props) *actor.Props {
	if s.options.mailbox != nil {
		p.Configure(actor.WithMailbox(s.options.mailbox))
	}
	return p
}

// Spawn adds a service. A name may be used again once the service that had it
// was retired.
func (s *System) Spawn(spec Spec) *Service { return s.SpawnAll([]Spec{spec})[0] }

// SpawnAll adds services, in order. All actors have begun when it returns.
func (s *System) SpawnAll(specs []Spec) []*Service {
	all := make([]*Service, len(specs))
	for n, spec := range specs {
		all[n] = s.add(spec)
	}
	for _, v := range all {
		s.findNeeds(v)
	}
	born := make(chan struct{})
	s.actors.Root.Send(s.supervisor, birth{all, born})
	<-born
	return all
}

// add makes a service that has no actor yet.
func (s *System) add(spec Spec) *Service {
	if spec.Last != nil {
		spec.Last = spec.Last.asOf(time.Now())
	}
	v := &Service{spec: spec, system: s, ended: make(chan struct{}), children: newChildren(s.options.Keeper)}
	if spec.Last != nil {
		v.legacy.last = *spec.Last
	}
	if spec.KeptUp != "" {
		v.legacy.grounds = append(v.legacy.grounds, Ground{Why: spec.KeptUp})
	}
	if spec.MaxConcurrent > 0 {
		v.queue = newQueue(spec.MaxPending)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.legacy.last.Memory.LastRun = max(v.legacy.last.Memory.LastRun, s.lastRuns[spec.Name])
	s.services[spec.Name] = v
	return v
}

// findNeeds finds the services that v depends on. Those that are spawned with one that
// is going to be adopted are kept up for it from their beginning.
func (s *System) findNeeds(v *Service) {
	for _, name := range v.spec.DependsOn {
		of := s.service(name)
		v.dependsOn = append(v.dependsOn, of)
		if of.pid == nil && v.spec.resumes() {
			of.legacy.grounds = append(of.legacy.grounds, needOf(v.Name()))
		}
	}
}

// service is the one of a name, nil: there is none.
func (s *System) service(name string) *Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.services[name]
}

// Exited takes the exit of a process, for the service it belongs to. It is to be
// the keeper's OnExit.
func (s *System) Exited(e keeper.Exit) {
	if v := s.service(e.Service); v != nil {
		v.children.exited(e)
	}
}

// Ready takes what a process says of itself, for the service it belongs to. It is
// to be the keeper's OnReady.
func (s *System) Ready(p keeper.Process) {
	if v := s.service(p.Service); v != nil {
		v.children.speaks(p)
	}
}

// Ping returns when the supervisor of the actors has answered, or with the error of ctx.
func (s *System) Ping(ctx context.Context) error {
	answered := make(chan struct{})
	s.actors.Root.Send(s.supervisor, ping{answered})
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the actors do not answer: %w", ctx.Err())
	}
}

// Close ends the actors and refuses those who wait. The services stay as they
// are. It returns when the actors have ended, or ctx.
func (s *System) Close(ctx context.Context) {
	s.turns.close()
	s.mu.Lock()
	all := make([]*Service, 0, len(s.services))
	for _, v := range s.services {
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		v.tell(leave{})
	}
	for _, v := range all {
		select {
		case <-v.ended:
		case <-ctx.Done():
		}
	}
	s.actors.Root.Stop(s.supervisor)
	s.actors.Shutdown()
}

// forget is called by the actor of v when it ends.
func (s *System) forget(v *Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastRuns[v.Name()] = max(s.lastRuns[v.Name()], v.legacy.last.Memory.LastRun)
	if s.services[v.Name()] == v {
		delete(s.services, v.Name())
	}
}
