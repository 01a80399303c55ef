package keeper

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// What a service says of itself (sd_notify(3)): of all that can be said, READY=1
// is heard. The keeper listens rather than the engine, so that nothing is lost
// while an engine restarts, and knows whose process it is that speaks.
//
// One socket serves all services. Its name is made from the secret of the state
// directory: nobody can guess it and be the first to bind it, and a service goes on
// sending to the same name when the keeper was killed, and the next one hears it.

// notifySocket is the abstract name, as NOTIFY_SOCKET has it.
func (by marker) notifySocket() string {
	h := hmac.New(sha256.New, by.secret)
	io.WriteString(h, "notify")
	return "@dynapm/" + hex.EncodeToString(h.Sum(nil)[:16]) + "/notify"
}

// maxNotification is more than any message has that says READY=1.
const maxNotification = 4 << 10

// listenNotify opens the socket. Whoever sends to it has its pid, as the kernel
// knows it, beside each message (SCM_CREDENTIALS, unix(7)).
func (s *server) listenNotify() error {
	name := s.marker.notifySocket()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if errors.Is(err, unix.EADDRINUSE) {
		// Somebody who was told it by a service has it since the last keeper ended.
		s.log.Error("somebody else listens where services say that they are ready: those that are starting will not be heard", "name", name)
		name = "@dynapm/" + rand.Text() + "/notify"
		conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	}
	if err != nil {
		return fmt.Errorf("cannot listen to what services say of themselves: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		}), err)
	}
	if err != nil {
		conn.Close()
		return fmt.Errorf("cannot ask who sends what services say of themselves: %w", err)
	}
	s.notify, s.notifyName = conn, name
	go s.hear(conn)
	return nil
}

// hear takes in messages until the socket is closed.
func (s *server) hear(conn *net.UnixConn) {
	text, beside := make([]byte, maxNotification), make([]byte, 1<<10)
	var pause time.Duration
	for {
		n, m, _, _, err := conn.ReadMsgUnix(text, beside)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if pause == 0 {
				s.log.Error("cannot read what a service says of itself", "cause", err)
			}
			pause = min(max(2*pause, time.Millisecond), time.Second) // it may last
			time.Sleep(pause)
			continue
		}
		pause = 0
		who := sender(beside[:m])
		if who.Pid == 0 || !slices.ContainsFunc(bytes.Split(text[:n], []byte("\n")), isReadyLine) {
			continue
		}
		if p, ok := s.markReady(int(who.Pid)); ok {
			s.log.Info("ready", "service", p.Service, "run", p.Run, "pid", p.Pid, "sender", who.Pid)
		} else if int(who.Uid) == os.Getuid() { // others do not fill the log
			s.log.Warn("READY=1 came from a process that belongs to no service, or has ended", "sender", who.Pid)
		}
	}
}

func isReadyLine(line []byte) bool { return string(line) == "READY=1" }

// sender returns who sent a message, by what came beside it. Descriptors that
// came with it are closed, which is what tells a sender of BARRIER=1 that all it
// said before was taken.
func sender(beside []byte) (who unix.Ucred) {
	messages, err := unix.ParseSocketControlMessage(beside)
	if err != nil {
		return who
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
		} else if c, err := unix.ParseUnixCredentials(&m); err == nil {
			who = *c
		}
	}
	return who
}

// markReady notes that the service to which pid belongs is ready, and tells the
// engine.
func (s *server) markReady(pid int) (Process, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.ownerOf(pid)
	if k == nil {
		return Process{}, false
	}
	if !k.Ready {
		k.Ready = true
		failpoint.Reached("keeper.spoke")
		select {
		case <-k.begun:
			s.tellReady(k)
		default: // the reply to its launch comes first
		}
	}
	return k.Process, true
}

// tellReady sends the news to the engine, if there is one. The caller holds the
// lock.
func (s *server) tellReady(k *kept) {
	if s.engine != nil {
		process := k.Process
		s.engine.send(frame{Do: doReady, Process: &process})
	}
}

// ownerOf returns the service to which pid belongs, by what it or one of its
// ancestors shows. One that has ended and was reaped belongs to nobody. The
// caller holds the lock.
func (s *server) ownerOf(pid int) *kept {
	for pid > 1 && pid != selfPid {
		p, ok := readStat(pid)
		if !ok {
			return nil
		}
		m, err := s.marker.read(pid)
		for _, k := range s.kept {
			if k.Role == RoleService && !k.gone && (p.session == k.Pid || p.group == k.Pid || err == nil && m == k.marks()) {
				return k
			}
		}
		pid = p.parent
	}
	return nil
}

// letSpeak tells a command where to say that it is ready. The NOTIFY_SOCKET of
// the engine was taken out of its environment before.
func (s *server) letSpeak(p *program) error {
	if s.notify == nil {
		return errors.New("the keeper has no socket for what services say of themselves; see " + logName)
	}
	p.env = append(p.env, "NOTIFY_SOCKET="+s.notifyName)
	return nil
}
