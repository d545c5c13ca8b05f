package pool

import (
	"net/http"
	"testing"
	"time"
)

// switching answers with the upgrade that was asked for.
func switching(c *fakeConn, req *http.Request) (*http.Response, error) {
	return status(http.StatusSwitchingProtocols, "Upgrade", "websocket")(c, req)
}

// TestUnaskedUpgrade: nobody would ever close a connection that was switched to
// what nobody asked for.
func TestUnaskedUpgrade(t *testing.T) {
	for asked, want := range map[string]int{"": 502, "h2c": 502, "websocket": 101} {
		t.Run(asked, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(behaviour{answer: switching})
				req := w.request(http.MethodGet, "")
				if asked != "" {
					req.Header.Set("Upgrade", asked)
				}
				o := w.begin(req, api)
				if o.Status != want {
					t.Errorf("got %d, want %d", o.Status, want)
				}
				if alive := w.fake["A"].conns[0].Alive(); alive != (want == 101) {
					t.Errorf("the connection is alive: %t", alive)
				}
				if o.resp != nil {
					_ = o.resp.Body.Close()
				}
			})
		})
	}
}

// TestFailuresInARow: what the client ends by itself, an upgrade or an event
// stream say, was delivered until then.
func TestFailuresInARow(t *testing.T) {
	for name, good := range map[string]func(w *world){
		"closed early": func(w *world) {
			if o := w.begin(w.request(http.MethodGet, ""), api); o.resp != nil {
				_ = o.resp.Body.Close()
			}
		},
		"upgrade": func(w *world) {
			w.fake["A"].be(behaviour{answer: switching})
			req := w.request(http.MethodGet, "")
			req.Header.Set("Upgrade", "websocket")
			if o := w.begin(req, api); o.resp != nil {
				_ = o.resp.Body.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				for range 5 {
					w.fake["A"].be(behaviour{answer: breaks})
					w.get()
					w.fake["A"].be(behaviour{})
					w.pass(time.Second)
					good(w)
					w.fake["A"].breakAll()
				}
				if failing := w.row("A").FailingFor; len(failing) != 0 {
					t.Errorf("A is failing for %v", failing)
				}
			})
		})
	}
}

// TestProbeWhileTheRequestMovesOn is for the race detector: a probe looks for
// the next proxy while the request that it was for goes there.
func TestProbeWhileTheRequestMovesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), nil)
		w.fake["A"].be(behaviour{answer: after(maxSilence, func(*fakeConn, *http.Request) (*http.Response, error) { return nil, reset })})
		w.get()
	})
}
