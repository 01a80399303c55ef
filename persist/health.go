package persist

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// health is whether writing works. Each change is told once: a disk that stays
// full for a night is one line in the log.
type health struct {
	log     *slog.Logger
	dir     string
	changed func(error)

	mu    sync.Mutex
	fault error
	since time.Time
}

func (h *health) get() (since time.Time, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since, h.fault
}

// fail notes a fault. The latest one is what get tells, the first one what was
// reported.
func (h *health) fail(cause error) error {
	fault := fmt.Errorf("cannot write the store of last-known state: %w", cause)
	if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) {
		fault = fmt.Errorf("%w: make room where %s is", fault, h.dir)
	}
	h.mu.Lock()
	first := h.fault == nil
	h.fault = fault
	if first {
		h.since = time.Now()
	}
	h.mu.Unlock()
	if first {
		h.log.Error("state is not being saved: services are served as before, but what changes from now on "+
			"is forgotten if the engine ends before the store works again", "cause", fault.Error())
		h.tell(fault)
	}
	return fault
}

// recover notes that writing works.
func (h *health) recover() {
	h.mu.Lock()
	since, failed := h.since, h.fault != nil
	h.fault, h.since = nil, time.Time{}
	h.mu.Unlock()
	if failed {
		h.log.Info("state is being saved again", "after", time.Since(since).Round(time.Millisecond))
		h.tell(nil)
	}
}

func (h *health) tell(fault error) {
	if h.changed != nil {
		h.changed(fault)
	}
}
