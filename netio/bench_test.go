package netio

import (
	"strings"
	"testing"
)

// curlHead is what curl 8 sends for a plain GET.
var curlHead = crlf(`GET /index.html?q=1 HTTP/1.1
Host: hello.localhost:3000
User-Agent: curl/8.5.0
Accept: */*

`)

// browserHead is what Chromium sends for a page.
var browserHead = crlf(`GET /dashboards/overview?from=now-6h&to=now&refresh=30s HTTP/1.1
Host: grafana.example.com
Connection: keep-alive
Cache-Control: max-age=0
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8
Referer: http://grafana.example.com/
Accept-Encoding: gzip, deflate
Accept-Language: en-GB,en;q=0.9,de;q=0.8
Cookie: session=3f1c9a0b7d5e4f6a8b9c0d1e2f3a4b5c; theme=dark

`)

// nodeHead is what an Express application answers.
var nodeHead = crlf(`HTTP/1.1 200 OK
X-Powered-By: Express
Content-Type: text/html; charset=utf-8
Content-Length: 1234
ETag: W/"4d2-8LEMNFUxgrS8H9jK1hhPfVJ3kxI"
Date: Sun, 23 Nov 2025 06:15:00 GMT
Connection: keep-alive
Keep-Alive: timeout=5

`)

var oneForward = forward{clientIP: []byte("192.0.2.17"), proto: "http"}

// crlf makes wire bytes of a text written with plain newlines.
func crlf(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

func BenchmarkCurlRequest(b *testing.B)    { benchmarkRequest(b, curlHead) }
func BenchmarkBrowserRequest(b *testing.B) { benchmarkRequest(b, browserHead) }

func benchmarkRequest(b *testing.B, in []byte) {
	var r request
	dst := make([]byte, 0, maxHead)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := parseRequest(in, &r); n != len(in) || err != nil {
			b.Fatal(n, err)
		}
		dst = r.appendTo(dst[:0], &oneForward)
	}
}

func BenchmarkParseBrowserRequest(b *testing.B) {
	var r request
	b.SetBytes(int64(len(browserHead)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := parseRequest(browserHead, &r); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkNodeResponse(b *testing.B) {
	var r response
	dst := make([]byte, 0, maxHead)
	b.SetBytes(int64(len(nodeHead)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := parseResponse(nodeHead, false, &r); n != len(nodeHead) || err != nil {
			b.Fatal(n, err)
		}
		dst = r.appendTo(dst[:0], &clientView{minor: 1, keepAlive: true})
	}
}

func BenchmarkChunks(b *testing.B) {
	body := []byte(strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 60) + "0\r\n\r\n")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var c chunkReader
		if n, done, err := c.next(body); n != len(body) || !done || err != nil {
			b.Fatal(n, done, err)
		}
	}
}
