// Command bench measures what the gateway costs beside other proxies, on the machine it is run on:
//
//	make bench-proxy                                     everything, seven rounds
//	make bench-cold                                      the cold starts alone
//	make bench-quick                                     small at 50 connections and 20 cold starts, without the proxies made of
//	                                                     Go packages, in about a minute: what CI runs
//	make bench                                           the Go micro-benchmarks of the tree, then everything, in half an hour
//	make bench-results                                   keep what that has measured, as RESULTS.md and results.json
//	make bench-compare BASE=main                         the micro-benchmarks beside those of another commit
//	go run ./bench -scenario small -rounds 3             one scenario, quicker
//	go run ./bench -only dynapm,nginx-1,direct           some contenders
//	go run ./bench -engine OTHER/bin/dynapm              an engine built elsewhere
//	go run ./bench -beside OTHER/bin/dynapm              that one in the same rounds, to see what a change does
//
// # Who takes part
//
// The engine, built from the tree, with its defaults: header rules, leases, timers, caps and counters, for a service
// that is awake. nginx with one worker and with two, and HAProxy with one thread and with two, and Caddy, as Debian
// packages them; one that is not installed ends the run, or is named in its report (-incomplete). A proxy made of
// net/http and one made of fasthttp, to show what is usual in Go. And no proxy at all, to show what a proxy adds.
//
// Two gateways that start services as ours does are measured if they are given, and else named in the report:
//
//	DYNAPM_NODE=DIRECTORY  the DynaPM of Node, as its package is laid out (dist/src/index.js, package.json); node is needed
//	SABLIER=PROGRAM        Sablier, behind nginx, which asks its blocking strategy; a Docker daemon has to answer. It starts
//	                       containers, so it has a case of its own among the cold starts, in which all start the same one
//
// The first forwards neither Host nor X-Forwarded-*, so it has less to do than the others, and it is judged by nobody.
// Sablier is told to look for a container every 10 ms; it does every 5 s unless told. A container without a health check,
// which Docker makes once a second at most, is there for it as soon as it runs: a request that comes before the service
// listens is answered with 502, and counted.
//
// All of them stand before one backend (backend.go), a process of its own that does as little as it can, and are asked by
// one generator (load.go), which is a single thread. What they forward is compared before anything is measured: they add
// the same X-Forwarded-* fields, keep Host, and speak HTTP/1.1 over connections that they keep (conf.go).
//
// # What is measured
//
//	small     a fixed number of small GETs over 1, 50 and 200 keep-alive connections: CPU, latency, requests per second
//	newconn   a connection for each request, asked for in the two ways in which clients do: CPU
//	large     bodies of 100 MB, to the client and from it, HAProxy with its splicing on: CPU per gigabyte
//	memory    one service and a hundred, each asked for: resident memory of those who can have as many hosts
//	idle      10,000 keep-alive connections that have had one request: growth of resident memory, and all of it
//	sse       10,000 streams of server-sent events, one a second (4,000 where the files may not be opened): memory, lateness
//	quiet     a minute in which nothing is asked: CPU
//	cold      a request to a service that sleeps: time to the first byte beyond that of the same command without a gateway;
//	          of an application of Node, and of a container, as well
//
// # Why it is fair
//
// Speed on a shared machine is a matter of the moment. So the number of requests is fixed and not the time; what counts
// is the CPU that the processes of a contender take for it, all of them (workers, threads, the keeper), from their CPU
// clocks, which have nanoseconds where /proc/PID/stat has ticks of 10 ms. Contenders take turns within each round, in
// orders of which each has each contender at another place and after another one. A ratio is taken within each round,
// against the best of all variants of nginx, HAProxy and Caddy by its median, and the median of the ratios is what
// counts; least and most are shown beside it.
//
// Every reply is checked: its status, its length, its body. What is wrong is counted by kind and shown under the table. To
// answer with an error is less work, so a peer of which more than one request in a hundred went wrong is nobody to be
// compared with, and nothing is met by ours if any did. A peer that does not come up, or ends, is said to have failed, and
// the run goes on without it; without ours it does not.
//
// What is not fair, and cannot be: the generator and the backend share the machine's cores with the contender, so
// requests per second and latency say how all of them together do on this machine. Memory is what the processes have:
// all of it, each process counted for itself, as ps does; and what is their own, without the pages of programs and
// libraries, and with what several share counted once. The kernel's part of a socket is not in it, and is alike for
// all. What a server takes for all connections when it starts, as nginx does, is not in the growth for each, but in the
// memory in all. On a machine that is busy with other work figures scatter, CPU too (caches and batches are smaller);
// the report says how busy it was.
//
// A cold start is compared with the command started directly, by this program and in the same form, while the same
// client makes the same GET every 100 us until it is answered; both take turns, 210 times for most forms, and the
// median is that of the differences within each turn. Of the slowest in a hundred there are two figures: by how much
// the 99th percentile of all starts lies over that of the direct ones, which is what has to be met, and the 99th
// percentile of the differences within a turn, which is as much about quick direct starts as about slow ones of the
// gateway. The shell loop beside them is what people write without a gateway: the command, and a client that is run
// every 10 ms (this program, which takes longer to come up than curl). The service is as little as a Go program can be
// (coldserver). The CPU of a start is the engine's, and beside it the keeper's, with the 60 ms after the reply in it,
// for the log and the store; that of the stop which follows is told apart. The CPU of a direct start is the service's own,
// which is what the others are to be seen beside: a machine that is slow at running programs is so for all.
//
// The client of the direct start asks every 100 us, and has to share the cores with what it waits for. On a busy
// machine a gateway may seem to be quicker than no gateway. So a figure below -1 ms, and all of a scenario that begins on
// a machine whose load is above its cores, is "met, disturbed" at best.
//
// Each scenario can be made smaller (-scale) or repeated more often (-rounds): many short rounds even out a noisy machine
// better than few long ones.
//
// # Against another commit
//
// bench-compare builds the benchmarks of both trees and runs them in turns; benchstat compares. It fails if the geometric
// mean of all that both have is slower by more than 5% and that is no chance; one that is faster, or a single benchmark
// that scatters, fails nothing. The mean is taken in each round, so that benchstat can say how sure it is of it.
// Benchmarks that wait for the disk or start processes are left out. What was measured stays in bench/report, also when a
// round goes wrong or is broken off: then what is said is of the rounds before it, and nothing passes.
//
// # The files
//
//	main.go, machine.go            the command line, what the run was made on
//	contenders.go, conf.go         who takes part, and how each is configured
//	site.go                        where they run: a temporary directory, one backend; that they do the same work
//	node.go, sablier.go            the gateways that are measured if they are given
//	peers.go                       the proxies made of Go packages; they and the backend are this program under another name
//	process.go, procfs.go          starting and ending processes; their CPU and memory
//	backend.go, streams.go         the backend
//	epoll.go, bytes.go             what both ends need of the kernel and of HTTP
//	load.go, request.go            the closed loop of clients
//	listeners.go                   the clients that hold streams of events
//	coldcases.go                   services that are started for one request
//	coldgateway.go, coldstart.go   by a gateway, and without it
//	coldtimes.go                   what becomes of the starts
//	scenarios.go                   the order of a run; small.go, fresh.go and so on are one scenario each
//	stats.go, result.go            from samples to medians and ratios
//	judge.go, report.go            verdicts and tables
//	micro.go                       the micro-benchmarks
//	tool.go                        programs that are asked to end when a run is broken off
//	compare.go, verdict.go         those of two commits, in turns; which is slower
//	markdown.go                    the report as files: JSON for programs, with the version of its form, and Markdown
//	results.go, published.go       the last whole run, which is kept in the tree, beside what DynaPM publishes of itself
package main
