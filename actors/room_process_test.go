package actors

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"time"

	"dynapm/actors/keeper"

	"golang.org/x/sys/unix"
)

// execute makes a process. What is to become of it is known from the beginning. The caller has the lock.
func (l *line) execute(t *tenant, cmd keeper.Command, c *rand.Rand) *proc {
	l.lastPid++
	p := &proc{tenant: t, alive: true, ended: make(chan struct{}), chance: c, Process: keeper.Process{Service: cmd.Service, Run: cmd.Run,
		Role: cmd.Role, Pid: l.lastPid, StartTime: uint64(l.lastPid), Started: time.Now()}}
	if left := t.aliveLocked(); left != "" && (cmd.Role == keeper.RoleService || cmd.Role == keeper.RoleStart) {
		l.fault1("run %d of %s was launched beside %s", cmd.Run, t.name, left)
	}
	l.procs[p.Pid] = p
	l.write("%s: %s of run %d is pid %d", t.name, cmd.Role, cmd.Run, p.Pid)
	some := func(d time.Duration) time.Duration {
		if l.calm.Load() {
			d /= 20 // what others depend on and they themselves are ready in their time
		}
		return time.Duration(c.Int64N(int64(d)))
	}
	bad := func(percent int) bool { return !l.calm.Load() && c.IntN(100) < percent }
	switch cmd.Role {
	case keeper.RoleService:
		l.serve(p, some, bad)
	case keeper.RoleStart:
		if t.kind == "foreground" {
			l.serve(p, some, bad)
			break
		}
		late, fails := some(500*time.Millisecond), bad(15)
		l.endWith(p, late, func() int {
			if fails {
				return 1
			}
			t.daemon = int(p.Run)
			t.listen()
			return 0
		})
		if bad(20) {
			dies := late + some(30*time.Second)
			time.AfterFunc(dies, func() { l.dieDaemon(t, int(p.Run)) })
		}
	case keeper.RoleStop:
		l.mustBeQuiet(p, "the stop command")
		fails, takes := bad(20), some(2*time.Second)
		l.endWith(p, takes, func() int {
			if fails {
				return 4
			}
			t.daemon = 0
			t.shutDoor()
			return 0
		})
	case keeper.RoleCheck:
		l.endWith(p, some(50*time.Millisecond), func() int {
			if t.door < 0 {
				return 1
			}
			return 0
		})
	}
	return p
}

// serve is the life of a process that is the service.
func (l *line) serve(p *proc, some func(time.Duration) time.Duration, bad func(int) bool) {
	if bad(15) {
		l.endIn(p, some(30*time.Second), 0)
	}
	if bad(10) {
		return // it stalls
	}
	time.AfterFunc(some(time.Second), func() {
		l.mu.Lock()
		if !p.alive {
			l.mu.Unlock()
			return
		}
		p.tenant.listen()
		p.said = true
		system := l.system
		l.mu.Unlock()
		system.Ready(p.Process)
	})
}

// endIn ends a process after a while: by a signal, or with status 1.
func (l *line) endIn(p *proc, after time.Duration, s syscall.Signal) {
	time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.end(p, 1, s)
	})
}

// endWith ends it with the status that do returns.
func (l *line) endWith(p *proc, after time.Duration, do func() int) {
	time.AfterFunc(after, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if p.alive {
			l.end(p, do(), 0)
		}
	})
}

func (r *room) end(p *proc, code int, s syscall.Signal) {
	if !p.alive {
		return
	}
	p.alive = false
	if p.Role == keeper.RoleService || p.Role == keeper.RoleStart && p.tenant.kind == "foreground" {
		p.tenant.shutDoor()
	}
	close(p.ended)
	r.write("pid %d ends", p.Pid)
	exit := keeper.Exit{Process: p.Process, Code: code, Signal: s, At: time.Now(), Unknown: r.away.After(time.Now())}
	if s != 0 {
		exit.Code = 0
	}
	r.tell(exit, time.Microsecond+time.Duration(p.chance.Int64N(int64(time.Millisecond))))
}

// tell brings an exit to the engine that is there, when a keeper is.
func (r *room) tell(exit keeper.Exit, after time.Duration) {
	time.AfterFunc(max(time.Until(r.away), 0)+after, func() {
		r.mu.Lock()
		system := r.system
		if system.service(exit.Service) == nil {
			r.unheard[exit.Pid] = true
		}
		r.mu.Unlock()
		system.Exited(exit)
	})
}

func (r *room) dieDaemon(t *tenant, run int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.daemon == run {
		t.daemon = 0
		t.shutDoor()
	}
}

func (r *room) tenantOf(name string) *tenant {
	for _, t := range r.tenants {
		if t.name == name {
			return t
		}
	}
	return nil
}

// listen opens a real socket: what looks whether somebody listens asks the kernel. Nobody need accept.
func (t *tenant) listen() {
	if t.door >= 0 {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	path := strings.TrimPrefix(t.spec.Address, "unix:")
	os.Remove(path)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		panic(err)
	}
	t.door = fd
}

func (t *tenant) shutDoor() {
	if t.door >= 0 {
		unix.Close(t.door)
		os.Remove(strings.TrimPrefix(t.spec.Address, "unix:"))
		t.door = -1
	}
}
