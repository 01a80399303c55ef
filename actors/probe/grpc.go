package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// The gRPC health checking protocol in its smallest form: one call of
// grpc.health.v1.Health/Check in plain HTTP/2, which net/http speaks. The two
// messages have one field each, so they are written and read here.

const (
	grpcHealthPath = "/grpc.health.v1.Health/Check"
	// maxGRPCReply is more than the message, and what a server of another kind
	// may say instead, takes.
	maxGRPCReply = 4 << 10
)

// servingStatus are the values of HealthCheckResponse.ServingStatus.
var servingStatus = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = 1

// tryGRPC asks each address that listens.
func (w *waiter) tryGRPC(ctx context.Context) error { return w.tryTalk(ctx, w.askGRPC) }

func (w *waiter) askGRPC(ctx context.Context, conn net.Conn, door string) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+hostOf(door)+grpcHealthPath,
		bytes.NewReader(grpcRequest(w.check.Service)))
	if err != nil {
		return fmt.Errorf("cannot check: %w", err)
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return w.noHealth(door, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxGRPCReply))
	if err != nil {
		return w.noHealth(door, err)
	}
	return judgeGRPC(door, answer, body)
}

func (w *waiter) noHealth(door string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return w.noReply(door, "a health check by gRPC", err)
}

// judgeGRPC wants SERVING. The status of the call is in the trailer, or in the
// header of an answer without a body.
func judgeGRPC(door string, answer *http.Response, body []byte) error {
	code, message := answer.Trailer.Get("Grpc-Status"), answer.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = answer.Header.Get("Grpc-Status"), answer.Header.Get("Grpc-Message")
	}
	switch {
	case answer.StatusCode != http.StatusOK, code == "":
		return fmt.Errorf("%s does not speak gRPC: it answered %d", door, answer.StatusCode)
	case code == "12":
		return fmt.Errorf("%s has no health service (grpc.health.v1)", door)
	case code == "5":
		return fmt.Errorf("%s knows no service of that name: %q", door, message)
	case code != "0":
		return fmt.Errorf("%s answered its health check with gRPC status %s: %q", door, code, message)
	}
	status, ok := grpcStatus(body)
	if !ok {
		return fmt.Errorf("%s answered its health check with what is no HealthCheckResponse", door)
	}
	if status != serving {
		name := fmt.Sprint(status)
		if status < uint64(len(servingStatus)) {
			name = servingStatus[status]
		}
		return fmt.Errorf("%s says that it is %s, want SERVING", door, name)
	}
	return nil
}

// grpcRequest is a HealthCheckRequest{service = 1} in its frame: a byte for no
// compression, the length, the message.
func grpcRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2) // field 1, of type LEN
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// grpcStatus reads a HealthCheckResponse{status = 1} in its frame. As it has one
// field of type VARINT, an empty one is the status 0.
func grpcStatus(frame []byte) (status uint64, ok bool) {
	if len(frame) < 5 || frame[0] != 0 || int(binary.BigEndian.Uint32(frame[1:])) != len(frame)-5 {
		return 0, false
	}
	message := frame[5:]
	if len(message) == 0 {
		return 0, true
	}
	status, n := binary.Uvarint(message[1:])
	return status, message[0] == 1<<3 && n > 0 && n == len(message)-1
}
