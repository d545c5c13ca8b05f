package dial

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

func unheard(conn net.Conn) (yes bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		yes = err == nil && info.Unacked > 0 && info.Retransmits > 0
	})
	return yes
}
