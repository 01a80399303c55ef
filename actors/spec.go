package actors

import (
	"syscall"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// Spec is what a service is. Exactly one of Managed and Delegated is given.
type Spec struct {
	Name      string
	Managed   *Managed
	Delegated *Delegated
	// Address is where it will listen: "host:port" or "unix:/path". Of
	// "localhost" both loopback addresses are tried, and the one that answers
	// becomes the address of the gate.
	Address string
	Check   probe.Check // says when it is ready

	As    *keeper.Account // who its commands run as; nil: the keeper's own
	Umask *int            // nil: the keeper's own
	Logs  keeper.Logs     // of all they print, but for checks

	Always       bool          // it is to be up although nobody asks
	IdleTimeout  time.Duration // 0: never
	MinUptime    time.Duration // not stopped as idle before it was ready for so long
	StartTimeout time.Duration
	StopTimeout  time.Duration
	DrainTimeout time.Duration
	// DependsOn names services, spawned before this one or with it, that are up
	// before it is launched and until nothing of it is left.
	DependsOn []string
	KeptUp    string // why it is kept up by the clock from the beginning (see KeepUp); "": it is not

	MaxConcurrent int // leases at one time; 0: any number
	MaxPending    int // requests that may wait for it at one time

	// Found is the process of this service that the keeper listed, left by an
	// earlier engine. It is verified in place of a launch.
	Found *keeper.Process
	// Last is what an earlier engine knew of the service; nil: nothing is known.
	Last *Last
	// Shared says that the earlier engine still serves requests on the run of Last:
	// it is held up until Unshare.
	Shared bool
	// SharedLeases are those that it has out; zero: one that holds the service up, if
	// it is Shared.
	SharedLeases Leases
}

// Managed is a service whose process is ours.
type Managed struct {
	Argv       []string
	Dir        string
	Env        []string       // complete, K=V
	StopSignal syscall.Signal // 0: SIGTERM
	Limits     keeper.Limits
}

// Delegated is a service that commands of the user start and stop, each run by
// /bin/sh -c.
type Delegated struct {
	Start string // may return, or stay and be the process
	Stop  string // may be empty if Start stays
	Check string // may be empty: succeeds while the service is up
	Dir   string
	Env   []string // complete, K=V
}

func (s *Spec) limits() Limits {
	return Limits{
		IdleTimeout:  s.IdleTimeout,
		MinUptime:    s.MinUptime,
		StartTimeout: s.StartTimeout,
		DrainTimeout: s.DrainTimeout,
		StopTimeout:  s.StopTimeout,
		MaxPending:   s.MaxPending,
		Always:       s.Always,
	}
}
