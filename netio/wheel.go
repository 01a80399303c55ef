package netio

import "math/bits"

// The wheel's slots are one tick wide. Deadlines beyond its horizon of about eight seconds wait in one of its last slots
// and are put in again from there; only few slots are used for that, so that thousands of idle connections wake the loop
// once a second and not one by one.
const (
	tickShift  = 21 // a tick is 2^21 ns, about 2 ms
	wheelSlots = 4096
	coarse     = 512 // ticks between those few slots
)

// A timer is one deadline on a wheel, in nanoseconds of the loop's clock. Moving a deadline to a later time, or taking
// it back, only writes the field: the timer stays in its slot, and when that comes up it is put where it belongs. A
// request changes its deadlines several times in microseconds, and none of that touches a list.
type timer struct {
	deadline   int64 // 0: none
	owner      *conn
	next, prev *timer
	slot       int32
	tick       int64 // the tick of that slot
	linked     bool
}

// A wheel is a timer wheel of one loop.
type wheel struct {
	slots [wheelSlots]*timer
	used  [wheelSlots / 64]uint64 // a bit for each slot that is not empty
	tick  int64                   // everything up to this tick has been looked at
	count int
}

// set moves t's deadline; 0 takes it back.
func (w *wheel) set(t *timer, deadline int64) {
	t.deadline = deadline
	if deadline == 0 || t.linked && t.tick <= deadline>>tickShift+1 {
		return
	}
	w.unlink(t)
	w.insert(t)
}

// insert puts t into the slot of the first tick that ends after its deadline.
func (w *wheel) insert(t *timer) {
	tick := t.deadline>>tickShift + 1
	if horizon := w.tick + wheelSlots - 1; tick > horizon {
		tick = horizon - horizon%coarse
	}
	tick = max(tick, w.tick+1)
	slot := tick % wheelSlots
	t.tick, t.slot, t.linked = tick, int32(slot), true
	t.prev, t.next = nil, w.slots[slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.slots[slot] = t
	w.used[slot/64] |= 1 << (slot % 64)
	w.count++
}

// remove takes t out for good.
func (w *wheel) remove(t *timer) {
	t.deadline = 0
	w.unlink(t)
}

// unlink takes t out of its slot, if it is in one.
func (w *wheel) unlink(t *timer) {
	if !t.linked {
		return
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.slot] = t.next
		if t.next == nil {
			w.used[t.slot/64] &^= 1 << (t.slot % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.linked = nil, nil, false
	w.count--
}

// due takes out one timer whose deadline has passed by now; nil if there is none. Call it until it returns nil.
func (w *wheel) due(now int64) *timer {
	for last := now >> tickShift; w.tick < last; w.tick++ {
		if w.count == 0 {
			w.tick = last
			break
		}
		// The slot of the next tick is emptied before the wheel turns to it.
		for t := w.slots[(w.tick+1)%wheelSlots]; t != nil; t = w.slots[(w.tick+1)%wheelSlots] {
			w.unlink(t)
			if t.deadline == 0 {
				continue
			}
			if t.deadline <= now {
				t.deadline = 0
				return t
			}
			w.insertAfter(t)
		}
	}
	return nil
}

// insertAfter puts back a timer that came up too early: past the slot that is being emptied.
func (w *wheel) insertAfter(t *timer) {
	w.tick++
	w.insert(t)
	w.tick--
}

// wait returns the nanoseconds until the next slot comes up that holds a timer, or -1.
func (w *wheel) wait(now int64) int64 {
	if w.count == 0 {
		return -1
	}
	for i := int64(1); i < wheelSlots; {
		slot := (w.tick + i) % wheelSlots
		word := w.used[slot/64] >> (slot % 64)
		if word != 0 {
			at := (w.tick + i + int64(bits.TrailingZeros64(word))) << tickShift
			return max(at-now, 0)
		}
		i += 64 - slot%64
	}
	return 0
}
