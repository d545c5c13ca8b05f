package relay

import (
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ioCopy is the relay to compare with: two times io.Copy, which splices on Linux.
func ioCopy(client, target *net.TCPConn) {
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(target, client); target.CloseWrite() })
	io.Copy(client, target)
	client.CloseWrite()
	wg.Wait()
	client.Close()
	target.Close()
}

func ours(client, target *net.TCPConn) { New(client, &upstream{TCPConn: target}).Run(nil) }

// course is a tunnel under load: step moves something through it.
type course struct {
	step func()
	stop func()
}

func bulk(tb testing.TB, run func(client, target *net.TCPConn)) course {
	near, client := pair(tb)
	far, origin := pair(tb)
	var wg sync.WaitGroup
	wg.Go(func() { run(near, far) })
	want := make(chan int64)
	wg.Go(func() {
		chunk := make([]byte, 256<<10)
		for n := range want {
			for ; n > 0; n -= int64(len(chunk)) {
				origin.Write(chunk)
			}
		}
		origin.CloseWrite()
	})
	buf := make([]byte, 256<<10)
	return course{
		step: func() {
			want <- bulkStep
			for left := bulkStep; left > 0; {
				n, err := client.Read(buf)
				if err != nil {
					tb.Fatal(err)
				}
				left -= n
			}
		},
		stop: func() { close(want); client.Close(); wg.Wait() },
	}
}

const bulkStep = 16 << 20

func pingPong(tb testing.TB, run func(client, target *net.TCPConn)) course {
	near, client := pair(tb)
	far, origin := pair(tb)
	var wg sync.WaitGroup
	wg.Go(func() { run(near, far) })
	wg.Go(func() {
		io.CopyBuffer(struct{ io.Writer }{origin}, struct{ io.Reader }{origin}, make([]byte, 4096))
		origin.Close()
	})
	buf := make([]byte, 512)
	return course{
		step: func() {
			client.Write(buf)
			if _, err := io.ReadFull(client, buf); err != nil {
				tb.Fatal(err)
			}
		},
		stop: func() { client.Close(); wg.Wait() },
	}
}

// compare runs both relays in turns, so that whatever else the machine does
// meets both, and reports how much faster ours is in the middle of the turns.
func compare(b *testing.B, turn int, course func(testing.TB, func(client, target *net.TCPConn)) course) {
	b.ReportAllocs()
	one, other := course(b, ours), course(b, ioCopy)
	defer one.stop()
	defer other.stop()
	clock := func(step func()) time.Duration {
		began := time.Now()
		for range turn {
			step()
		}
		return time.Since(began)
	}
	var ratios []float64
	var oursTook time.Duration
	for i := range b.N {
		first, second := one.step, other.step
		if i%2 == 1 {
			first, second = second, first
		}
		a, z := clock(first), clock(second)
		if i%2 == 1 {
			a, z = z, a
		}
		oursTook += a
		ratios = append(ratios, float64(z)/float64(a))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-io.Copy")
	b.ReportMetric(float64(b.N*turn)/oursTook.Seconds(), "steps/s")
}

// BenchmarkBulk moves 16 MiB per step.
func BenchmarkBulk(b *testing.B) { compare(b, 1, bulk) }

// BenchmarkPingPong asks and answers 512 bytes per step.
func BenchmarkPingPong(b *testing.B) { compare(b, 200, pingPong) }

// BenchmarkIdle holds tunnels in which one question was asked and answered, as
// many up to 10,000 as the process may have files for, and reports the memory
// of each: two goroutines, both connections of the relay and the relay.
func BenchmarkIdle(b *testing.B) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		b.Fatal(err)
	}
	n := int(min(10_000, (files.Cur-500)/4))
	for range b.N {
		b.ReportMetric(float64(idleTunnels(b, n))/float64(n), "B/tunnel")
		b.ReportMetric(float64(n), "tunnels")
	}
}

// TestIdleTunnelsAreCheap holds a thousand, three times at most: what the runtime
// keeps for later is a tenth of what is measured, one way or the other.
func TestIdleTunnelsAreCheap(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	const n, most = 1000, 8 << 10
	var each int64
	for range 3 {
		if each = idleTunnels(t, n) / n; each <= most {
			return
		}
	}
	t.Errorf("an idle tunnel takes %d bytes, want at most %d", each, most)
}

// idleTunnels returns what n idle tunnels take.
func idleTunnels(tb testing.TB, n int) int64 {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	relays := make([]*Relay, n)
	fars := make([]int, 2*n)
	var running sync.WaitGroup
	before := inUse()
	for i := range relays {
		client, farClient := bareConn(tb, l)
		target, farTarget := bareConn(tb, l)
		fars[2*i], fars[2*i+1] = farClient, farTarget
		r := New(client, &upstream{TCPConn: target})
		relays[i] = r
		running.Go(func() { r.Run(nil) })
		say(tb, farClient, farTarget)
		say(tb, farTarget, farClient)
	}
	after := inUse()
	for _, r := range relays {
		r.Cut(nil)
	}
	running.Wait()
	for _, fd := range fars {
		unix.Close(fd)
	}
	return after - before
}

// bareConn returns a connection of which the far end takes no memory here.
func bareConn(tb testing.TB, l *net.TCPListener) (near *net.TCPConn, far int) {
	far, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	addr := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: l.Addr().(*net.TCPAddr).Port}
	if err := unix.Connect(far, addr); err != nil {
		tb.Fatal(err)
	}
	if near, err = l.AcceptTCP(); err != nil {
		tb.Fatal(err)
	}
	return near, far
}

func say(tb testing.TB, from, to int) {
	if _, err := unix.Write(from, []byte("x")); err != nil {
		tb.Fatal(err)
	}
	if _, err := unix.Read(to, make([]byte, 1)); err != nil {
		tb.Fatal(err)
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
