//go:build unix

package proxytest

import (
	"net"
	"syscall"
)

// shortenBacklog listens once more, which changes nothing but the backlog.
func shortenBacklog(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 0) }); err != nil {
		return err
	}
	return listenErr
}
