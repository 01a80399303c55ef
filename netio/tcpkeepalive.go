package netio

import "golang.org/x/sys/unix"

// A peer that vanishes, by a power cut, a pulled cable or a NAT that has forgotten it, sends no FIN: unprobed, an idle
// tunnel or a request whose backend takes its time would hold its lease for ever. So a connection on which nothing has
// come for tcpKeepIdle is probed tcpKeepCount times, tcpKeepInterval apart, and broken when no probe is answered: two
// minutes in all. A probe a minute also keeps a NAT from forgetting those that are only quiet. A peer that owes an
// acknowledgement is not probed, but sent to again until the kernel gives up (tcp_retries2 in tcp(7), some 15 minutes).
const (
	tcpKeepIdle     = 60 // seconds, as is the next
	tcpKeepInterval = 15
	tcpKeepCount    = 4
)

// tcpKeepAlive are the options of socket(7) and tcp(7) that say so.
var tcpKeepAlive = [...]struct {
	level, option int
	value         int32
}{
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, tcpKeepIdle},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, tcpKeepInterval},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, tcpKeepCount},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
}
