package relay

import (
	"io"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// emptyPipes fails the test where a pipe is in use, or was kept with bytes in it.
func emptyPipes(t testing.TB) {
	t.Helper()
	if open, idle := pipes.open.Load(), len(pipes.idle); open != int64(idle) || idle > idlePipes {
		t.Errorf("%d pipes are open, %d of them idle", open, idle)
	}
	for range len(pipes.idle) {
		p := pipes.take()
		if n, err := unix.IoctlGetInt(p.r, unix.TIOCINQ); err != nil || n != 0 {
			t.Errorf("an idle pipe holds %d bytes, %v", n, err)
		}
		pipes.give(p)
	}
}

// TestNothingLeaks: a thousand tunnels, ended in every way, leave neither
// goroutine nor file behind, and their pipes are empty.
func TestNothingLeaks(t *testing.T) {
	pipes.drain()
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	ways := []func(*rig){
		func(r *rig) { r.client.Close() },
		func(r *rig) { r.origin.Close() },
		func(r *rig) { reset(t, r.client) },
		func(r *rig) { reset(t, r.origin) },
		func(r *rig) { r.Cut(nil) },
		func(r *rig) { r.meter.limit.Store(1) },
	}
	for i := range 1000 {
		near, client := pair(t)
		r := rigOn(t, near, client, nil)
		r.start([]byte("early"))
		var busy sync.WaitGroup
		if i%2 == 0 { // to be broken in the middle of a chunk
			busy.Go(func() { flood(r.origin) })
			io.CopyN(io.Discard, r.client, 300<<10)
		}
		ways[i/2%len(ways)](r)
		if i%2 == 1 {
			r.client.Write([]byte("more"))
		}
		r.client.Close()
		r.origin.Close()
		r.end(t)
		busy.Wait()
	}
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
	emptyPipes(t)
	pipes.drain()
	if now := openFiles(t); now > files {
		t.Errorf("%d files are open, %d were before", now, files)
	}
}

// drain closes the idle pipes.
func (s *pipeStock) drain() {
	for len(s.idle) > 0 {
		p := s.take()
		p.held = 1
		s.give(p)
	}
}

// TestPipesAreBounded: where there are no more, tunnels do without.
func TestPipesAreBounded(t *testing.T) {
	var taken []*pipe
	for p := pipes.take(); p != nil; p = pipes.take() {
		taken = append(taken, p)
	}
	defer emptyPipes(t)
	defer func() {
		for _, p := range taken {
			pipes.give(p)
		}
	}()
	if len(taken) != maxPipes {
		t.Fatalf("%d pipes could be taken, want %d", len(taken), maxPipes)
	}
	checkExchange(t, paths[0].make(t), nil, noise(4<<20, 1), noise(4<<20, 2), 1<<20)
}
