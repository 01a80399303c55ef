package netio

// forward is what a request head gets on its way to the backend.
type forward struct {
	clientIP []byte // textual
	proto    string // "http"
	trusted  bool   // the client is a proxy we trust: its X-Forwarded-* are kept and added to, else they are replaced
	host     string // what the backend sees as Host; "" for the client's
}

// appendTo appends the request head as the backend is to see it: HTTP/1.1, an origin-form target as received, the
// fields in their order with their case and repeats, without those that concern the client's connection only (RFC 9110
// section 7.6.1), and with X-Forwarded-*. The field that frames the body, if there is one, is among those kept.
func (r *request) appendTo(dst []byte, f *forward) []byte {
	c := copier{dst: dst, head: &r.head}
	c.write(r.method, " ")
	if r.target[0] == '?' {
		c.write(slash, "") // "http://host?query": the path is empty, which is "/" (RFC 9112 section 3.2.1)
	}
	c.write(r.target, " HTTP/1.1\r\n")
	if r.seen[fieldHost] == 0 {
		c.addHost(r, f)
	}
	for i := range r.fields[:r.count] {
		field := &r.fields[i]
		switch field.kind {
		case fieldPlain, fieldTrailer, fieldExpect:
			c.keep(field)
		case fieldContentLength:
			c.keepLength(field)
		case fieldTransferEncoding:
			c.replace(field, "chunked")
		case fieldHost:
			if f.host != "" {
				c.replace(field, f.host)
			} else {
				c.keep(field)
			}
		case fieldForwardedProto, fieldForwardedHost:
			if f.trusted {
				c.keep(field)
			}
		case fieldUpgrade:
			if r.upgrade {
				c.keep(field)
			}
		}
	}
	c.flush()
	c.addForwarded(r, f)
	c.addRequestHops(r)
	return append(c.dst, "\r\n"...)
}

// addHost gives a request without Host, which HTTP/1.0 may send, the one that HTTP/1.1 demands: the authority of an
// absolute-form, or empty (RFC 9112 section 3.2).
func (c *copier) addHost(r *request, f *forward) {
	c.dst = append(c.dst, "Host: "...)
	if f.host != "" {
		c.dst = append(c.dst, f.host...)
	} else {
		c.dst = append(c.dst, r.hostField...)
	}
	c.dst = append(c.dst, "\r\n"...)
}

// addForwarded adds the X-Forwarded-* fields. The addresses that trusted proxies have seen become one list with the
// client's at its end, so that who reads only the first or only the last field is not misled.
func (c *copier) addForwarded(r *request, f *forward) {
	c.dst = append(c.dst, "X-Forwarded-For: "...)
	if f.trusted && r.seen[fieldForwardedFor] > 0 {
		for i := range r.fields[:r.count] {
			if field := &r.fields[i]; field.kind == fieldForwardedFor && field.end > field.value {
				c.write(r.value(field), ", ")
			}
		}
	}
	c.write(f.clientIP, "\r\n")
	if !f.trusted || r.seen[fieldForwardedProto] == 0 {
		c.dst = append(c.dst, "X-Forwarded-Proto: "...)
		c.dst = append(c.dst, f.proto...)
		c.dst = append(c.dst, "\r\n"...)
	}
	if (!f.trusted || r.seen[fieldForwardedHost] == 0) && len(r.hostField) > 0 {
		c.dst = append(c.dst, "X-Forwarded-Host: "...)
		c.write(r.hostField, "\r\n")
	}
}

// addRequestHops adds what concerns our own connection with the backend: the upgrade that the client asks for, and
// that trailers are welcome if they are to the client (RFC 9110 section 10.1.4).
func (c *copier) addRequestHops(r *request) {
	trailers := r.names(fieldTE, "trailers")
	switch {
	case trailers && r.upgrade:
		c.dst = append(c.dst, "TE: trailers\r\nConnection: upgrade, TE\r\n"...)
	case trailers:
		c.dst = append(c.dst, "TE: trailers\r\nConnection: TE\r\n"...)
	case r.upgrade:
		c.dst = append(c.dst, "Connection: upgrade\r\n"...)
	}
}

// clientView is what the client's side makes of a response.
type clientView struct {
	minor     int    // of the client's HTTP/1.x
	keepAlive bool   // the client's connection goes on after this response
	dechunk   bool   // the client gets the data of a chunked body without the chunks, until close
	added     string // field lines of ours
}

// appendTo appends the response head as the client is to see it: the status line with its reason, the fields in their
// order with their case and repeats, without those that concern the backend's connection only, and with Connection where
// the client has to be told. A client of HTTP/1.0 must not be sent an interim response (RFC 9110 section 15.2).
func (r *response) appendTo(dst []byte, v *clientView) []byte {
	c := copier{dst: append(dst, "HTTP/1.1 "...), head: &r.head}
	c.write(r.raw[len("HTTP/1.1 "):len("HTTP/1.1 200")], " ")
	c.write(r.reason, "\r\n")
	framed := r.status >= 200 && r.status != 204 // RFC 9110 section 8.6: others must not have framing fields
	chunks := framed && v.minor >= 1 && !v.dechunk
	for i := range r.fields[:r.count] {
		field := &r.fields[i]
		switch field.kind {
		case fieldDropped, fieldConnection, fieldHop, fieldTE:
		case fieldContentLength:
			if framed {
				c.keepLength(field)
			}
		case fieldTransferEncoding:
			if chunks {
				c.replace(field, "chunked")
			}
		case fieldTrailer:
			if !v.dechunk {
				c.keep(field)
			}
		case fieldUpgrade:
			if r.namesUpgrade() {
				c.keep(field)
			}
		default:
			c.keep(field)
		}
	}
	c.flush()
	c.dst = append(c.dst, v.added...)
	c.addResponseHops(r, v)
	return append(c.dst, "\r\n"...)
}

// namesUpgrade reports whether Upgrade says something to the client: what is switched to (101), or what the backend
// insists on (426). In other responses it is an offer to us.
func (r *response) namesUpgrade() bool {
	return r.upgrade || r.status == 426 && r.seen[fieldUpgrade] > 0
}

// addResponseHops tells the client about its connection, where it could not know.
func (c *copier) addResponseHops(r *response, v *clientView) {
	switch {
	case r.interim:
	case r.upgrade:
		c.dst = append(c.dst, "Connection: upgrade\r\n"...)
	default:
		if r.namesUpgrade() {
			c.dst = append(c.dst, "Connection: upgrade\r\n"...)
		}
		if !v.keepAlive {
			c.dst = append(c.dst, "Connection: close\r\n"...)
		} else if v.minor == 0 {
			c.dst = append(c.dst, "Connection: keep-alive\r\n"...)
		}
	}
}

// A copier builds a head from the fields of another. Neighbouring lines that stay as they are are copied in one piece.
type copier struct {
	dst      []byte
	head     *head
	from, to int // raw[from:to] is to be kept, and not copied yet
}

// keep keeps a field as it is, but for the white space around its value.
func (c *copier) keep(f *field) {
	if !f.tidy {
		c.flush()
		c.write(c.head.name(f), ": ")
		c.write(c.head.value(f), "\r\n")
		return
	}
	if c.to != int(f.name) {
		c.flush()
		c.from = int(f.name)
	}
	c.to = int(f.end) + len("\r\n")
}

// keepLength keeps a Content-Length, which is known to be a number, but for zeros before it: there are readers to whom
// those make it octal.
func (c *copier) keepLength(f *field) {
	kept := *f
	for kept.value+1 < kept.end && c.head.raw[kept.value] == '0' {
		kept.value, kept.tidy = kept.value+1, false
	}
	c.keep(&kept)
}

// replace keeps the name of a field and gives it another value.
func (c *copier) replace(f *field, value string) {
	c.flush()
	c.write(c.head.name(f), ": ")
	c.dst = append(c.dst, value...)
	c.dst = append(c.dst, "\r\n"...)
}

// flush copies what was kept so far.
func (c *copier) flush() {
	c.dst = append(c.dst, c.head.raw[c.from:c.to]...)
	c.from, c.to = 0, 0
}

func (c *copier) write(b []byte, after string) {
	c.dst = append(c.dst, b...)
	c.dst = append(c.dst, after...)
}
