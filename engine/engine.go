package engine

import (
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
	"syscall"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/actors/probe"
	"dynapm/engine/admin"
	"dynapm/engine/config"
	"dynapm/netio"
)

// Engine is a running gateway.
type Engine struct {
	cfg      *config.Config
	log      *slog.Logger
	journal  *journal
	traffic  *traffic
	keeper   *keeper.Client
	memory   *memory
	system   *actors.System
	server   *netio.Server
	admin    *http.Server
	services []*service
	byName   map[string]*service
	ending   sync.WaitGroup     // of processes that the config has no place for
	stop     context.CancelFunc // of what runs beside: the watcher of names, the memory's second hand

	leave        chan struct{} // closed by Leave
	leaving      sync.Once
	takes        bool // it takes the services along; set before leave is closed
	servicesDown chan struct{}
	downError    error // set before servicesDown is closed
	ended        chan error
}

// Start brings a gateway up and returns once it serves. Sockets come first, so that a port in use stops everything
// before anything has been started; the keeper comes before the first client is accepted, since a process that forks
// while it serves gives its clients' connections to its children.
func Start(cfg *config.Config) (*Engine, error) {
	leaveRoomForSplicers()
	log, terminal := newLog()
	e := &Engine{
		cfg:          cfg,
		log:          log,
		journal:      newJournal(log, terminal),
		traffic:      &traffic{backends: map[*actors.Gate][]*netio.Backend{}},
		byName:       map[string]*service{},
		leave:        make(chan struct{}),
		servicesDown: make(chan struct{}),
		ended:        make(chan error, 1),
	}
	for _, note := range cfg.Notes {
		e.log.Warn(note.String())
	}
	table, addresses, targets := e.plan()
	listeners, err := listenAll(addresses)
	if err != nil {
		return nil, err
	}
	adminListener, err := e.listenAdmin()
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	if err := e.wakeActors(); err != nil {
		closeAll(listeners)
		if adminListener != nil {
			adminListener.Close()
		}
		return nil, err
	}
	if err := e.serve(table, listeners, adminListener); err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, e.stop = context.WithCancel(context.Background())
	go e.memory.follow(ctx, e.system)
	for _, t := range targets {
		go t.watch(ctx, e.log)
	}
	e.announce(listeners, adminListener)
	go func() { e.ended <- e.run() }()
	return e, nil
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

func listenAll(addresses []string) ([]*netio.Listener, error) {
	var listeners []*netio.Listener
	for _, address := range addresses {
		l, err := netio.Listen(address)
		if err != nil {
			closeAll(listeners)
			return nil, listenError(address, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []*netio.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// listenError says what to do about an address that cannot be listened on.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		if holder, ok := probe.Holder(address); ok {
			return fmt.Errorf("cannot listen on %s: it is in use by %s; stop that, or change the address in the config", address, holder)
		}
		return fmt.Errorf("cannot listen on %s: it is in use; change the address in the config", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: that takes root or CAP_NET_BIND_SERVICE; use a port above 1023", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine does not have that address; change it in the config", address)
	}
	return err
}

func (e *Engine) listenAdmin() (net.Listener, error) {
	if !e.cfg.AdminAPI.Enabled {
		return nil, nil
	}
	l, err := net.Listen("tcp", e.cfg.AdminAPI.Listen)
	if err != nil {
		return nil, listenError(e.cfg.AdminAPI.Listen, err)
	}
	return l, nil
}

// wakeActors opens the keeper and gives each service its actor.
func (e *Engine) wakeActors() error {
	if err := os.MkdirAll(logDir(e.cfg), 0o700); err != nil {
		return fmt.Errorf("cannot keep state: %w; change stateDir in the config", err)
	}
	// Exits that happened while no engine was there come in before the actors are.
	woken := make(chan struct{})
	if err := e.openKeeper(func(exit keeper.Exit) { <-woken; e.system.Exited(exit) }); err != nil {
		return err
	}
	var err error
	if e.memory, err = openMemory(e.cfg.StateDir, e.log); err != nil {
		return err
	}
	e.system = actors.NewSystem(actors.Options{Keeper: e.keeper, Traffic: e.traffic, Journal: e, Log: e.log,
		LogDir: logDir(e.cfg), Intent: e.intend})
	found, err := e.found()
	if err != nil {
		return err
	}
	if err := e.settle(found); err != nil {
		return err
	}
	e.memory.forget(e.byName)
	for _, s := range e.services {
		if !s.ProxyOnly {
			s.actor = e.system.Spawn(s.spec(found[s.Name], e.memory.last(s.Name)))
		}
	}
	close(woken)
	return nil
}

// Record tells a change of state and writes it down; the Engine is actors' Journal.
func (e *Engine) Record(r actors.Record) {
	e.journal.Record(r)
	e.memory.keep(e.byName[r.Service], r)
}

func (e *Engine) intend(ctx context.Context, r actors.Record) error {
	return e.memory.intend(ctx, e.byName[r.Service], r)
}

func (e *Engine) openKeeper(onExit func(keeper.Exit)) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the program's own file to start the keeper: %w", err)
	}
	e.keeper, err = keeper.Open(keeper.Options{Dir: e.cfg.StateDir, Executable: []string{executable, "keeper"},
		OnExit: onExit, Log: e.log})
	return err
}

func (e *Engine) serve(table *table, listeners []*netio.Listener, adminListener net.Listener) error {
	var err error
	e.server, err = e.traffic.serve(netio.Options{
		Listeners: listeners,
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
	if adminListener == nil {
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
		if err := e.admin.Serve(adminListener); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("the admin API ended", "error", err)
		}
	}()
	return nil
}
