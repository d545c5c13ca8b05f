package proxypool

import (
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestFailover turns the first of three proxies into one that fails, in each
// way, while clients send. No GET may fail, but for answers that had begun; no
// POST may reach the origin twice, and one that fails must have been sent.
func TestFailover(t *testing.T) {
	tests := []struct {
		name   string
		mode   proxytest.Mode
		broken bool // answers break off
	}{
		{"refuses", proxytest.Refuse, false},
		{"resets", proxytest.Reset, false},
		{"answers 407", proxytest.Status(407), false},
		{"answers 402", proxytest.Status(402), false},
		{"answers 429", proxytest.Status(429), false},
		{"answers 502", proxytest.Status(502), false},
		{"answers 403", proxytest.Status(403), false},
		{"never answers", proxytest.Silent, false},
		{"grants, then is silent", proxytest.GrantThenSilent, false},
		{"accepts nothing", proxytest.BacklogFull, false},
		{"sends garbage for TLS", proxytest.TLSGarbage, false},
		{"answers nonsense", proxytest.Nonsense, false},
		{"answers an endless header", proxytest.EndlessHeader, false},
		{"drops the tunnel request", proxytest.DropBeforeAnswer, false},
		{"breaks off", proxytest.BreakMidAnswer(100), true},
	}
	for _, test := range tests {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(test.name+"/"+method, func(t *testing.T) {
				origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Delay: 5 * time.Millisecond})
				first := proxytest.NewProxy(t, proxytest.ProxyConfig{})
				rest := proxytest.NewProxy(t, proxytest.ProxyConfig{})
				s := serve(t, onePool(t, "", first, rest), reverse(origin.URL(), "response_timeout 3s"))
				load := startLoad(s, method, 8)
				load.waitFor(t, 80)
				first.MustSetMode(t, test.mode)
				load.waitFor(t, 160)
				load.end()
				load.check(t, origin, method, test.broken)
			})
		}
	}
}

// traffic is some clients that send one request after the other.
type traffic struct {
	stop    chan struct{}
	clients sync.WaitGroup
	good    chan struct{}

	mu       sync.Mutex
	failures []failure
	ids      []string
	longest  time.Duration
	last     time.Time
}

type failure struct{ id, what string }

func startLoad(s *server, method string, clients int) *traffic {
	l := &traffic{stop: make(chan struct{}), good: make(chan struct{}, 1<<16), last: time.Now()}
	for i := range clients {
		c := client(s.t)
		l.clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
					l.send(s, c, method, fmt.Sprintf("%d-%d", i, n))
				}
			}
		})
	}
	return l
}

func (l *traffic) send(s *server, c *http.Client, method, id string) {
	var body io.Reader = http.NoBody
	if method == http.MethodPost {
		body = strings.NewReader(strings.Repeat("x", 1000))
	}
	req, err := http.NewRequest(method, s.url+"/", body)
	if err != nil {
		panic(err)
	}
	req.Header.Set(proxytest.RequestIDHeader, id)
	resp, err := c.Do(req)
	what := ""
	switch {
	case err != nil:
		what = err.Error()
	default:
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			what = "broke off: " + err.Error()
		case resp.StatusCode != http.StatusOK:
			what = resp.Status + ": " + string(text)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, id)
	if what != "" {
		l.failures = append(l.failures, failure{id, what})
		return
	}
	l.longest = max(l.longest, time.Since(l.last))
	l.last = time.Now()
	select {
	case l.good <- struct{}{}:
	default:
	}
}

// waitFor waits for so many good answers more.
func (l *traffic) waitFor(t *testing.T, n int) {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for range n {
		select {
		case <-l.good:
		case <-timeout.C:
			l.mu.Lock()
			failed := l.failures[max(0, len(l.failures)-5):]
			l.mu.Unlock()
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("answers stopped coming; what failed last: %v; what waits:\n%s", failed, &stacks)
		}
	}
}

func (l *traffic) end() {
	close(l.stop)
	l.clients.Wait()
}

// check asserts what was promised to the clients and to the origin.
func (l *traffic) check(t *testing.T, origin *proxytest.Origin, method string, mayBreak bool) {
	t.Helper()
	for _, f := range l.failures {
		switch {
		case mayBreak && strings.HasPrefix(f.what, "broke off"):
		case method == http.MethodGet:
			t.Errorf("GET %s failed: %s", f.id, f.what)
		case !strings.HasPrefix(f.what, "502") && !strings.HasPrefix(f.what, "504"):
			t.Errorf("POST %s failed: %s", f.id, f.what)
		}
	}
	for _, id := range l.ids {
		if n := origin.Seen(id); n > 1 && method == http.MethodPost {
			t.Errorf("the origin saw POST %s %d times", id, n)
		}
	}
	t.Logf("%d requests, %d failed, longest without a good answer %v", len(l.ids), len(l.failures), l.longest)
}

// TestUnsentPOST: before any byte of a POST was written, every failure fails over.
func TestUnsentPOST(t *testing.T) {
	for _, mode := range []proxytest.Mode{proxytest.Refuse, proxytest.Reset, proxytest.Status(407), proxytest.Status(502), proxytest.TLSGarbage, proxytest.Silent} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
			first, rest := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			first.MustSetMode(t, mode)
			s := serve(t, onePool(t, "hedge_delay 50ms", first, rest), reverse(origin.URL(), ""))
			resp, body := s.do(client(t), http.MethodPost, "/echo", "one", "payload")
			if resp.StatusCode != http.StatusOK || body != "payload" || origin.Seen("one") != 1 {
				t.Errorf("got %s %q, seen %d times", resp.Status, body, origin.Seen("one"))
			}
		})
	}
}

// TestStalePOST: a kept connection that was closed while idle is nobody's
// failure, and costs no POST that was not written.
func TestStalePOST(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), reverse(origin.URL(), ""))
	c := client(t)
	for i := range 5 {
		s.get(c, "/")
		eventually(t, "the idle connection is closed", func() bool {
			origin.CloseIdle()
			return proxy.Standing() == 0
		})
		id := fmt.Sprint("post-", i)
		if resp, body := s.do(c, http.MethodPost, "/", id, "x"); resp.StatusCode != http.StatusOK || origin.Seen(id) != 1 {
			t.Fatalf("got %s %s, seen %d times", resp.Status, body, origin.Seen(id))
		}
	}
	if row := s.row("P1"); row.FailedRequests != 0 {
		t.Errorf("%d failures were counted", row.FailedRequests)
	}
}

// TestReplayBuffer: a body that is longer than what is kept is forwarded whole,
// and not sent again; a shorter one is.
func TestReplayBuffer(t *testing.T) {
	for _, size := range []int{5 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var cut atomic.Bool
			handler := func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err == nil && cut.Swap(false) {
					panic(http.ErrAbortHandler)
				}
				fmt.Fprint(w, len(body))
			}
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(handler)})
			first, rest := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, onePool(t, "replay_buffer 10KB", first, rest), reverse(origin.URL(), ""))
			body := strings.Repeat("x", size)
			if resp, got := s.do(client(t), http.MethodPut, "/", "whole", body); resp.StatusCode != http.StatusOK || got != fmt.Sprint(size) {
				t.Errorf("got %s %s", resp.Status, got)
			}
			s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/reset-stats", nil)
			cut.Store(true)
			resp, got := s.do(client(t), http.MethodPut, "/", "cut", body)
			wantStatus, wantSeen := http.StatusOK, 2
			if size > 10<<10 {
				wantStatus, wantSeen = http.StatusBadGateway, 1
			}
			if resp.StatusCode != wantStatus || origin.Seen("cut") != wantSeen {
				t.Errorf("got %s %s, seen %d times", resp.Status, got, origin.Seen("cut"))
			}
		})
	}
}
