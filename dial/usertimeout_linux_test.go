package dial

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUserTimeout: the system gives up a connection whose other end acknowledges
// nothing, long before it would by itself.
func TestUserTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := Dialer{Proxy: Proxy{Scheme: schemeDirect}}
	c, err := d.Tunnel(t.Context(), l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.NetConn().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if e := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if want := int(userTimeout.Milliseconds()); ms != want {
		t.Errorf("the timeout is %d ms, want %d", ms, want)
	}
}
