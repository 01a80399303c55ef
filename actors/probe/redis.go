package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// maxRedisLine is more than any reply to these commands takes.
const maxRedisLine = 1 << 10

// tryRedis sends PING to each address that listens.
func (w *waiter) tryRedis(ctx context.Context) error {
	return w.tryTalk(ctx, func(_ context.Context, conn net.Conn, door string) error {
		in := bufio.NewReaderSize(conn, maxRedisLine)
		if w.check.Password != "" {
			if err := w.redisCommand(conn, in, door, "+OK", "AUTH", w.check.Password); err != nil {
				return err
			}
		}
		return w.redisCommand(conn, in, door, "+PONG", "PING")
	})
}

// redisCommand sends one command and wants one reply. The words of an error (NOAUTH, LOADING, WRONGPASS) are
// for people.
func (w *waiter) redisCommand(conn net.Conn, in *bufio.Reader, door, want string, words ...string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(words))
	for _, word := range words {
		out.WriteString("$" + strconv.Itoa(len(word)) + "\r\n" + word + "\r\n")
	}
	if _, err := io.WriteString(conn, out.String()); err != nil {
		return w.noReply(door, words[0], err)
	}
	line, err := in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return w.noReply(door, words[0], err)
	}
	if got := strings.TrimRight(string(line), "\r\n"); got != want {
		return fmt.Errorf("%s answered %s with %q, want %q", door, words[0], got, want)
	}
	return nil
}
