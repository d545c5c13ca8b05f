package pool

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBlockRuleMatches(t *testing.T) {
	header := func(pairs ...string) map[string][]string {
		m := make(map[string][]string)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = append(m[pairs[i]], pairs[i+1])
		}
		return m
	}
	answer := &http.Response{StatusCode: 403, Header: http.Header{
		"X-Challenge": {"captcha-v2"}, "Server": {"edge", "cache"}, "X-Empty": {""},
	}}
	tests := []struct {
		name string
		rule BlockRule
		want bool
	}{
		{"status", BlockRule{Status: []int{429, 403}}, true},
		{"another status", BlockRule{Status: []int{429}}, false},
		{"class", BlockRule{Status: []int{4}}, true},
		{"another class", BlockRule{Status: []int{5}}, false},
		{"field that is present", BlockRule{Header: header("X-Challenge", "*")}, true},
		{"field that is present and empty", BlockRule{Header: header("X-Empty", "*")}, true},
		{"empty pattern, empty value", BlockRule{Header: header("X-Empty", "")}, true},
		{"empty pattern, some value", BlockRule{Header: header("X-Challenge", "")}, false},
		{"field that is absent", BlockRule{Header: header("X-Other", "*")}, false},
		{"name in another case", BlockRule{Header: header("x-challenge", "*")}, true},
		{"whole value", BlockRule{Header: header("X-Challenge", "captcha-v2")}, true},
		{"part of a value is no value", BlockRule{Header: header("X-Challenge", "captcha")}, false},
		{"beginning", BlockRule{Header: header("X-Challenge", "captcha*")}, true},
		{"end", BlockRule{Header: header("X-Challenge", "*-v2")}, true},
		{"middle", BlockRule{Header: header("X-Challenge", "*tcha*")}, true},
		{"none of it", BlockRule{Header: header("X-Challenge", "*js*")}, false},
		{"any value of the field", BlockRule{Header: header("Server", "cache")}, true},
		{"any pattern for the field", BlockRule{Header: header("Server", "x", "Server", "ed*")}, true},
		{"all fields", BlockRule{Header: header("Server", "edge", "X-Other", "*")}, false},
		{"all lines, one does not", BlockRule{Status: []int{429}, Header: header("X-Challenge", "*")}, false},
		{"all lines", BlockRule{Status: []int{403}, Header: header("X-Challenge", "*")}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.rule.matches(answer); got != tt.want {
				t.Errorf("matches: %v", got)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 10 * time.Minute},
		{"soon", 10 * time.Minute},
		{"1.5", 10 * time.Minute},
		{"120", 2 * time.Minute},
		{"0", time.Second},
		{"-5", time.Second},
		{"1", time.Second},
		{"86400", 24 * time.Hour},
		{"86401", 24 * time.Hour},
		{"9223372036854775807", 24 * time.Hour},
		{"99999999999999999999999", 24 * time.Hour},
		{date(90 * time.Second), 90 * time.Second},
		{date(0), time.Second},
		{date(-time.Hour), time.Second},
		{date(400 * 24 * time.Hour), 24 * time.Hour},
		{"Thu, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
		{now.Add(time.Hour).Format(time.ANSIC), time.Hour},
	}
	rule := BlockRule{For: 10 * time.Minute}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			resp := &http.Response{Header: http.Header{"Retry-After": {tt.value}}}
			if got := rule.length(resp, now); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// blocking is a world whose proxies' answers match a rule where the names say.
func blocking(t *testing.T, names, matching string, tries int) *world {
	w := newWorld(t, named(names), func(c *Config) {
		c.Blocks = []BlockRule{{Status: []int{403}, For: 10 * time.Minute, Tries: tries}}
	})
	for _, name := range strings.Fields(matching) {
		w.fake[name].be(behaviour{answer: status(403)})
	}
	return w
}

func (w *world) wantBlocked(names ...string) {
	w.Helper()
	var blocked []string
	for _, p := range w.Pool.Proxies() {
		if p.Snapshot().Status == StatusBlocked {
			blocked = append(blocked, p.Name)
		}
	}
	if diff := cmp.Diff(names, blocked); diff != "" {
		w.Errorf("blocked (-want +got):\n%s", diff)
	}
}

func TestBlock(t *testing.T) {
	tests := []struct {
		name            string
		names, matching string
		tries           int
		method          string
		status          int
		body, trail     string
		blocked         []string
	}{
		{"one is blocked", "A B C", "A", 3, "GET", 200, "B", "A:blocked B:ok", []string{"A"}},
		{"a POST too", "A B C", "A", 3, "POST", 200, "B", "A:blocked B:ok", []string{"A"}},
		{"two are", "A B C", "A B", 3, "GET", 200, "C", "A:blocked B:blocked C:ok", []string{"A", "B"}},
		{"all match", "A B C", "A B C", 3, "GET", 403, "C", "A:blocked B:blocked C:ok", nil},
		{"all that are tried match", "A B C D", "A B C", 3, "GET", 403, "C", "A:blocked B:blocked C:ok", nil},
		{"one try is none", "A B", "A", 1, "GET", 403, "A", "A:ok", nil},
		{"there is no other", "A", "A", 3, "GET", 403, "A", "A:ok", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := blocking(t, tt.names, tt.matching, tt.tries)
				o := w.send(w.request(tt.method, "x"), api)
				w.wantTrail(o, tt.status, tt.trail)
				if o.Body != tt.body || o.trace.Err != "" {
					t.Errorf("body %q, error %q", o.Body, o.trace.Err)
				}
				w.wantBlocked(tt.blocked...)
				for _, name := range strings.Fields(tt.names) {
					if row := w.row(name); row.Failed != 0 || row.FailureCount != 0 {
						t.Errorf("%s is blamed: %+v", name, row)
					}
				}
			})
		})
	}
}

func TestBlockLasts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "A", 3)
		w.get()
		w.wantTrail(w.get(), 200, "B:ok")
		w.wantTrail(w.getFrom("other.example.com:443"), 200, "A:blocked B:ok") // of its own accord
		w.fake["A"].be(behaviour{})
		w.tick(9*time.Minute + 58*time.Second)
		w.wantTrail(w.get(), 200, "B:ok")
		w.tick(3 * time.Second)
		w.wantTrail(w.get(), 200, "A:ok")
		w.wantStatus("A", StatusHealthy)
	})
}

func TestBlockForAsLongAsTheTargetSays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "", 3)
		w.fake["A"].be(behaviour{answer: status(403, "Retry-After", "30")})
		w.get()
		w.fake["A"].be(behaviour{})
		w.tick(29 * time.Second)
		w.wantTrail(w.get(), 200, "B:ok")
		w.tick(2 * time.Second)
		w.wantTrail(w.get(), 200, "A:ok")
		w.wantEvents("A healthy>blocked: "+api+" answered 403", "A blocked>healthy: ")
	})
}

// TestHeldAnswer is returned where the other proxies fail: nobody is blocked.
func TestHeldAnswer(t *testing.T) {
	ways := map[string]struct {
		be     behaviour
		method string
		trail  string
	}{
		"refused":     {behaviour{err: refused}, "GET", "A:blocked B:dial_refused"},
		"broken":      {behaviour{answer: breaks}, "GET", "A:blocked B:conn_reset"},
		"broken POST": {behaviour{answer: breaks}, "POST", "A:blocked B:conn_reset"},
		"silent POST": {behaviour{answer: silent}, "POST", "A:blocked B:response_timeout"},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := blocking(t, "A B", "A", 3)
				w.fake["B"].be(way.be)
				o := w.send(w.request(way.method, "x"), api)
				w.wantTrail(o, 403, way.trail)
				if o.Body != "A" || o.trace.Proxy != "A" || o.trace.Err != "" {
					t.Errorf("body %q, trace %+v", o.Body, o.trace)
				}
				w.wantBlocked()
			})
		})
	}
}

// TestHeldAnswerForNobody: a client that left while the next proxy was asked gets
// no answer, and the connection of the one that was held is let go.
func TestHeldAnswerForNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "A", 3)
		w.fake["B"].be(behaviour{answer: silent})
		req := w.request(http.MethodGet, "")
		ctx, cancel := context.WithTimeout(req.Context(), 500*time.Millisecond)
		defer cancel()
		w.wantTrail(w.send(req.WithContext(ctx), api), 499, "A:blocked B:client_gone")
		w.wantBlocked()
		if n := w.fake["A"].open() + w.fake["B"].open(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// TestLastUsableProxyIsNeverBlocked: the good answer came through one that has
// gone meanwhile.
func TestLastUsableProxyIsNeverBlocked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "A", 3)
		w.fake["B"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
			w.do("B", "disable")
			return ok(c, req)
		}})
		w.wantTrail(w.get(), 200, "A:blocked B:ok")
		w.wantBlocked()
		w.wantTrail(w.get(), 403, "A:ok")
	})
}

func TestBlockNeedsTheBody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "A", 3)
		w.options.ReplayBuffer = 4
		w.wantTrail(w.post("12345"), 403, "A:ok")
		w.wantBlocked()
	})
}

func TestBlockedIsForOneTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B", "A", 3)
		w.get()
		w.fake["A"].be(behaviour{})
		w.wantTrail(w.getFrom("other.example.com:443"), 200, "A:ok")
		if row := w.row("A"); !row.Usable {
			t.Error("a blocked proxy is said to be unusable for all targets")
		}
	})
}

// TestHeldAnswersAreLetGo counts the connections that the answers hold.
func TestHeldAnswersAreLetGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := blocking(t, "A B C", "A B", 3)
		w.get()
		if a, b := w.fake["A"].open(), w.fake["B"].open(); a+b != 0 {
			t.Errorf("%d and %d connections hold answers that nobody reads", a, b)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "", "-1", "Thu, 01 Jan 2026 00:00:00 GMT", "99999999999999999999", "1e9", "\x00"} {
		f.Add(s)
	}
	rule := BlockRule{For: 10 * time.Minute}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := rule.length(&http.Response{Header: http.Header{"Retry-After": {value}}}, now)
		if got < minBlock || got > maxBlock {
			t.Errorf("%q blocks for %v", value, got)
		}
	})
}

func FuzzWildcard(f *testing.F) {
	f.Add("captcha", "captcha-v2")
	f.Add("", "")
	f.Add("a", "aa")
	f.Fuzz(func(t *testing.T, part, value string) {
		if strings.Contains(part, "*") {
			return
		}
		got := []bool{wildcard("*", value), wildcard(part, value), wildcard(part+"*", value), wildcard("*"+part, value), wildcard("*"+part+"*", value)}
		want := []bool{true, part == value, strings.HasPrefix(value, part), strings.HasSuffix(value, part), strings.Contains(value, part)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q in %q: %s", part, value, diff)
		}
	})
}

// TestTwoBlocksAtOnce: two requests that have each found one of the last two
// proxies blocked must not take both. Choosing and marking are one step, for
// one request after the other.
func TestTwoBlocksAtOnce(t *testing.T) {
	state := NewState()
	pl := New(Config{Proxies: []ProxyConfig{{Name: "A"}, {Name: "B"}}}, state)
	target := state.Target(TargetKey{Scheme: "https", Addr: api}, nil)
	hold := func(p *Proxy) *exchange {
		return &exchange{pool: pl, target: target, held: []*heldAnswer{
			{proxy: p, route: target.route(p), until: time.Now().Add(time.Hour)},
		}}
	}
	a, b := pl.Proxy("A"), pl.Proxy("B")

	target.blocking.Lock() // somebody else is at it, and about to block B
	over := make(chan struct{})
	go func() {
		defer close(over)
		hold(a).blockHeld()
	}()
	select {
	case <-over:
		t.Error("A was blocked while another request was choosing")
	case <-time.After(50 * time.Millisecond):
	}
	b.markBlocked(target.route(b), time.Now().Add(time.Hour))
	target.blocking.Unlock()
	<-over
	if pl.choose(target, new(places), time.Now().UnixNano()) != a {
		t.Error("the last usable proxy is blocked")
	}
}
