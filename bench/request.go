package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// request is what the clients send, and the body that has to come back. The head is about as long as curl's.
type request struct {
	bytes []byte
	body  []byte // nil: any
}

const (
	headFields  = "Host: bench.test\r\n" + otherFields
	otherFields = "User-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
)

var (
	smallRequest = request{[]byte("GET /small HTTP/1.1\r\n" + headFields + "\r\n"), smallBody}
	closeRequest = request{[]byte("GET /small HTTP/1.1\r\n" + headFields + "Connection: close\r\n\r\n"), smallBody}
	oldRequest   = request{[]byte("GET /small HTTP/1.0\r\n" + headFields + "\r\n"), smallBody}
	headRequest  = request{[]byte("GET /head HTTP/1.1\r\n" + headFields + "\r\n"), nil}
)

// requestTo is the small request to a host.
func requestTo(host string) request {
	return request{fmt.Appendf(nil, "GET /small HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, otherFields), smallBody}
}

// check tells whether a reply is whole, and what is wrong with it, as far as it has come.
func (r *request) check(reply []byte) (whole bool, wrong string) {
	end := bytes.Index(reply, crlf2)
	if end < 0 {
		if len(reply) == cap(reply) {
			return false, "a head too long"
		}
		return false, ""
	}
	head, body := reply[:end], reply[end+len(crlf2):]
	if len(head) < 12 || string(head[:7]) != "HTTP/1." || string(head[8:12]) != " 200" {
		return false, "status " + statusOf(head)
	}
	length, ok := contentLength(head)
	if !ok && isChunked(head) {
		if body, whole, wrong = unchunk(body); !whole || wrong != "" {
			return false, wrong
		}
		length, ok = int64(len(body)), true
	}
	switch {
	case !ok:
		return false, "a reply without length"
	case int64(len(body)) > length:
		return false, "more bytes than promised"
	case r.body != nil && length != int64(len(r.body)):
		return false, "wrong length of the body"
	case int64(len(body)) < length:
		return false, ""
	case r.body != nil && !bytes.Equal(body, r.body):
		return false, "wrong body"
	}
	return true, ""
}

// statusOf is the status code in a head, or its beginning.
func statusOf(head []byte) string {
	line, _, _ := bytes.Cut(head, crlf2[:2])
	if fields := bytes.Fields(line); len(fields) > 1 {
		return string(fields[1])
	}
	return string(line[:min(len(line), 20)])
}

// fetch sends one request on a connection of its own and gives the body of the reply.
func fetch(ctx context.Context, address netip.AddrPort, ask request) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(startPatience))
	if _, err := conn.Write(ask.bytes); err != nil {
		return nil, err
	}
	reply := make([]byte, 0, 4096)
	for {
		n, err := conn.Read(reply[len(reply):cap(reply)])
		reply = reply[:len(reply)+n]
		whole, wrong := ask.check(reply)
		switch {
		case whole:
			_, body, _ := bytes.Cut(reply, crlf2)
			return body, nil
		case wrong != "":
			return nil, errors.New(wrong)
		case err != nil:
			return nil, err
		}
	}
}
