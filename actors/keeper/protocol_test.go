package keeper

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// raw speaks to a keeper in plain text.
func (b *bench) raw() (*net.UnixConn, *bufio.Reader) {
	b.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(b.dir, socketName)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

const greeting = `{"do":"hello","hello":{"oldest":1,"newest":1}}` + "\n"

// Whatever is sent to it, the keeper ends the connection and not itself.
func TestBadFrames(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"))
	keeper := b.keeperPid()
	b.Close()
	for name, tc := range map[string]string{
		"no hello":            `{"do":"list","id":1}` + "\n",
		"empty hello":         `{"do":"hello"}` + "\n",
		"not JSON":            greeting + "GET / HTTP/1.1\r\n",
		"empty line":          greeting + "\n",
		"not an object":       greeting + "[1]\n",
		"wrong type":          greeting + `{"do":"list","id":"one"}` + "\n",
		"unknown verb":        greeting + `{"do":"dance","id":1}` + "\n",
		"launch of nothing":   greeting + `{"do":"launch","id":1}` + "\n",
		"signal to nobody":    greeting + `{"do":"signal","id":1,"signal":9}` + "\n",
		"base64":              greeting + `{"do":"launch","id":1,"launch":{"argv":["?"]}}` + "\n",
		"hello again":         greeting + greeting,
		"too long":            greeting + strings.Repeat("x", maxFrame+1),
		"binary":              greeting + "\x00\x01\x02\n",
		"too long a greeting": strings.Repeat(" ", maxFrame+1),
	} {
		conn, in := b.raw()
		io.WriteString(conn, tc)
		if _, err := io.Copy(io.Discard, in); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the connection was not closed: %v", name, err)
		}
		conn.Close()
	}
	// A frame that was cut off is not acted upon.
	conn, _ := b.raw()
	cut, _ := json.Marshal(frame{Do: doSignal, Process: &p, Signal: 9})
	io.WriteString(conn, greeting+string(cut))
	conn.Close()
	b.open()
	if b.keeperPid() != keeper || !b.isKept(p) || !isAlive(p.Pid) {
		t.Error("the keeper or its service is gone")
	}
	b.noExit()
}

// The other side's version decides, before anything else is said.
func TestVersions(t *testing.T) {
	b := newBench(t)
	b.launch(self("pause"))
	b.Close()
	for hello, want := range map[string]string{
		`{"oldest":1,"newest":1}`: "",
		`{"oldest":1,"newest":9}`: "",
		`{"oldest":4,"newest":9}`: "the other side speaks protocol 4 to 9 and this one 1 to 3",
		`{"oldest":0,"newest":0}`: "the other side speaks protocol 0 to 0 and this one 1 to 3",
	} {
		conn, in := b.raw()
		io.WriteString(conn, `{"do":"hello","hello":`+hello+"}\n")
		var f frame
		line, err := in.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &f)
		}
		if err != nil || f.Do != doHello || f.Hello.Newest != newestProtocol || f.Hello.Instance == "" {
			t.Fatalf("%s: %s, %v", hello, line, err)
		}
		got := ""
		if f.Failure != nil {
			got = f.Failure.Message
		}
		if got != want {
			t.Errorf("%s: %q, want %q", hello, got, want)
		}
		conn.Close()
	}
}

// An engine with a keeper that it cannot speak to is told what to do.
func TestUnknownKeeper(t *testing.T) {
	for answer, want := range map[string]string{
		`{"do":"hello","hello":{"oldest":7,"newest":8,"instance":"x"}}`: "the other side speaks protocol 7 to 8 and this one 1 to 3; stop its services with the version that started them",
		`{"do":"hello"}`: "it says no hello",
		`SSH-2.0-x`:      "cannot understand the keeper",
	} {
		dir := t.TempDir()
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName)})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.AcceptUnix()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			bufio.NewReader(conn).ReadString('\n')
			io.WriteString(conn, answer+"\n")
		}()
		_, err = Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
		l.Close()
	}
}

// While one engine is connected, another's broken connections do not matter.
func TestStrangersDoNotDisturb(t *testing.T) {
	b := newBench(t)
	conn, in := b.raw()
	io.WriteString(conn, greeting)
	var f frame
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &f)
	}
	if err != nil || f.Failure == nil || f.Failure.Kind != failedBusy || f.Failure.Pid != os.Getpid() {
		t.Fatalf("%s, %v", line, err)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Error(err)
	}
	b.exit(b.launch(self("exit", "0")))
}
