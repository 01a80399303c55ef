package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/actors/keeper/failpoint"
	"dynapm/engine/admin"
	"dynapm/engine/config"
	"dynapm/engine/takeover"
	"dynapm/netio"
)

// Engine is a running gateway.
type Engine struct {
	cfg      *config.Config
	log      *slog.Logger
	since    time.Time
	journal  *journal
	traffic  *traffic
	keeper   *keeper.Client
	memory   *memory
	system   *actors.System
	server   *netio.Server
	sockets  *sockets
	offer    *takeover.Offer
	admin    *http.Server
	services []*service
	byName   map[string]*service
	ending   sync.WaitGroup     // of what is found that the config has no place for
	stop     context.CancelFunc // of what runs beside: the watcher of names, the memory's second hand

	leave        chan struct{} // closed by Leave
	leaving      sync.Once
	takes        bool                // it takes the services along; set before leave is closed
	successor    *takeover.Successor // the engine that takes its place; set before leave is closed
	servicesDown chan struct{}
	downError    error        // set before servicesDown is closed
	follows      atomic.Int64 // the pid of the engine before, until that has left; 0: there is none
	ended        chan error

	asked chan *takeover.Successor // an engine that wants the place, until run has looked at it
}

// Options say how a gateway comes up.
type Options struct {
	// Takeover has it take the place of an engine that runs with the same state directory, if there is one.
	Takeover bool
}

// Start brings a gateway up and returns once it serves. Sockets come first, so that a port in use stops everything
// before anything has been started; the keeper comes before the first client is accepted, since a process that forks
// while it serves gives its clients' connections to its children.
func Start(cfg *config.Config, o Options) (*Engine, error) {
	leaveRoomForSplicers()
	journal := newJournal(newLog())
	e := &Engine{
		cfg:          cfg,
		log:          journal.logger(),
		since:        time.Now(),
		journal:      journal,
		traffic:      &traffic{backends: map[*actors.Gate][]*netio.Backend{}},
		byName:       map[string]*service{},
		leave:        make(chan struct{}),
		servicesDown: make(chan struct{}),
		ended:        make(chan error, 1),
		asked:        make(chan *takeover.Successor, 1),
	}
	for _, note := range cfg.Notes {
		e.log.Warn(note.String())
	}
	if err := e.comeUp(o); err != nil {
		journal.close()
		return nil, err
	}
	go func() { e.ended <- e.run() }()
	return e, nil
}

// comeUp returns once the engine serves. Without it nothing is left behind.
func (e *Engine) comeUp(o Options) error {
	table, addresses, targets := e.plan()
	before, sockets, err := e.open(addresses, o)
	if err != nil {
		return err
	}
	failpoint.Reached("engine.opened")
	shared, err := before.take()
	if err == nil {
		err = e.wakeActors(before, shared)
	}
	if err == nil {
		err = e.serve(table, sockets)
	}
	if err != nil {
		before.close()
		sockets.close()
		return err
	}
	failpoint.Reached("engine.serving")
	before.follow(e)
	var ctx context.Context
	ctx, e.stop = context.WithCancel(context.Background())
	go e.memory.follow(ctx, e.system)
	for _, s := range e.services {
		if len(s.Schedule) > 0 {
			go followClock(ctx, s.Schedule, s.keptUp, s.actor)
		}
	}
	for _, t := range targets {
		go t.watch(ctx, e.log)
	}
	e.announce(sockets)
	e.ready(ctx)
	return nil
}

// open finds the engine before this one, if there is one to be replaced, and opens all sockets.
func (e *Engine) open(addresses []string, o Options) (*predecessor, *sockets, error) {
	s := &sockets{}
	before, err := e.meet(s, o)
	if err != nil {
		return nil, nil, err
	}
	if err = s.fromSystemd(); err == nil {
		admin := ""
		if e.cfg.AdminAPI.Enabled {
			admin = e.cfg.AdminAPI.Listen
		}
		err = s.open(addresses, admin)
	}
	if err != nil {
		before.close()
		s.close()
		return nil, nil, err
	}
	indexes := s.settle(func(i *inherited) {
		e.log.Warn("a listening socket is not used: the config does not name its address", "address", i.address.String(), "from", i.from)
	})
	if before != nil {
		before.indexes = indexes
	}
	return before, s, nil
}

// leaveRoomForSplicers gives the scheduler a slot for each splicer beside those for everything else: a splicer holds its
// slot while it looks for events without telling the runtime (with no more slots than cores, the actors wait for it, and
// one request at a time costs half as much again). GOMAXPROCS in the environment has the last word.
func leaveRoomForSplicers() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.NumCPU())
	}
}

// LogFile is where the output of a service is kept.
func LogFile(cfg *config.Config, service string) string {
	return filepath.Join(logDir(cfg), service+".log")
}

func logDir(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "logs") }

// wakeActors opens the keeper and gives each service its actor.
func (e *Engine) wakeActors(before *predecessor, shared map[string]actors.Leases) error {
	if err := os.MkdirAll(logDir(e.cfg), 0o700); err != nil {
		return fmt.Errorf("cannot keep state: %w; change stateDir in the config", err)
	}
	// Exits that happened while no engine was there come in before the actors are.
	woken := make(chan struct{})
	if err := e.openKeeper(woken); err != nil {
		return err
	}
	failpoint.Reached("engine.kept")
	var err error
	if e.memory, err = openMemory(e.cfg.StateDir, e.log); err != nil {
		return err
	}
	failpoint.Reached("engine.recalled")
	e.system = actors.NewSystem(actors.Options{Keeper: e.keeper, Traffic: e.traffic, Journal: e, Log: e.log,
		LogDir: logDir(e.cfg), Intent: e.intend,
		MaxStarts: cmp.Or(e.cfg.MaxConcurrentStarts, 2*runtime.NumCPU())})
	if err := e.adopt(); err != nil {
		return err
	}
	e.warn()
	failpoint.Reached("engine.adopted")
	found, err := e.found(before)
	if err != nil {
		return err
	}
	failpoint.Reached("engine.found")
	if err := e.settle(found); err != nil {
		return err
	}
	e.memory.forget(e.byName)
	e.spawn(found, shared)
	failpoint.Reached("engine.spawned")
	close(woken)
	return nil
}

// Record tells a change of state and writes it down; the Engine is actors' Journal.
func (e *Engine) Record(r actors.Record) {
	if !r.Aside {
		e.journal.Record(r)
	}
	e.byName[r.Service].diary.note(r)
	failpoint.Reached("engine.told")
	e.memory.keep(e.byName[r.Service], r)
}

func (e *Engine) intend(ctx context.Context, r actors.Record) error {
	err := e.memory.intend(ctx, e.byName[r.Service], r)
	failpoint.Reached("engine.intended")
	return err
}

// openKeeper finds or starts the keeper. What it tells of processes is taken once the actors are woken.
func (e *Engine) openKeeper(woken <-chan struct{}) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the program's own file to start the keeper: %w", err)
	}
	e.keeper, err = keeper.Open(keeper.Options{Dir: e.cfg.StateDir, Executable: []string{executable, "keeper"},
		OnExit:  func(exit keeper.Exit) { <-woken; e.system.Exited(exit) },
		OnReady: func(p keeper.Process) { <-woken; e.system.Ready(p) },
		Log:     e.log})
	return err
}

func (e *Engine) serve(table *table, sockets *sockets) error {
	var err error
	e.server, err = e.traffic.serve(netio.Options{
		Listeners: sockets.public,
		Admission: table,
		Timeouts: netio.Timeouts{Head: e.cfg.HeadTimeout, KeepAlive: e.cfg.KeepAliveTimeout,
			Connect: e.cfg.ConnectTimeout, Write: e.cfg.WriteTimeout},
		TrustedProxies: e.cfg.TrustedProxies,
		RequestLog:     e.journal.requestLog(e.cfg.Logging.EnableRequestLog),
		Log:            e.log,
	})
	if err != nil {
		return err
	}
	e.sockets = sockets
	if e.offer, err = takeover.Publish(e.cfg.StateDir, e, e.log); err != nil {
		return err
	}
	if sockets.admin == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(e.cfg.AdminAPI.Listen)
	e.admin = &http.Server{
		Handler: admin.Handler(control{e}, admin.Options{Host: host, AuthToken: e.cfg.AdminAPI.AuthToken,
			AllowedIPs: e.cfg.AdminAPI.AllowedIPs}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := e.admin.Serve(sockets.admin); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("the admin API ended", "error", err)
		}
	}()
	return nil
}
