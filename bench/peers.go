package main

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// roleSwitch is the environment variable that makes this program one of the processes of its own runs. The test binary
// heeds it too.
const roleSwitch = "DYNAPM_BENCH_ROLE"

// playRole is what the program does when it is to be something else than the bench. It serves until it is killed.
func playRole(args []string) error {
	switch role := os.Getenv(roleSwitch); role {
	case "backend":
		return runBackend(args)
	case "get":
		return runGet(args)
	case "nethttp":
		return runNetHTTP(args)
	case "fasthttp":
		return runFastHTTP(args)
	default:
		return errors.New("no such role: " + role)
	}
}

// keptConnections to the backend are as many as a peer may have use for.
const keptConnections = 16384

// runNetHTTP is the proxy of the standard library: LISTEN BACKEND.
func runNetHTTP(args []string) error {
	if len(args) != 2 {
		return errors.New("the proxy wants its address and the backend's")
	}
	backend := &url.URL{Scheme: "http", Host: args[1]}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			MaxIdleConns:        keptConnections,
			MaxIdleConnsPerHost: keptConnections,
			DisableCompression:  true,
		},
	}
	server := &http.Server{Addr: args[0], Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// runFastHTTP is a proxy as people write it with fasthttp: LISTEN BACKEND [stream].
func runFastHTTP(args []string) error {
	if len(args) < 2 {
		return errors.New("the proxy wants its address and the backend's")
	}
	stream := len(args) > 2 && args[2] == "stream"
	backend := &fasthttp.HostClient{
		Addr:                          args[1],
		MaxConns:                      keptConnections,
		MaxIdleConnDuration:           10 * time.Minute,
		StreamResponseBody:            stream,
		DisableHeaderNamesNormalizing: true,
		DisablePathNormalizing:        true,
		NoDefaultUserAgentHeader:      true,
	}
	server := &fasthttp.Server{
		Handler:                       func(ctx *fasthttp.RequestCtx) { forwardFast(ctx, backend, stream) },
		StreamRequestBody:             stream,
		MaxRequestBodySize:            1 << 30,
		DisableHeaderNamesNormalizing: true,
		NoDefaultServerHeader:         true,
		NoDefaultDate:                 true,
	}
	return server.ListenAndServe(args[0])
}

func forwardFast(ctx *fasthttp.RequestCtx, backend *fasthttp.HostClient, stream bool) {
	head := &ctx.Request.Header
	host := head.Host()
	head.Del("Connection")
	client := ctx.RemoteIP().String()
	if before := head.Peek("X-Forwarded-For"); len(before) > 0 {
		client = string(before) + ", " + client
	}
	head.Set("X-Forwarded-For", client)
	head.Set("X-Forwarded-Proto", "http")
	head.SetBytesV("X-Forwarded-Host", host)
	ctx.Request.UseHostHeader = true
	closing := ctx.Request.ConnectionClose()
	ctx.Request.Header.ResetConnectionClose()
	ctx.Response.ImmediateHeaderFlush = stream
	if err := backend.Do(&ctx.Request, &ctx.Response); err != nil {
		ctx.Error("bad gateway", fasthttp.StatusBadGateway)
	}
	ctx.Response.Header.Del("Connection")
	if closing {
		ctx.SetConnectionClose()
	}
}
