package config

import (
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEverythingGiven reads a config in which every key differs from its default.
func TestEverythingGiven(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "token", "s3cret\r\n")
	cfg := accept(t, "dynapm.yaml", `
host: localhost
port: 8080
stateDir: state
adminApi: {enabled: true, host: "::1", port: 0, authTokenFile: token, allowedIps: [10.0.0.0/8, "::1"]}
logging: {enableRequestLog: true}
trustedProxies: []
headTimeout: 1s
keepAliveTimeout: 2m
connectTimeout: 1h30m
writeTimeout: 1500
drainTimeout: 1.5s
maxConcurrentStarts: 3
services:
  "*.Example.com":
    name: wild
    run: [sh, -c, "exec x", 8000, true]
    base: HTTPS://[::1]
    tls: {serverName: App.Internal, insecureSkipVerify: true}
    idleTimeout: never
    startTimeout: 1m
    stopTimeout: 2m
    stopSignal: USR1
    drainTimeout: 3m
    responseTimeout: 4m
    maxPending: 7
    maxConcurrent: 2
    dependsOn: [shop]
    minUptime: 6m
    keepAwake: {websocket: false, sse: false}
    ignore: {userAgents: [UptimeRobot, bot/], paths: [/up, /robots.txt], status: 418, body: "fast asleep"}
    hostHeader: app.internal:81
    default: true
    env: {B: 2, A: x=y, A_: ""}
    logs: {maxSize: 3M, keep: 4}
    healthCheck: {type: http, url: "/up?a=b", method: HEAD, expectedStatus: 200-399, timeout: 100ms}
  shop:
    host: "[0::1]"
    path: /v1
    port: 5001
    routes:
      - {type: host, value: Shop.test, target: "http://backend.test"}
      - {type: path, value: /shop}
    base: unix:/run/shop.sock
    commands: {start: a | b, stop: c, check: d, cwd: /, env: {X: y}}
    healthCheck: {type: command, command: "true"}
`, dir)
	want := &Config{
		Listen: "127.0.0.1:8080", StateDir: dir + "/state",
		AdminAPI: AdminAPI{Enabled: true, Listen: "[::1]:0", AuthToken: "s3cret",
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		Logging:        Logging{EnableRequestLog: true},
		TrustedProxies: []netip.Prefix{},
		HeadTimeout:    time.Second, KeepAliveTimeout: 2 * time.Minute, ConnectTimeout: 90 * time.Minute,
		MaxConcurrentStarts: 3, WriteTimeout: 1500 * time.Millisecond, DrainTimeout: 1500 * time.Millisecond,
		Services: []Service{{
			Name: "wild", Key: "*.Example.com", Default: true,
			Routes:      []Route{{Kind: HostRoute, Host: "*.example.com"}},
			Base:        &Base{Scheme: "https", Host: "::1", Port: 443, Raw: "HTTPS://[::1]"},
			TLS:         TLS{ServerName: "app.internal", InsecureSkipVerify: true},
			Run:         &Run{[]string{"sh", "-c", "exec x", "8000", "true"}},
			Cwd:         dir,
			Env:         []string{"A=x=y", "A_=", "B=2"},
			Logs:        Logs{3 << 20, 4},
			IdleTimeout: 0, MinUptime: 6 * time.Minute, DependsOn: []string{"shop"}, StartTimeout: time.Minute, StopTimeout: 2 * time.Minute, DrainTimeout: 3 * time.Minute,
			ResponseTimeout: 4 * time.Minute, StopSignal: syscall.SIGUSR1, MaxPending: 7, MaxConcurrent: 2, HostHeader: "app.internal:81",
			Ignore: Ignore{[]string{"uptimerobot", "bot/"}, []string{"/up", "/robots.txt"}, 418, "fast asleep"},
			HealthCheck: HealthCheck{Type: "http", URL: "https://[::1]:443/up?a=b", Method: "HEAD", StatusMin: 200, StatusMax: 399,
				Timeout: 100 * time.Millisecond},
		}, {
			Name: "shop", Key: "shop",
			Routes: []Route{
				{Kind: HostRoute, Host: "::1", Path: "/v1"},
				{Kind: PortRoute, Port: 5001},
				{Kind: HostRoute, Host: "shop.test", Target: &Base{Scheme: "http", Host: "backend.test", Port: 80, Raw: "http://backend.test"}},
				{Kind: PathRoute, Path: "/shop"},
			},
			Base:        &Base{Scheme: "http", Unix: "/run/shop.sock", Raw: "unix:/run/shop.sock"},
			Commands:    &Commands{Start: "a | b", Stop: "c", Check: "d"},
			Cwd:         "/",
			Env:         []string{"X=y"},
			Logs:        Logs{10 << 20, 1},
			IdleTimeout: 5 * time.Minute, StartTimeout: 30 * time.Second, StopTimeout: 10 * time.Second,
			DrainTimeout: 1500 * time.Millisecond, ResponseTimeout: 30 * time.Second, StopSignal: syscall.SIGTERM, MaxPending: 1024, HostHeader: "client",
			KeepAwake: KeepAwake{true, true},
			HealthCheck: HealthCheck{Type: "command", URL: "/", Method: "GET", StatusMin: 200, StatusMax: 200, Command: "true",
				Timeout: 5 * time.Second},
		}},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

// TestDefaults reads the smallest config.
func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	cfg := accept(t, "dynapm.json", `{"services": {"blog": {"run": "node server.js"}}}`, dir)
	want := &Config{
		Listen: "127.0.0.1:3000", StateDir: dir + "/.dynapm",
		AdminAPI:       AdminAPI{Enabled: true, Listen: "127.0.0.1:4000"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		HeadTimeout:    10 * time.Second, KeepAliveTimeout: 75 * time.Second, ConnectTimeout: 5 * time.Second,
		WriteTimeout: time.Minute, DrainTimeout: 5 * time.Second,
		Services: []Service{{
			Name: "blog", Key: "blog",
			Routes: []Route{{Kind: HostRoute, Host: "blog"}, {Kind: HostRoute, Host: "blog.localhost"}},
			Run:    &Run{[]string{"node", "server.js"}}, Cwd: dir, Logs: Logs{10 << 20, 1},
			IdleTimeout: 5 * time.Minute, StartTimeout: 30 * time.Second, StopTimeout: 10 * time.Second,
			DrainTimeout: 5 * time.Second, ResponseTimeout: 30 * time.Second, StopSignal: syscall.SIGTERM, MaxPending: 1024, HostHeader: "client",
			KeepAwake:   KeepAwake{true, true},
			HealthCheck: HealthCheck{Type: "tcp", URL: "/", Method: "GET", StatusMin: 200, StatusMax: 200, Timeout: 5 * time.Second},
		}},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestRoutesOfAService(t *testing.T) {
	for service, want := range map[string][]Route{
		`blog: {}`:                                 {{Kind: HostRoute, Host: "blog"}, {Kind: HostRoute, Host: "blog.localhost"}},
		`blog.test: {}`:                            {{Kind: HostRoute, Host: "blog.test"}},
		`Blog: {}`:                                 {{Kind: HostRoute, Host: "blog"}, {Kind: HostRoute, Host: "blog.localhost"}},
		`blog: {host: a.test}`:                     {{Kind: HostRoute, Host: "a.test"}},
		`blog: {host: a.test, path: /}`:            {{Kind: HostRoute, Host: "a.test", Path: "/"}},
		`blog: {path: /v1}`:                        {{Kind: PathRoute, Path: "/v1"}},
		`blog: {port: 80}`:                         {{Host: "blog"}, {Host: "blog.localhost"}, {Kind: PortRoute, Port: 80}},
		`blog: {port: 80, path: /v1}`:              {{Kind: PathRoute, Path: "/v1"}, {Kind: PortRoute, Port: 80}},
		`blog: {host: a.test, port: 80}`:           {{Kind: HostRoute, Host: "a.test"}, {Kind: PortRoute, Port: 80}},
		`blog: {routes: []}`:                       {{Kind: HostRoute, Host: "blog"}, {Kind: HostRoute, Host: "blog.localhost"}},
		`blog: {routes: [{type: port, value: 8}]}`: {{Kind: PortRoute, Port: 8}},
		`"*.test": {name: t, default: true}`:       {{Kind: HostRoute, Host: "*.test"}},
		`a..b: {default: true}`:                    nil,
	} {
		src := "services:\n  " + strings.Replace(service, "{", "{run: x, ", 1)
		if got := accept(t, "dynapm.yaml", src, t.TempDir()).Services[0].Routes; !reflect.DeepEqual(got, want) {
			t.Errorf("%s answers to %+v, want %+v", service, got, want)
		}
	}
}

func TestRunIsWordsOrShell(t *testing.T) {
	shell := func(s string) []string { return []string{"/bin/sh", "-c", s} }
	for line, want := range map[string][]string{
		"node server.js":                   {"node", "server.js"},
		"  ./a\t-b  --c-d /e:f,g@h+1.0%_ ": {"./a", "-b", "--c-d", "/e:f,g@h+1.0%_"},
		"dänisch größe":                    {"dänisch", "größe"},
		"node server.js --port=$PORT":      shell("node server.js --port=$PORT"),
		"A=b node server.js":               shell("A=b node server.js"),
		"node --port=1":                    shell("node --port=1"),
		"a 'b c'":                          shell("a 'b c'"),
		`a "b"`:                            shell(`a "b"`),
		`a \b`:                             shell(`a \b`),
		"a; b":                             shell("a; b"),
		"a & b":                            shell("a & b"),
		"a | b":                            shell("a | b"),
		"a < b":                            shell("a < b"),
		"a > b":                            shell("a > b"),
		"(a)":                              shell("(a)"),
		"a *.txt":                          shell("a *.txt"),
		"a b?":                             shell("a b?"),
		"a [b]":                            shell("a [b]"),
		"a {b,c}":                          shell("a {b,c}"),
		"a ~/b":                            shell("a ~/b"),
		"a `b`":                            shell("a `b`"),
		"a # b":                            shell("a # b"),
		"a !b":                             shell("a !b"),
		"a ^b":                             shell("a ^b"),
		"a\nb":                             shell("a\nb"),
		"exec node server.js":              shell("exec node server.js"),
		"cd /tmp":                          shell("cd /tmp"),
		" . ./env":                         shell(" . ./env"),
		"exec.sh now":                      {"exec.sh", "now"},
		"":                                 nil,
		" \t\n":                            nil,
	} {
		if got := splitRun(line); !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %q, want %q", line, got, want)
		}
	}
}

func TestVariables(t *testing.T) {
	for s, want := range map[string]string{
		"${WORD}":                     "blog",
		"a${WORD}b${PORT}c":           "ablogb5001c",
		"${EMPTY}":                    "",
		"${EMPTY:-x}":                 "x",
		"${NOTHING:-}":                "",
		"${NOTHING:-a b:-c}":          "a b:-c",
		"${WORD:-x}":                  "blog",
		"$${WORD}":                    "${WORD}",
		"$$${WORD}":                   "$${WORD}",
		"$WORD $$ $(x) $! $":          "$WORD $$ $(x) $! $",
		"$${a} ${WORD} $${b:-${PORT}": "${a} blog ${b:-5001",
	} {
		got, _, err := expand(s, environmentOfTests)
		if err != nil || got != want {
			t.Errorf("%q gives %q, %v, want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"${", "${}", "${ WORD}", "${1}", "${WORD-x}", "${WORD:=x}", "${#WORD}", "${!WORD}", "${NOTHING}", "a ${WORD", "${W:-${X}}"} {
		if got, _, err := expand(s, environmentOfTests); err == nil {
			t.Errorf("%q gives %q, want an error", s, got)
		}
	}
}

// TestVariablesBringNoSyntax: what a variable holds is a value and never more of the config.
func TestVariablesBringNoSyntax(t *testing.T) {
	hostile, _ := environmentOfTests("HOSTILE")
	for file, src := range map[string]string{
		"dynapm.yaml": "services:\n  blog: {run: [echo, \"${HOSTILE}\"]}",
		"dynapm.json": `{"services": {"blog": {"run": ["echo", "${HOSTILE}"]}}}`,
	} {
		cfg := accept(t, file, src, t.TempDir())
		if len(cfg.Services) != 1 || !reflect.DeepEqual(cfg.Services[0].Run.Argv, []string{"echo", hostile}) {
			t.Errorf("%s gives %+v", file, cfg.Services)
		}
	}
}

func TestVariablesStandForOtherKinds(t *testing.T) {
	cfg := accept(t, "dynapm.json", `{"services": {"blog": {"port": "${PORT}", "default": "${YES}", "idleTimeout": "${HALF}0",
		"healthCheck": {"type": "${KIND:-http}", "expectedStatus": "${STATUS:-204}"}, "run": "${DYNAPM} ${WORD}"}}}`, t.TempDir())
	s := cfg.Services[0]
	if s.Routes[len(s.Routes)-1].Port != 5001 || !s.Default || s.IdleTimeout != 5*time.Second || s.HealthCheck.StatusMin != 204 {
		t.Errorf("got %+v", s)
	}
	if want := []string{"/usr/bin/dynapm", "blog"}; !reflect.DeepEqual(s.Run.Argv, want) {
		t.Errorf("run is %q, want %q", s.Run.Argv, want)
	}
}

func TestMergeKeys(t *testing.T) {
	cfg := accept(t, "dynapm.yaml", `
services:
  a: &a {run: x, idleTimeout: 1s, stopTimeout: 1s}
  b: &b {<<: *a, idleTimeout: 2s, startTimeout: 2s}
  c: {startTimeout: 3s, <<: [*b, *a]}
`, t.TempDir())
	var got [][3]time.Duration
	for _, s := range cfg.Services {
		got = append(got, [3]time.Duration{s.IdleTimeout / time.Second, s.StopTimeout / time.Second, s.StartTimeout / time.Second})
	}
	if want := [][3]time.Duration{{1, 1, 30}, {2, 1, 2}, {2, 1, 3}}; !reflect.DeepEqual(got, want) {
		t.Errorf("idle, stop and start timeouts are %v, want %v", got, want)
	}
}

func TestNearest(t *testing.T) {
	keys := names(serviceKeys)
	for word, want := range map[string]string{
		"idleTimout": "idleTimeout", "IDLETIMEOUT": "idleTimeout", "prot": "port", "hots": "host", "comands": "commands",
		"proxyonly": "proxyOnly", "rnu": "run", "x": "", "": "", "dependencies": "", strings.Repeat("run", 1000): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%.20q: got %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abcd", "abdc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
