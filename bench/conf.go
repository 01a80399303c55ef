package main

import (
	"fmt"
	"net/netip"
	"os"
)

// terms are the conditions of a scenario that every contender is configured for in its own way.
type terms struct {
	files  int  // that a process may have open
	splice bool // large bodies: HAProxy splices
	stream bool // bodies and events: fasthttp does not collect them
	cold   bool // the engine has the services of the cold starts too
	prompt bool // events: HAProxy does not wait for more to send along with them
}

// engineConf has one service as users have it, which is awake: a request takes a lease of its run's gate. The service is
// a process that does nothing, since the backend is there already; the way to it is a target. Everything else is left at
// its default.
func engineConf(listen, admin, backend netip.AddrPort) string {
	return fmt.Sprintf(`listen: %s
stateDir: state
adminApi: {port: %d}
services:
  bench:
    run: [sleep, 1d]
    healthCheck: {type: none}
    idleTimeout: 6h
    routes: [{type: host, value: bench.test, target: "http://%s"}]
`, listen, admin.Port(), backend)
}

// nginxConf keeps connections to the backend, for ever like the others, and logs no requests. Bodies are passed on as
// they come: with nginx's defaults they would go through files. The X-Forwarded-* fields are those the engine sends.
// Each of several workers has a listening socket of its own (reuseport), or one of them would take most connections.
func nginxConf(workers int, t terms, listen, backend netip.AddrPort) string {
	user, reuseport := "", ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // or the workers could not enter the directory
	}
	if workers > 1 {
		reuseport = " reuseport"
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
    upstream backend {
        server %s;
        keepalive 512;
        keepalive_requests 1000000000;
        keepalive_timeout 10m;
    }
    server {
        listen %s backlog=4096%s;
        location / {
            proxy_pass http://backend;
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
}
`, workers, t.files, t.files, backend, listen, reuseport)
}

// haproxyConf lets any client's request use any connection to the backend, which for one trusted backend is the most
// HAProxy can do for speed.
func haproxyConf(threads int, t terms, listen, backend netip.AddrPort) string {
	more, connections := "", t.files*3/5 // more than if each had a socket at the backend, hence no strict-limits
	if t.prompt {
		more = "    option http-no-delay\n"
	}
	if t.splice {
		connections = 1000 // each may need a pipe as well
		more += "    option splice-request\n    option splice-response\n"
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
    default_backend backend
backend backend
    server backend %s pool-max-conn 512
`, threads, t.files, connections, more, listen, backend)
}

// caddyConf: Caddy sends the X-Forwarded-* fields by itself. It passes events on at once, as its default is, and its
// pool of connections to the backend is as large as nginx's.
func caddyConf(listen, backend netip.AddrPort) string {
	return fmt.Sprintf(`{
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
http://:%d {
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
`, listen.Port(), listen.Addr(), backend)
}
