package network

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// lastNet counts the networks that were handed out: 10.n.0.0/24.
var lastNet atomic.Uint32

// far is the end of a wire that is in another namespace.
type far struct {
	wire *wire
	addr net.IP
}

// newFar makes a namespace, and a wire to it. What listens there is made by
// listening, which is called in that namespace; what else it does happens here.
// Sockets stay in the namespace that they were made in, and it ends with them.
func newFar(t *testing.T, seed uint64, listening func(net.IP) error) *far {
	t.Helper()
	n := lastNet.Add(1)
	if n > 254 {
		t.Fatal("no network is left")
	}
	f := &far{addr: net.IPv4(10, byte(n), 0, 2)}
	home, err := newTUN(fmt.Sprintf("wire%d", n), fmt.Sprintf("10.%d.0.1/24", n))
	if err != nil {
		t.Fatal(err)
	}
	var away *os.File
	err = inNamespace(func() error {
		if away, err = newTUN("home", fmt.Sprintf("10.%d.0.2/24", n)); err != nil {
			return err
		}
		return listening(f.addr)
	})
	if err != nil {
		t.Fatalf("making a network namespace: %v", err)
	}
	f.wire = newWire(t, home, away, seed)
	return f
}

// inNamespace does something in a new namespace. The thread ends with it.
func inNamespace(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// newTUN makes a device in the namespace of the thread. What the system sends
// over it is read from the file, packet by packet.
func newTUN(name, addr string) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", tunDevice, err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("making a TUN device: %w", err)
	}
	for _, args := range [][]string{
		{"addr", "add", addr, "dev", name},
		{"link", "set", name, "up", "txqueuelen", "5000"},
	} {
		if err := run("ip", args...); err != nil {
			_ = unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), name), nil
}
