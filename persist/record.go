package persist

import (
	"time"
	"unicode/utf8"
)

// Record is what is kept of one service. It is a hint, never the truth: the
// process it names may have ended since, and whoever reads it asks the system.
//
// Texts are cut to 512 bytes, RecentStarts to the ten latest.
type Record struct {
	Service string // its name: the key of the record
	Kind    string // "managed" or "delegated"
	State   string // one word; empty where only the last use is known
	Held    bool   // held down by order
	Reason  string // of the last change of state, for a person

	Run       uint64 // the present one, 0 for none
	LastRun   uint64 // the highest ever used
	Pid       int
	StartTime uint64 // of the process: /proc/PID/stat field 22, in ticks since boot (proc_pid_stat(5))
	BootID    string // /proc/sys/kernel/random/boot_id of the boot StartTime counts from
	Port      int    // the port given to the service, 0 for none
	Address   string // where the run was reached: "ip:port" or "unix:/path"

	// The clocks are wall clocks, because they must mean something to the next
	// process. LastUse, Since and ReadySince are never after the time of Open: a value
	// from the future is a clock that was set back, and would keep a service up
	// for as long as it was wrong. RetryAt may lie ahead by its nature; who
	// reads it knows how far it can.
	LastUse    time.Time
	Since      time.Time // of the state
	ReadySince time.Time
	RetryAt    time.Time

	StartCount   uint64
	TotalUptime  time.Duration
	RecentStarts []Start // the latest last
	Failures     int     // in a row
}

// Start is one start of a service: which run it began, when it was asked for, how long each step
// took from there (0 where it was not reached), and how it ended, in a word. Connected and FirstByte
// are of the first request that waited for it.
type Start struct {
	Run                        uint64
	At                         time.Time
	Launched, Listening, Ready time.Duration
	Connected, FirstByte       time.Duration
	Outcome                    string
}

const (
	maxText   = 512 // bytes
	maxStarts = 10
)

// cut returns s without what is beyond maxText, and without half a rune.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// later is the one of two last uses that counts. A known one that lies in the
// future was read off a clock that has been set back since: it gives way.
func later(known, fresh, now time.Time) time.Time {
	if fresh.After(known) || known.After(now) && !fresh.IsZero() {
		return fresh
	}
	return known
}
