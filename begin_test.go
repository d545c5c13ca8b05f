package proxypool

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestRequestsWaitForTheStart: the servers may start before the app does, and
// what it knows from before, such as a budget that is spent, must hold for the
// first request already.
func TestRequestsWaitForTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		a := &App{begun: begun}
		waits := func(ctx context.Context) time.Duration {
			start := time.Now()
			a.begin(ctx)
			return time.Since(start)
		}
		if got := waits(t.Context()); got != beginWithin {
			t.Errorf("waited %s for an app that does not start, want %s", got, beginWithin)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := waits(impatient); got != time.Second {
			t.Errorf("waited %s for a client that left after a second", got)
		}
		time.AfterFunc(2*time.Second, func() { close(begun) })
		if got := waits(t.Context()); got != 2*time.Second {
			t.Errorf("waited %s for a start after 2s", got)
		}
		if got := waits(t.Context()); got != 0 {
			t.Errorf("waited %s after the start", got)
		}
	})
}

// TestAnswersWaitForTheStart: Caddy's admin endpoint and its servers may answer
// before the app starts, and would tell that a proxy is in use that is disabled,
// or disable one and have it enabled by what is read after that.
func TestAnswersWaitForTheStart(t *testing.T) {
	if runningApp() != nil {
		t.Fatal("another test has left its app behind")
	}
	synctest.Test(t, func(t *testing.T) {
		for name, call := range map[string]func(*App, *http.Request) error{
			"admin endpoint": func(a *App, r *http.Request) error {
				return (&adminAPI{app: a}).serve(httptest.NewRecorder(), r)
			},
			"dashboard": func(a *App, r *http.Request) error {
				return (&Dashboard{app: a}).serveAPI(httptest.NewRecorder(), r, "nothing")
			},
		} {
			begun := make(chan struct{})
			time.AfterFunc(2*time.Second, func() { close(begun) })
			start := time.Now()
			if err := call(&App{begun: begun}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/proxy_pool/nothing", nil)); err == nil {
				t.Errorf("%s: knows a call that there is not", name)
			}
			if got := time.Since(start); got != 2*time.Second {
				t.Errorf("%s: waited %s for a start after 2s", name, got)
			}
		}
	})
}
