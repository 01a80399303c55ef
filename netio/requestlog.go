package netio

import "time"

// newEntry begins the log entry of a request. It copies: the head is gone when the entry is written.
func newEntry(c *client, r *request) *Entry {
	return &Entry{Method: string(r.method), Host: string(r.host), Target: string(r.target), Client: c.address}
}

// log hands the entry of the present request out.
func (c *client) log() {
	e := c.x.entry
	c.x.entry = nil
	e.Status, e.Bytes, e.Route = c.x.status, c.x.reply.total, c.x.route
	e.Duration = time.Duration(c.s.clock() - c.x.started)
	c.s.server.options.RequestLog(e)
}
