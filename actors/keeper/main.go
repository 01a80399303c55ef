package keeper

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

// What a starting keeper writes to its readiness pipe; anything else is the
// reason why it could not start.
const (
	isReady = "ready"
	isTaken = "taken" // another keeper has the directory
)

// Main is the keeper process: the command that Options.Executable names, with
// the arguments that follow it. It returns the exit status.
func Main(args []string) int {
	flags := flag.NewFlagSet("keeper", flag.ContinueOnError)
	asProgram := flags.String("become", "", "what to be in place of a keeper")
	readyFd := flags.Int("ready", -1, "descriptor that is told when the keeper is ready")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *asProgram != "" {
		return become(*asProgram)
	}
	RelaxMonitor()
	ownArgv = os.Args[:len(os.Args)-len(args)]
	if flags.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "cannot run the keeper: its one argument is the state directory")
		return 2
	}
	if err := closeInherited(*readyFd); err != nil {
		fmt.Fprintln(os.Stderr, "cannot run the keeper:", err)
		return 1
	}
	ready, err := readyPipe(*readyFd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot run the keeper:", err)
		return 1
	}
	// A small heap rather than few collections: this process lives for months
	// and allocates next to nothing.
	debug.SetGCPercent(20)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("keeper", os.Getpid())
	err = run(flags.Arg(0), log, func() error {
		_, err := io.WriteString(ready, isReady)
		return errors.Join(err, ready.Close())
	})
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errLocked):
		io.WriteString(ready, isTaken)
		return 0
	default:
		log.Error("cannot run the keeper", "cause", err)
		io.WriteString(ready, err.Error())
		return 1
	}
}

// readyPipe is what is told how the start went; by hand the keeper is started
// without one.
func readyPipe(fd int) (*os.File, error) {
	if fd < 0 {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready"), nil
}

// run is the keeper from the lock to the last process kept.
func run(path string, log *slog.Logger, ready func() error) error {
	dir, err := statedir.Open(path)
	if err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	failpoint.Reached("keeper.locked")
	if err := settle(); err != nil {
		return err
	}
	listener, err := dir.Listen("unix", socketName)
	if err != nil {
		return err
	}
	failpoint.Reached("keeper.listening")
	s := newServer(dir, log)
	s.groups.tidy()
	go s.reap()
	if err := s.adoptMarked(); err != nil {
		return err
	}
	if err := s.listenNotify(); err != nil {
		log.Error("services that are to say that they are ready cannot be started", "cause", err)
	} else {
		defer s.notify.Close()
	}
	go s.accept(listener)
	failpoint.Reached("keeper.ready")
	if err := ready(); err != nil {
		// Nobody waits for it any longer. An engine may come yet; else the
		// keeper leaves by itself.
		log.Warn("cannot say that the keeper is ready", "cause", err)
	}
	log.Info("keeper started", "dir", dir.Path())
	<-s.left
	// Before the lock is given up, or it would take away the next one's socket.
	listener.Close()
	log.Info("keeper leaves")
	return nil
}

// settle makes the process fit to outlive the one that started it.
func settle() error {
	// Handled, not ignored: an ignored signal would stay so in the services
	// (execve(2)), and could not end them.
	noted := make(chan os.Signal, 1)
	signal.Notify(noted, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	go func() {
		for range noted {
		}
	}()
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become a subreaper: %w", err)
	}
	return nil
}

// closeInherited closes every descriptor that came through exec, but stdio and
// keep: among them may be client connections of the engine. They are those
// without close-on-exec, which Go sets on whatever it opens itself, the
// runtime's own epoll included; a plain close_range would take that too.
func closeInherited(keep int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("cannot list descriptors: %w", err)
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= 2 || fd == keep {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}
