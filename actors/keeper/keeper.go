// Package keeper is the process that owns processes.
//
// The engine never forks once it serves clients. It asks the keeper, a small
// process of the same binary with a session of its own, which is the parent
// of every command and the subreaper of whatever those commands fork. The
// keeper outlives the engine, so a restarted engine asks what runs instead of
// guessing; it leaves by itself when it keeps nothing and no engine is there.
//
// Main is the keeper process:
//
//	main.go    from exec to the end of the process
//	server.go  what is kept, and when the keeper leaves
//	engine.go  its end of the connection with an engine
//	launch.go  from a Command to a process; find.go finds the program
//	fork.go    the fork itself; become.go is what only the child can do
//	cgroup.go  the control group of a service
//	rotate.go  its output, kept within bounds while it writes
//	reaper.go  the one place that waits for children
//	sweep.go   signals, and the end of what a service leaves behind
//	notify.go  what services say of themselves
//	family.go  which processes belong to a service, told by proc.go and marks.go
//	adopt.go   the services of a keeper that was killed
//	monitor.go what the Go runtime does beside, in engine and keeper
//
// Client is the engine's side:
//
//	client.go    what an engine can ask for
//	connect.go   finds the keeper or starts one
//	link.go      one connection
//	maintain.go  the next connection, when one is lost
//	deliver.go   exits, each told once
//
// Between them lie the state directory (statedir, dir.go) and protocol.go.
package keeper

import (
	"syscall"
	"time"
)

// Role says what a process is to its service.
type Role string

const (
	// RoleService is a managed service itself: when it ends, everything it
	// left behind is killed.
	RoleService Role = "service"
	// RoleStart, RoleStop and RoleCheck are the commands of a delegated
	// service. What they leave behind (PM2's daemon, say) is not ours to kill.
	RoleStart Role = "start"
	RoleStop  Role = "stop"
	RoleCheck Role = "check"
)

// Command is what Launch runs.
type Command struct {
	Service string
	Run     uint64
	Role    Role
	// Argv is the program and its arguments. Argv[0] without a slash is looked
	// up in the PATH of Env; a relative path is relative to Dir.
	Argv []string
	// Dir is the working directory, an absolute path. Empty means /.
	Dir string
	// Env is the complete environment, K=V; of two values for one key the last
	// counts. The keeper takes out what belongs to the engine alone
	// (NOTIFY_SOCKET, LISTEN_FDS, WATCHDOG_USEC ...) and adds its marks.
	Env []string
	// Output is the absolute path of the file that gets stdout and stderr, in
	// append mode; its directory is made if missing. Empty means /dev/null.
	Output string
	// Rotate renames Output to Output.1 first.
	Rotate bool
	Logs   Logs
	// As is who it runs as; nil: who the keeper runs as.
	As *Account
	// Umask is its file mode creation mask; nil: the keeper's.
	Umask *int
	// Limits are of RoleService alone.
	Limits Limits
	// Notify gives a RoleService a NOTIFY_SOCKET on which it says that it is
	// ready (sd_notify(3)).
	Notify bool
}

// Process is a process in the keeper's care: the leader of a session and a
// process group of its own.
type Process struct {
	Service string `json:"service"`
	Run     uint64 `json:"run"`
	Role    Role   `json:"role"`
	Pid     int    `json:"pid"`
	// StartTime is field 22 of /proc/PID/stat (proc_pid_stat(5)): clock ticks
	// since boot. With the pid it names a process of this boot for good.
	StartTime uint64    `json:"startTime"`
	Started   time.Time `json:"started"`
	// Cgroup is the directory of the control group that holds all of a service;
	// empty if there is none.
	Cgroup string `json:"cgroup,omitempty"`
	// Unmet says which limits are not in force as a cgroup would have them.
	Unmet string `json:"unmet,omitempty"`
	// Output is the file that it writes to, if that is bounded by Logs.
	Output string `json:"output,omitempty"`
	Logs   Logs   `json:"logs,omitzero"`
	// Ready: it said so on its NOTIFY_SOCKET.
	Ready bool `json:"ready,omitempty"`
	// Asked: it was told to end, so that what the leader leaves has time to.
	Asked bool `json:"asked,omitempty"`
}

// Exit is the end of a process. Of Code and Signal one counts: Signal is zero
// if the process exited by itself.
type Exit struct {
	Process
	Code   int            `json:"code"`
	Signal syscall.Signal `json:"signal"`
	At     time.Time      `json:"at"`
	// Unknown says that the status was lost: the keeper that was its parent
	// died before it did.
	Unknown bool `json:"unknown"`
	// OutOfMemory says that the kernel has killed it, or others of its control
	// group, for want of memory (oom_kill of the kernel's cgroup-v2.rst).
	OutOfMemory bool `json:"outOfMemory,omitempty"`
}
