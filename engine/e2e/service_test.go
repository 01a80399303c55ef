package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// service is the test binary as a service: what its flags say it does, and what happened to it.
type service struct {
	name      string
	listen    string // "host:port" or "unix:/path"; "": $HOST:$PORT
	startGate string // waits for this gate before it listens
	stopGate  string // on SIGTERM waits for this gate before it exits
	opens     string // opens this gate when it listens
	crash     int    // exits with this status when it would listen
	mute      bool   // never listens
	fragile   bool   // listens and dies at the first connection
	shy       int    // closes the first so many connections without a word, as docker-proxy does with nothing behind it
	stubborn  bool   // ignores SIGTERM
	closes    bool   // listens no more once it is told to stop
	tls       string // speaks TLS, with cert.pem and key.pem of this folder
	raw       bool   // answers with the head as it came
	lifetime  int    // exits after so many requests
	demands   string // the Host and Authorization without which a health check is answered 401
	notifies  bool   // says that it is ready, when it listens (sd_notify(3))
	sick      int    // answers the first so many health checks with 503
	children  int    // forks so many, which never end by themselves
	strays    int    // the same, each in a session of its own and deaf to SIGTERM

	mu       sync.Mutex
	alive    *os.File
	listener net.Listener
	active   int
	requests int
	checks   int
	lastUse  time.Time
}

// event is one line of the file that a service writes; see world.events.
type event struct {
	What   string        `json:"what"` // start, double, listen, request, term, exit (after it), gone (the client of a request), wsclose
	Pid    int           `json:"pid"`
	Run    string        `json:"run,omitempty"`    // $DYNAPM_RUN
	Target string        `json:"target,omitempty"` // of a request
	Active int           `json:"active"`           // requests in flight
	Idle   time.Duration `json:"idle"`             // since the last request ended; without one, since it listens
	Code   int           `json:"code,omitempty"`   // of a WebSocket's close
	Env    []string      `json:"env,omitempty"`    // start: the environment
	Dir    string        `json:"dir,omitempty"`    // start: the working directory
}

// The output of a service that crashes, for which tests look in logs, and not in answers to clients.
const (
	lastWords = "last words: cannot open the database"
	secret    = "/srv/secret/path.db"
)

func serviceMain(args []string) int {
	s := &service{}
	flags := flag.NewFlagSet("service", flag.ExitOnError)
	flags.StringVar(&s.name, "name", "", "")
	flags.StringVar(&s.listen, "listen", "", "")
	flags.StringVar(&s.startGate, "start-gate", "", "")
	flags.StringVar(&s.stopGate, "stop-gate", "", "")
	flags.StringVar(&s.opens, "opens", "", "")
	flags.IntVar(&s.crash, "crash", 0, "")
	flags.BoolVar(&s.mute, "mute", false, "")
	flags.BoolVar(&s.fragile, "fragile", false, "")
	flags.IntVar(&s.shy, "shy", 0, "")
	flags.BoolVar(&s.stubborn, "stubborn", false, "")
	flags.BoolVar(&s.closes, "closes", false, "")
	flags.StringVar(&s.tls, "tls", "", "")
	flags.BoolVar(&s.raw, "raw", false, "")
	flags.IntVar(&s.lifetime, "lifetime", 0, "")
	flags.StringVar(&s.demands, "demands", "", "")
	flags.BoolVar(&s.notifies, "notifies", false, "")
	flags.IntVar(&s.sick, "sick", 0, "")
	flags.IntVar(&s.children, "children", 0, "")
	flags.IntVar(&s.strays, "strays", 0, "")
	flags.Parse(args)
	return s.run()
}

func (s *service) run() int {
	terms := make(chan os.Signal, 8)
	signal.Notify(terms, syscall.SIGTERM)
	go s.stop(terms)
	dir, _ := os.Getwd()
	s.claim()
	s.record(event{What: "start", Env: os.Environ(), Dir: dir})
	fmt.Printf("%s speaks on stdout\n", s.name)
	fmt.Fprintf(os.Stderr, "%s speaks on stderr\n", s.name)
	for range s.children {
		s.fork("child", false)
	}
	for range s.strays {
		s.fork("stray", true)
	}
	s.pass(s.startGate)
	if s.crash != 0 {
		s.die(s.crash)
	}
	if s.mute {
		select {}
	}
	listens := time.Now() // the engine sees it later, never earlier
	listener, err := net.Listen(s.address())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.mu.Lock()
	s.listener, s.lastUse = listener, listens
	s.mu.Unlock()
	s.record(event{What: "listen"})
	if s.notifies {
		s.notify()
	}
	s.unlock(s.opens)
	for range s.shy {
		if conn, err := listener.Accept(); err == nil {
			conn.Close()
		}
	}
	switch {
	case s.fragile:
		listener.Accept()
		s.die(7)
	case s.raw:
		return s.serveRaw(listener)
	}
	if s.tls != "" {
		fmt.Fprintln(os.Stderr, http.ServeTLS(listener, s, filepath.Join(s.tls, "cert.pem"), filepath.Join(s.tls, "key.pem")))
	} else {
		fmt.Fprintln(os.Stderr, http.Serve(listener, s))
	}
	if s.closes {
		select {} // stop ends it
	}
	return 1
}

// claim takes the lock that a service of this name has for as long as it lives. If another has it that is not about to
// end, two runs of one service are alive at once.
func (s *service) claim() {
	f, err := os.OpenFile(filepath.Join(os.Getenv(recordsFolder), s.name+".alive"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		panic(err)
	}
	s.alive = f
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if !ending(f.Name()) {
			s.record(event{What: "double"})
			return
		}
		<-time.After(time.Millisecond)
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%-20d", os.Getpid()), 0); err != nil {
		panic(err)
	}
}

// ending tells whether the process that has written its pid into a file has ended, but for threads that have yet to hear
// of it.
func ending(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && !alive(pid)
}

// address is what net.Listen takes.
func (s *service) address() (network, address string) {
	if path, found := strings.CutPrefix(s.listen, "unix:"); found {
		os.Remove(path) // of the run before: Go leaves it when the process is ended
		return "unix", path
	}
	if s.listen != "" {
		return "tcp", s.listen
	}
	return "tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))
}

func (s *service) notify() {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("READY=1")); err != nil {
		panic(err)
	}
}

func (s *service) die(status int) {
	fmt.Fprintf(os.Stderr, "%s: %s %s\n", s.name, lastWords, secret)
	os.Exit(status)
}

// stop handles SIGTERM: it notes what it cut and exits, as a service without graceful shutdown would. That shows any
// request that the engine let it cut.
func (s *service) stop(terms <-chan os.Signal) {
	for range terms {
		s.mu.Lock()
		term := event{What: "term", Active: s.active}
		if !s.lastUse.IsZero() {
			term.Idle = time.Since(s.lastUse)
		}
		s.mu.Unlock()
		s.record(term)
		if s.stubborn {
			continue
		}
		if s.closes {
			s.mu.Lock()
			s.listener.Close()
			s.mu.Unlock()
		}
		s.pass(s.stopGate)
		s.record(event{What: "exit"})
		os.Exit(0)
	}
}

// fork starts a process that does nothing and never ends by itself. Detached, it leaves the session, as a daemon does, so
// that a signal to the group misses it, and it is deaf to SIGTERM.
func (s *service) fork(kind string, detached bool) {
	args := []string{"-name=" + s.name + "-" + kind, "-mute", "-stubborn=" + strconv.FormatBool(detached)}
	self, _ := os.Executable()
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: detached}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// pass waits until the test opens the gate once: a FIFO in the records folder, of which it takes one byte.
func (s *service) pass(gate string) {
	if gate == "" {
		return
	}
	f, err := os.Open(gatePath(gate))
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		panic(err)
	}
}

// unlock opens a gate.
func (s *service) unlock(gate string) {
	if gate == "" {
		return
	}
	if err := os.WriteFile(gatePath(gate), []byte{1}, 0); err != nil {
		panic(err)
	}
}

func gatePath(gate string) string { return filepath.Join(os.Getenv(recordsFolder), gate+".gate") }

// record appends to the file of the service. One write with O_APPEND is not mixed with those of other processes.
func (s *service) record(e event) {
	e.Pid, e.Run = os.Getpid(), os.Getenv("DYNAPM_RUN")
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(filepath.Join(os.Getenv(recordsFolder), s.name+".events"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}
