package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

const (
	// readyTimeout is how long a keeper may take to start.
	readyTimeout = 10 * time.Second
	// connectPause is what a client waits between attempts when another keeper
	// is starting or leaving; it doubles up to connectPauseMax.
	connectPause    = 2 * time.Millisecond
	connectPauseMax = time.Second
)

// errAbsent says that no keeper is there, or one that is just leaving.
var errAbsent = errors.New("no keeper answers")

// connect finds the keeper or starts one.
func (c *Client) connect(ctx context.Context) (*link, error) {
	for pause := connectPause; ; pause = min(2*pause, connectPauseMax) {
		l, err := c.greet()
		if !errors.Is(err, errAbsent) {
			return l, err
		}
		child, err := c.start()
		if err != nil {
			return nil, err
		}
		if child != nil {
			if l, err = c.greet(); !errors.Is(err, errAbsent) {
				if l != nil && l.pid == child.pid {
					l.child = child
				}
				return l, err
			}
		}
		if !c.pause(ctx, pause) {
			return nil, fmt.Errorf("cannot reach the keeper of %s: %w; see %s there", c.dir.Path(), errAbsent, logName)
		}
	}
}

// pause is false if there is no point in going on.
func (c *Client) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.closing:
	}
	return false
}

// greet connects to the keeper that is there, and exchanges hellos.
func (c *Client) greet() (*link, error) {
	conn, err := c.dir.Dial("unix", socketName)
	if errors.Is(err, statedir.ErrAbsent) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the keeper: %w", err)
	}
	l, err := c.introduce(newWire(conn))
	if err != nil {
		conn.Close()
	}
	return l, err
}

func (c *Client) introduce(w wire) (*link, error) {
	who, err := statedir.Peer(w.conn)
	if err != nil {
		return nil, fmt.Errorf("cannot trust the keeper: %w", err)
	}
	w.conn.SetDeadline(time.Now().Add(helloTimeout))
	defer w.conn.SetDeadline(time.Time{})
	err = w.write(frame{Do: doHello, Hello: &hello{Oldest: oldestProtocol, Newest: newestProtocol}})
	if err != nil {
		return nil, errAbsent // it closed on us
	}
	f, err := w.read()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("the keeper (pid %d) does not answer", who.Pid)
	case errors.Is(err, errClosed), errors.Is(err, unix.ECONNRESET):
		return nil, errAbsent
	case err != nil:
		return nil, fmt.Errorf("cannot understand the keeper (pid %d): %w", who.Pid, err)
	case f.Hello == nil:
		return nil, fmt.Errorf("cannot understand the keeper (pid %d): it says no hello", who.Pid)
	}
	version, err := f.Hello.speak()
	if err != nil {
		return nil, fmt.Errorf("cannot use the keeper (pid %d): %w; stop its services with the version that started them", who.Pid, err)
	}
	if f.Failure != nil {
		return nil, f.Failure.error()
	}
	failpoint.Reached("client.connected")
	return c.newLink(w, int(who.Pid), version, f), nil
}

// child is a keeper that this process started.
type child struct {
	pid   int
	ended chan struct{} // closed when it was reaped
}

// start starts a keeper and waits until it is ready. It returns nil if another
// keeper proves to have the directory.
func (c *Client) start() (*child, error) {
	process, told, err := c.fork()
	if err != nil {
		return nil, fmt.Errorf("cannot start the keeper: %w", err)
	}
	defer told.Close()
	failpoint.Reached("client.forked")
	started := &child{pid: process.Pid, ended: make(chan struct{})}
	go func() {
		defer close(started.ended)
		if state, err := process.Wait(); err != nil || !state.Success() {
			c.options.Log.Warn("the keeper ended", "pid", process.Pid, "status", state.String(), "cause", err)
		}
	}()
	told.SetReadDeadline(time.Now().Add(readyTimeout))
	text, err := io.ReadAll(io.LimitReader(told, 4<<10))
	switch {
	case err != nil:
		process.Kill()
		return nil, fmt.Errorf("cannot start the keeper: it is not ready after %v; see %s", readyTimeout, c.dir.Join(logName))
	case string(text) == isReady:
		failpoint.Reached("client.started")
		return started, nil
	case string(text) == isTaken:
		return nil, nil
	case len(text) == 0:
		return nil, fmt.Errorf("cannot start the keeper: it ended at once; see %s", c.dir.Join(logName))
	default:
		return nil, fmt.Errorf("cannot start the keeper: %s", strings.TrimSpace(string(text)))
	}
}

// fork starts the process of a keeper, with a session of its own and none of
// our stdio: an inherited pipe would keep `dynapm engine | tee` from ending.
// What it says when it is ready, or why it cannot be, is read from told.
func (c *Client) fork() (process *os.Process, told *os.File, err error) {
	if len(c.options.Executable) == 0 {
		return nil, nil, errors.New("no executable was given")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	log, err := openLog(c.dir)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer tell.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	handSlackOn()
	argv := append(c.options.Executable[:len(c.options.Executable):len(c.options.Executable)], "-ready=3", c.dir.Path())
	process, err = os.StartProcess(argv[0], argv, &os.ProcAttr{
		Files: []*os.File{null, log, log, tell},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		told.Close()
		return nil, nil, err
	}
	return process, told, nil
}
