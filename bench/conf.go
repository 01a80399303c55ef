package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// terms are the conditions of a scenario that every contender is configured for in its own way.
type terms struct {
	files    int  // that a process may have open; 0: as many as the machine allows
	services int  // before the backend, each with a host of its own; 0 is one
	splice   bool // large bodies: HAProxy splices, and nginx has buffers for them
	stream   bool // bodies and events: fasthttp does not collect them
	cold     bool // a gateway that starts services has those of the cold starts too
	prompt   bool // events: HAProxy does not wait for more to send along with them
}

// engineConf has services as users have them, which are awake: a request takes a lease of its run's gate. A service is a
// process that does nothing, since the backend is there already; the way to it is a target. Everything else is left at
// its default.
func engineConf(t terms, listen, admin, backend netip.AddrPort) string {
	var text strings.Builder
	fmt.Fprintf(&text, "listen: %s\nstateDir: state\nadminApi: {port: %d}\nservices:\n", listen, admin.Port())
	for at, host := range t.hosts() {
		fmt.Fprintf(&text, `  bench%d:
    run: [sleep, 1d]
    healthCheck: {type: none}
    idleTimeout: 6h
    routes: [{type: host, value: %s, target: "http://%s"}]
`, at, host, backend)
	}
	return text.String()
}

// nginxConf keeps connections to the backend, for ever like the others, and logs no requests. Bodies are passed on as
// they come: with nginx's defaults they would go through files. The X-Forwarded-* fields are those the engine sends.
// Each of several workers has a listening socket of its own (reuseport), or one of them would take most connections.
func nginxConf(workers int, t terms, listen, backend netip.AddrPort) string {
	user, reuseport, extra := "", " backlog=4096", ""
	if t.splice {
		extra = "    proxy_buffer_size 64k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k; client_body_buffer_size 512k;\n"
	}
	if os.Geteuid() == 0 {
		user = "user root;\n" // or the workers could not enter the directory
	}
	if workers > 1 {
		reuseport += " reuseport"
	}
	var servers strings.Builder
	for at, host := range t.hosts() {
		if at > 0 {
			reuseport = "" // it is the socket's, not the server's
		}
		fmt.Fprintf(&servers, nginxServer, at, backend, listen, reuseport, host, at)
	}
	return user + fmt.Sprintf(`worker_processes %d;
worker_rlimit_nofile %d;
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections %d; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    tcp_nodelay on;
    keepalive_timeout 10m;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    server_names_hash_bucket_size 64;
%s%s}
`, workers, t.files, t.files, extra, servers.String())
}

// nginxServer is a host and its backend: number, backend, listen, backlog, host, number.
const nginxServer = `    upstream backend%d {
        server %s;
        keepalive 512;
        keepalive_requests 1000000000;
        keepalive_timeout 10m;
    }
    server {
        listen %s%s;
        server_name %s;
        location / {
            proxy_pass http://backend%d;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_read_timeout 10m;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }
    }
`

// haproxyConf lets any client's request use any connection to the backend, which for one trusted backend is the most
// HAProxy can do for speed.
func haproxyConf(threads int, t terms, listen, backend netip.AddrPort) string {
	extra, connections := "", t.files*3/5 // more than if each had a socket at the backend, hence no strict-limits
	if t.prompt {
		extra = "    option http-no-delay\n"
	}
	if t.splice {
		connections = 1000 // each may need a pipe as well
		extra += "    option splice-request\n    option splice-response\n"
	}
	var rules, backends strings.Builder
	for at, host := range t.hosts() {
		if at > 0 {
			fmt.Fprintf(&rules, "    use_backend backend%d if { req.hdr(host) %s }\n", at, host)
		}
		fmt.Fprintf(&backends, "backend backend%d\n    server backend %s pool-max-conn 512\n", at, backend)
	}
	return fmt.Sprintf(`global
    nbthread %d
    no strict-limits
    ulimit-n %d
    maxconn %d
defaults
    mode http
    timeout connect 5s
    timeout client 10m
    timeout server 10m
    timeout http-keep-alive 10m
    timeout http-request 10s
    http-reuse always
%sfrontend bench
    bind %s backlog 4096
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %%[req.hdr(host)]
%s    default_backend backend0
%s`, threads, t.files, connections, extra, listen, rules.String(), backends.String())
}

// caddyConf: Caddy sends the X-Forwarded-* fields by itself. It passes events on at once, as its default is, and its
// pool of connections to the backend is as large as nginx's.
func caddyConf(t terms, listen, backend netip.AddrPort) string {
	var sites strings.Builder
	if t.services < 2 {
		fmt.Fprintf(&sites, caddySite, "", listen.Port(), listen.Addr(), backend)
	} else {
		for _, host := range t.hosts() {
			fmt.Fprintf(&sites, caddySite, host, listen.Port(), listen.Addr(), backend)
		}
	}
	return `{
	admin off
	auto_https off
	log {
		level ERROR
	}
	servers {
		protocols h1
		timeouts {
			idle 10m
		}
	}
}
` + sites.String()
}

// caddySite is a host and its backend: host, port, address, backend.
const caddySite = `http://%s:%d {
	bind %s
	reverse_proxy %s {
		transport http {
			keepalive 10m
			keepalive_idle_conns 1024
			keepalive_idle_conns_per_host 512
			compression off
		}
	}
}
`
