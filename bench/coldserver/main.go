// Command coldserver is the service of the cold starts: ADDRESS [DELAY]. It is as little as a Go program can be, so that
// what is measured is not how long it takes to come up: it listens, after DELAY if there is one, and answers whoever
// connects, one after the other.
package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	if len(os.Args) > 2 {
		delay, err := time.ParseDuration(os.Args[2])
		check(err)
		time.Sleep(delay)
	}
	_, text, _ := strings.Cut(os.Args[1], ":")
	port, err := strconv.Atoi(text)
	check(err)
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.SetsockoptInt(listener, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	check(syscall.Bind(listener, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	check(syscall.Listen(listener, 128))
	for {
		if conn, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC); err == nil {
			answer(conn)
		}
	}
}

// answer takes a head of one segment, which is what its clients send; one that connects and leaves is a check.
func answer(conn int) {
	defer syscall.Close(conn)
	var head [4096]byte
	if n, err := syscall.Read(conn, head[:]); err == nil && n > 0 {
		syscall.Write(conn, []byte(reply))
	}
}

func check(err error) {
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
}
