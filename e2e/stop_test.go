package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// TestStop: a clean stop loses nothing, however it is asked for, and also where
// clients go on asking.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*process){"SIGTERM": (*process).Stop, "caddy stop": (*process).StopByCommand} {
		for _, loaded := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, under load %v", name, loaded), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 2, 2, 12)
				p := start(t, w.setup())
				l := caddytest.Put(t, p.URL, 16, 5*time.Millisecond)
				if caddytest.Eventually(t, "much is answered", 10*time.Second, func() bool { return l.Answered.Load() > 500 }); !loaded {
					l.MustSucceed(t)
				}
				stop(p)
				l.Stop()
				w.quiet()
				next := start(t, w.setup())
				w.exact(w.read(next), 2)
			})
		}
	}
}
