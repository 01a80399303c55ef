package actors

// A service that is always to be up is started when the engine is, and again
// whenever it has ended, with the backoff of failed starts; it is never idle. An
// operator can have it down: then the next request, a start by order or the next
// engine brings it up again, and one that is held waits for the order.

const whyAlways = "it is always to be up"

// keptUp tells whether the service is to be up although nobody asks for it.
func (m *Machine) keptUp() bool {
	return m.limits.Always && !m.Held && !m.Retiring && !m.Down
}

// comeBack sees to it that a service that is kept up will run: at once, or when
// its backoff ends. What is under way comes to an end that leads here.
func (m *Machine) comeBack() {
	if m.run == 0 && m.keptUp() {
		m.arm(later(m.RetryAt, m.now))
	}
}

// layDown ends a wait that would lead to a start, by order. It is false if
// there is none.
func (m *Machine) layDown() bool {
	if m.run != 0 || m.timer == 0 {
		return false
	}
	m.timer = 0
	return true
}
