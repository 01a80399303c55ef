package netio

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What evio must never be asked for, since it does it badly, or meet. That it gives up on accept errors is in
// files_test.go, that it has no deadlines in attack_test.go, its panics in front_test.go.

// TestEvioIsNeverAskedFor reads how evio is used. It spins on output that a client does not read, and loses it when it is
// woken meanwhile: the callbacks return none. With two loops one spins while the other is busy. Its ticker writes to a
// descriptor that may be another's. It deletes what is at the path of a unix address.
func TestEvioIsNeverAskedFor(t *testing.T) {
	files := token.NewFileSet()
	paths, _ := filepath.Glob("*.go")
	returns, events := 0, 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "onOpened" || n.Name.Name == "onData" {
					returns += wantNoOutput(t, files, n)
				}
			case *ast.CompositeLit:
				if text(n.Type) == "evio.Events" {
					events++
					wantEvents(t, n)
				}
			case *ast.BasicLit:
				if strings.Contains(n.Value, "unix://") || strings.Contains(n.Value, "reuseport") {
					t.Errorf("%s: %s", files.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
	}
	if returns < 4 || events != 1 {
		t.Errorf("found %d returns of callbacks and %d evio.Events: this test looks at the wrong place", returns, events)
	}
}

// wantNoOutput wants each return to name nil first, the output. It tells how many there are.
func wantNoOutput(t *testing.T, files *token.FileSet, f *ast.FuncDecl) (returns int) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			returns++
			if len(r.Results) == 0 || text(r.Results[0]) != "nil" {
				t.Errorf("%s: evio is given output", files.Position(r.Pos()))
			}
		}
		return true
	})
	return returns
}

// wantEvents wants one loop, and no callback that makes evio do more.
func wantEvents(t *testing.T, events *ast.CompositeLit) {
	allowed := []string{"NumLoops: 1", "Serving: r.onServing", "Opened: r.onOpened", "Data: r.onData", "Detached: r.onDetached", "Closed: r.onClosed"}
	for _, e := range events.Elts {
		pair := e.(*ast.KeyValueExpr)
		if s := text(pair.Key) + ": " + text(pair.Value); !slices.Contains(allowed, s) {
			t.Errorf("evio.Events has %s", s)
		}
	}
}

// text is a simple expression as it is written.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.BasicLit:
		return e.Value
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return fmt.Sprintf("%T", e)
}

// TestOnlyEvioWatchesListeners checks that what evio listens on is plain TCP, and in its own epoll alone: in Go's, too, each
// new client would wake the runtime.
func TestOnlyEvioWatchesListeners(t *testing.T) {
	r := newRig(t, "")
	fds, err := listenersAt(r.listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	watches := 0
	for _, fd := range fds {
		if protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.IPPROTO_TCP {
			t.Errorf("protocol %d, %v", protocol, err)
		}
		infos, _ := filepath.Glob("/proc/self/fdinfo/*")
		for _, file := range infos {
			info, _ := os.ReadFile(file)
			for line := range strings.Lines(string(info)) {
				if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == fmt.Sprint(fd) {
					watches++
				}
			}
		}
	}
	if watches != 1 {
		t.Errorf("%d epolls watch the listener, want evio's alone", watches)
	}
}

// TestUploadWaitsInTheKernel checks that the body of a request whose service is not ready stays with its client: evio
// cannot stop reading, so it must have let go.
func TestUploadWaitsInTheKernel(t *testing.T) {
	r := newRig(t, echo(t))
	r.service().open.Store(false)
	c := r.dial()
	c.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
	r.service().take(t, 1)
	c.SetWriteDeadline(time.Now().Add(2 * short))
	sent, chunk := 0, make([]byte, 64<<10)
	for {
		n, err := c.Write(chunk)
		if sent += n; err != nil {
			break
		}
		if sent > 64<<20 {
			t.Fatal("64 MB went somewhere")
		}
	}
	if n := r.Counters().BytesIn; n > 128<<10 {
		t.Errorf("%d bytes were read of %d", n, sent)
	}
}
