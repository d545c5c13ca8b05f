package books

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

type noDialer struct{}

func (noDialer) Dial(context.Context, pool.Dialing) (pool.Conn, error) {
	return nil, errors.New("no")
}

func (noDialer) Tunnel(context.Context, pool.Dialing) (pool.Pipe, error) {
	return nil, errors.New("nobody is there")
}

// realTrace is that of a request that failed on its only proxy.
func realTrace(t *testing.T) pool.Trace {
	t.Helper()
	config := pool.Config{Name: "main", Options: pool.Options{ConnectTimeout: time.Second}}
	config.Proxies = []pool.ProxyConfig{{Name: "p", MaxFailures: 3, Dialer: noDialer{}}}
	pl := pool.New(config, pool.NewState())
	pl.Adopt()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var trace pool.Trace
	target := pl.State().Target(pool.TargetKey{Scheme: "https", Addr: "api.example.com:443"}, nil)
	if resp, err := pool.NewForwarder(pl, pl.Options).Forward(req, target, &trace); err == nil {
		_ = resp.Body.Close()
		t.Fatal("a request went through a proxy that is not there")
	}
	return trace
}

func TestRow(t *testing.T) {
	trace := realTrace(t)
	trace.Err = "connect_failed"
	start := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	e := Entry{
		Start: start, Duration: 3 * time.Second, Trace: trace,
		Method: "POST", Path: "/bot12:S/sendMessage", Status: 502, BytesIn: 1, BytesOut: 2,
	}
	want := pool.LogRow{
		Time: start, Pool: "main", Proxy: "p", Method: "POST", Target: "api.example.com:443", Path: "/bot***/sendMessage",
		Status: 502, Duration: 3 * time.Second, BytesIn: 1, BytesOut: 2, Attempts: 1, Trail: "p:error", Error: "connect_failed",
	}
	if diff := cmp.Diff(want, e.row()); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	e.Trace.Err = ""
	if !e.row().Success {
		t.Error("a request without an error is no success")
	}
}

func TestRowIsBoundedAndValid(t *testing.T) {
	for name, c := range map[string]struct{ method, path, wantMethod, wantPath string }{
		"short":         {"GET", "/x", "GET", "/x"},
		"long":          {strings.Repeat("M", 40), "/" + strings.Repeat("x", 2000), strings.Repeat("M", 32), "/" + strings.Repeat("x", 1023)},
		"at the limit":  {strings.Repeat("M", 32), strings.Repeat("x", 1024), strings.Repeat("M", 32), strings.Repeat("x", 1024)},
		"within a rune": {"GET", strings.Repeat("x", 1022) + "😀y", "GET", strings.Repeat("x", 1022)},
		"not UTF-8":     {"G\xffT", "/\xc3(\xfe\xff", "G\uFFFDT", "/\uFFFD(\uFFFD"},
		"redacted first": {
			"GET", "/bot1:" + strings.Repeat("s", 2000) + "/getMe", "GET", "/bot***/getMe",
		},
		"a secret beyond the limit": {"GET", "/" + strings.Repeat("x", 1010) + "/bot1:S/getMe", "GET", "/" + strings.Repeat("x", 1010) + "/bot***/getMe"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Entry{Method: c.method, Path: c.path}
			row := e.row()
			if len(c.wantPath) > maxPathBytes {
				c.wantPath = c.wantPath[:maxPathBytes]
			}
			if row.Method != c.wantMethod || row.Path != c.wantPath {
				t.Errorf("method %q, path %q; want %q, %q", row.Method, row.Path, c.wantMethod, c.wantPath)
			}
		})
	}
}

func FuzzClip(f *testing.F) {
	f.Add("abc", 2)
	f.Add("a\xff\xfe😀😀", 7)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit%64, -limit%64)
		got := clip(s, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) = %q", s, limit, got)
		}
		if utf8.ValidString(s) && !strings.HasPrefix(s, got) {
			t.Errorf("clip(%q, %d) = %q, which it does not begin with", s, limit, got)
		}
		if utf8.ValidString(s) && len(s) > limit && len(got) <= limit-utf8.UTFMax {
			t.Errorf("clip(%q, %d) = %q, shorter than it must be", s, limit, got)
		}
	})
}

func TestTheLogIsOffAndOn(t *testing.T) {
	bubble(t, func(w *world) {
		w.Enter(Entry{Path: "/before"})
		for _, on := range []bool{false, true, false, true} {
			s := w.settings()
			s.Log = on
			w.Follow(context.Background(), s)
			w.equal("logging", w.Logging(), on)
			w.Enter(Entry{Path: "/x"})
		}
		w.mustSync()
		w.equal("rows", len(w.file.log), 2)
		w.equal("dropped", w.Health().Dropped, int64(0))
	})
}

func TestRulesAreThoseOfTheEntry(t *testing.T) {
	bubble(t, func(w *world) {
		s := w.settings()
		w.Follow(context.Background(), s)
		w.file.be(func(f *file) { f.writeTakes = 3 * time.Second })
		w.subject.use("t:443", 10)
		w.pass(flushEvery) // the writer is busy and cannot follow
		rules := []Rule{{regexp.MustCompile(`/key/[^/]+`), "/key/***"}}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Follow(ctx, s)
		w.Enter(Entry{Path: "/key/secret/x", Redact: rules})
		w.pass(10 * time.Second)
		w.equal("path", w.file.log[0].Path, "/key/***/x")
	})
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes = 4 * time.Second })
		w.subject.use("t:443", 10)
		w.pass(flushEvery) // the writer is busy
		for range queueSize + 5 {
			w.Enter(Entry{Path: "/x"})
		}
		w.equal("dropped", w.Health().Dropped, int64(5))
		w.pass(5 * time.Second)
		w.equal("told", w.told.all(), []string{"dropped 5"})
		w.file.be(func(f *file) { f.writeTakes = 0 })
		w.pass(5 * time.Second)
		w.equal("rows", len(w.file.log), queueSize)
	})
}

func TestRowsThatCannotBeWrittenAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		for range maxRows/largeBatch + 2 {
			for range largeBatch {
				w.Enter(Entry{Path: "/bot1:S/x"})
			}
			w.pass(time.Millisecond) // the writer comes by
		}
		w.equal("left in the queue, with their secrets", len(w.entries), 0)
		lost := int64((maxRows/largeBatch+2)*largeBatch - maxRows)
		w.equal("dropped", w.Health().Dropped, lost)
		w.file.be(func(f *file) { f.openFault = nil })
		w.pass(2 * time.Second)
		w.equal("rows", len(w.file.log), maxRows)
	})
}

func TestDroppedRowsAreToldOnceAMinute(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		for range 3 {
			w.dropped.Add(2)
			w.pass(20 * time.Second)
		}
		w.equal("told", w.told.all(), []string{"dropped 2"})
		w.pass(time.Minute)
		w.equal("told", w.told.all(), []string{"dropped 2", "dropped 4"})
	})
}

func TestALargeBatchIsNotKeptWaiting(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		for range largeBatch {
			w.Enter(Entry{Path: "/x"})
		}
		w.pass(time.Millisecond)
		w.equal("rows", len(w.file.log), largeBatch)
	})
}

func TestEnterAllocatesNothing(t *testing.T) {
	b := New(&subject{})
	b.entries = make(chan Entry, queueSize)
	for name, on := range map[string]bool{"off": false, "on": true} {
		b.logging.Store(on)
		if n := testing.AllocsPerRun(2*queueSize, func() { b.Enter(Entry{Path: "/x"}) }); n > 0 {
			t.Errorf("with the log %s: %v allocations", name, n)
		}
	}
	if b.Health().Dropped == 0 || len(b.entries) != queueSize {
		t.Error("the queue was not filled")
	}
}

func BenchmarkEnter(b *testing.B) {
	entry := Entry{
		Start: time.Now(), Duration: time.Second, Method: "POST", Path: "/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
		Status: 200, BytesIn: 1000, BytesOut: 500,
	}
	for name, on := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			books := New(&subject{})
			defer books.Close()
			books.Follow(b.Context(), Settings{Storage: nowhere{}, Log: on})
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					books.Enter(entry)
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(books.Health().Dropped)/float64(b.N), "dropped/op")
		})
	}
}

// BenchmarkEnterTaken is an entry that finds room, and taking it out again.
func BenchmarkEnterTaken(b *testing.B) {
	books := New(&subject{})
	books.entries = make(chan Entry, queueSize)
	books.logging.Store(true)
	entry := Entry{Start: time.Now(), Method: "POST", Path: "/x"}
	b.ReportAllocs()
	for b.Loop() {
		books.Enter(entry)
		<-books.entries
	}
}

// BenchmarkRow is what the writer does for each row, but for writing it.
func BenchmarkRow(b *testing.B) {
	for name, path := range map[string]string{
		"token": "/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
		"plain": "/api/v1/users/12345/messages",
	} {
		b.Run(name, func(b *testing.B) {
			e := Entry{Start: time.Now(), Method: "POST", Path: path}
			b.ReportAllocs()
			for b.Loop() {
				_ = e.row()
			}
		})
	}
}

// nowhere takes everything and keeps nothing.
type nowhere struct{ pool.Store }

func (nowhere) StoreID() string                                              { return "nowhere" }
func (nowhere) Open(context.Context, func(string)) (pool.Store, error)       { return nowhere{}, nil }
func (nowhere) Write(context.Context, *pool.Batch) error                     { return nil }
func (nowhere) Close() error                                                 { return nil }
func (nowhere) Prune(context.Context, pool.Expiry, int) (more bool, _ error) { return false, nil }
