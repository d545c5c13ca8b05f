package dial

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is how long what was sent may stay unacknowledged before the
// system gives the connection up. Without it, Linux goes on for a quarter of
// an hour, and keep-alive probes do not help while something is unacknowledged.
const userTimeout = 30 * time.Second

func setUserTimeout(c syscall.RawConn) {
	_ = c.Control(func(fd uintptr) {
		// A system that knows no such option still has its own, longer, timeout.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
}
