package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// exchange sends up and down at once, in pieces, each followed by the end, and
// returns what arrived.
func exchange(t testing.TB, r *rig, up, down []byte, most int) (atOrigin, atClient []byte) {
	t.Helper()
	failed := make(chan error, 3)
	send := func(w far, p []byte) {
		failed <- errors.Join(sendInPieces(w, p, most), w.CloseWrite())
	}
	go send(r.client, up)
	go send(r.origin, down)
	arrived := make(chan []byte, 1)
	go func() {
		got, err := io.ReadAll(r.origin)
		arrived <- got
		failed <- err
	}()
	atClient, err := io.ReadAll(r.client)
	for range 3 {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return <-arrived, atClient
}

// checkExchange sends both ways, and looks that everything arrived and was counted.
func checkExchange(t testing.TB, r *rig, early, up, down []byte, most int) {
	t.Helper()
	prefix := slices.Clone(r.prefix)
	r.start(early)
	atOrigin, atClient := exchange(t, r, up, down, most)
	if !bytes.Equal(atOrigin, slices.Concat(early, up)) {
		t.Errorf("the origin got %d bytes, want the %d sent", len(atOrigin), len(early)+len(up))
	}
	if !bytes.Equal(atClient, slices.Concat(prefix, down)) {
		t.Errorf("the client got %d bytes, want the %d sent", len(atClient), len(prefix)+len(down))
	}
	if end := r.end(t); end.By != Nobody || end.Err != nil || end.First == Nobody {
		t.Errorf("ended with %+v, want well", end)
	}
	a := r.Activity()
	if a.FromClient != int64(len(atOrigin)) || a.FromTarget != int64(len(atClient)) {
		t.Errorf("activity %+v, want %d and %d bytes", a, len(atOrigin), len(atClient))
	}
	if r.meter == nil {
		return
	}
	if in, out := r.meter.in.Load(), r.meter.out.Load(); in != int64(len(down)) || out != int64(len(atOrigin)) {
		t.Errorf("counted %d in and %d out, want %d and %d", in, out, len(down), len(atOrigin))
	}
}

func TestEverythingArrives(t *testing.T) {
	sizes := []struct{ up, down, most int }{
		{1, 1, 1},
		{0, 1000, 10},
		{1000, 0, 10},
		{waitSize, waitSize, waitSize},
		{chunkSize, chunkSize, chunkSize},
		{chunkSize + 1, 3 * chunkSize, chunkSize + 1},
		{300 << 10, 1 << 20, 5000},
		{4 << 20, 4 << 20, 100 << 10},
		{64 << 20, 100, 1 << 20},
		{100, 64 << 20, 1 << 20},
	}
	for _, path := range paths {
		for i, size := range sizes {
			t.Run(fmt.Sprintf("%s/%d up %d down", path.name, size.up, size.down), func(t *testing.T) {
				if size.up+size.down > 32<<20 && (testing.Short() || path.name != "tcp") {
					t.Skip("takes long, and the path does not change any more")
				}
				up, down := noise(size.up, uint64(2*i)), noise(size.down, uint64(2*i+1))
				checkExchange(t, path.make(t), []byte("early"), up, down, size.most)
			})
		}
	}
}

// FuzzPieces: whatever the pieces in which it comes, everything arrives.
func FuzzPieces(f *testing.F) {
	f.Add(uint8(0), uint32(100), uint32(100_000), uint32(7), uint8(0))
	f.Add(uint8(3), uint32(200_000), uint32(0), uint32(40_000), uint8(9))
	f.Fuzz(func(t *testing.T, path uint8, up, down, most uint32, early uint8) {
		const size, pieces = 1 << 20, 1 << 10 // more of them take a starved fuzzer longer than its 10s
		r := paths[int(path)%len(paths)].make(t)
		up, down = up%size, down%size
		most = max(1+most%(size/4), max(up, down)/pieces)
		checkExchange(t, r, noise(int(early), 3), noise(int(up), 1), noise(int(down), 2), int(most))
	})
}

// TestHalfClose: who has said all still hears the other, who learns of it.
func TestHalfClose(t *testing.T) {
	for _, path := range paths {
		for _, first := range []Side{Client, Target} {
			t.Run(fmt.Sprintf("%s/%s first", path.name, first), func(t *testing.T) {
				r := path.make(t)
				r.start(nil)
				one, other := r.client, r.origin
				if first == Target {
					one, other = other, one
				}
				if err := errors.Join(sendInPieces(one, []byte("that is all"), 100), one.CloseWrite()); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(other); err != nil || !bytes.HasSuffix(got, []byte("that is all")) {
					t.Fatalf("the other side heard %q, %v", got, err)
				}
				answer := noise(3<<20, 1)
				go func() { _ = errors.Join(sendInPieces(other, answer, 1<<20), other.CloseWrite()) }()
				if got, err := io.ReadAll(one); err != nil || !bytes.HasSuffix(got, answer) {
					t.Errorf("heard %d bytes and %v after having said all, want %d", len(got), err, len(answer))
				}
				if diff := cmp.Diff(End{First: first}, r.end(t), cmpopts.EquateErrors()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestAnswer: the target's first byte is told of once, and before it is passed on.
func TestAnswer(t *testing.T) {
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			r := path.make(t)
			calls := make(chan int64, 10)
			r.OnAnswer(func() { calls <- r.Activity().FromTarget })
			checkExchange(t, r, nil, []byte("question"), noise(1<<20, 1), 1<<16)
			close(calls)
			var got []int64
			for moved := range calls {
				got = append(got, moved)
			}
			if diff := cmp.Diff([]int64{0}, got); diff != "" {
				t.Errorf("bytes passed on when the answer was told of:\n%s", diff)
			}
		})
	}
}

func TestActivity(t *testing.T) {
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			r := path.make(t)
			prefix := len(r.prefix)
			idle := r.Activity()
			if idle.Began.IsZero() || !idle.LastMove.Equal(idle.Began) || idle.ClientLast {
				t.Errorf("nothing moved and activity is %+v", idle)
			}
			r.start(nil)
			buf := make([]byte, 100)
			if _, err := io.ReadFull(r.client, buf[:prefix]); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the prefix is booked", func() bool { return r.Activity().FromTarget == int64(prefix) })
			last := r.Activity()
			for range 3 {
				r.client.Write([]byte("question"))
				if _, err := io.ReadFull(r.origin, buf[:8]); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the client's bytes are booked", func() bool {
					a := r.Activity()
					return a.FromClient == last.FromClient+8 && a.ClientLast && a.LastMove.After(last.LastMove)
				})
				r.origin.Write([]byte("answer"))
				if _, err := io.ReadFull(r.client, buf[:6]); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the target's bytes are booked", func() bool {
					a := r.Activity()
					return a.FromTarget == last.FromTarget+6 && !a.ClientLast
				})
				last = r.Activity()
			}
			r.Cut(nil)
			r.end(t)
		})
	}
}
