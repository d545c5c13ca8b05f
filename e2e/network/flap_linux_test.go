package network

import (
	"testing"
	"time"
)

// TestFlapping: a link that is there each other second fails nobody, and is not
// taken for well and for dead in turns.
func TestFlapping(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms{cheap: near, http2: http2})
			l := w.put(everyKind()...)
			pass(2 * time.Second)
			flapping := time.Now()
			for range 10 {
				w.cheap.wire.set(weather{cut: true})
				pass(time.Second)
				w.cheap.wire.set(near)
				pass(time.Second)
			}
			l.stop()
			l.tell(t, "each other second "+name)
			l.noErrors(t)
			l.noPostTwice(t)
			l.spares(t)
			l.allWithin(t, 5*time.Second, flapping)
			if half := l.result(every).quantile(0.5); half > 500*time.Millisecond {
				t.Errorf("half of the requests took longer than %v", half)
			}
			if n := w.downs("Cheap"); n > 2 {
				t.Errorf("the cheap proxy went down %d times", n)
			}
		})
	}
}
