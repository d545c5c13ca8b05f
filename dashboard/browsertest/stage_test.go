package browsertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// stage is a server that plays the dashboard's: the page is the real one, and
// what its API says is written by the test.
type stage struct {
	t      *testing.T
	server *httptest.Server
	addr   string

	mu    sync.Mutex
	head  map[string]any
	rows  []map[string]any
	books map[string][]any // events and log
	mute  bool             // live is cut
	hold  func()           // holds back the next snapshot; nil: none
	pages map[chan []byte]struct{}
}

// policy is the content security policy of the real page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func newStage(t *testing.T, rows ...map[string]any) *stage {
	t.Helper()
	s := &stage{
		t: t, addr: freeAddr(t), rows: rows, books: make(map[string][]any), pages: make(map[chan []byte]struct{}),
		head: map[string]any{
			"actions": false, "log": true, "timezone": "UTC", "warnings": []string{}, "notifiers": []any{},
			"store": map[string]any{"ok": true}, "pools": []any{poolStrip("main", "")},
		},
	}
	s.open()
	t.Cleanup(s.close)
	return s
}

// open begins to serve, also after close.
func (s *stage) open() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(s.serve)}}
	s.server.Start()
}

func (s *stage) close() {
	s.server.CloseClientConnections()
	s.cut()
	s.server.Close()
}

func (s *stage) page() string { return "http://" + s.addr + "/" }

func (s *stage) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	name, ofAPI := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case !ofAPI && r.URL.Path == "/bare":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>bare</title><link rel=icon href=icon.svg><p>bare")
	case !ofAPI:
		http.FileServerFS(os.DirFS("../assets")).ServeHTTP(w, r)
	case name == "live":
		s.follow(w, r)
	case name == "snapshot":
		snapshot := s.full()
		s.mu.Lock()
		hold := s.hold
		s.hold = nil
		s.mu.Unlock()
		if hold != nil {
			hold()
		}
		s.answer(w, snapshot)
	case name == "events" || name == "log":
		s.mu.Lock()
		rows := append([]any{}, s.books[name]...)
		s.mu.Unlock()
		s.answer(w, map[string]any{"rows": rows})
	default:
		s.answer(w, map[string]any{"rows": []any{}})
	}
}

func (s *stage) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.t.Errorf("answering: %v", err)
	}
}

func (s *stage) full() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := make([]any, len(s.rows))
	for i, row := range s.rows {
		order[i] = row["id"]
	}
	return map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "head": s.head, "order": order, "rows": append([]map[string]any{}, s.rows...)}
}

func (s *stage) follow(w http.ResponseWriter, r *http.Request) {
	frames := make(chan []byte, 64)
	s.mu.Lock()
	mute := s.mute
	if !mute {
		s.pages[frames] = struct{}{}
	}
	s.mu.Unlock()
	if mute {
		http.Error(w, "cut", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		s.mu.Lock()
		delete(s.pages, frames)
		s.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	frame := frameOf("full", s.full())
	for ok := true; ok; {
		if _, err := w.Write(frame); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case frame, ok = <-frames:
		case <-r.Context().Done():
			return
		}
	}
}

func frameOf(name string, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data)
}

// push tells all pages of rows, and of the head where it has changed.
func (s *stage) push(rows ...map[string]any) {
	frame := map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "rows": rows}
	s.mu.Lock()
	defer s.mu.Unlock()
	frame["head"] = s.head
	for _, row := range rows {
		for i := range s.rows {
			if s.rows[i]["id"] == row["id"] {
				s.rows[i] = row
			}
		}
	}
	data := frameOf("delta", frame)
	for page := range s.pages {
		page <- data
	}
}

// reorder brings the rows into another order, for all pages.
func (s *stage) reorder(rows ...map[string]any) {
	s.mu.Lock()
	s.rows = rows
	s.mu.Unlock()
	data := frameOf("full", s.full())
	s.mu.Lock()
	defer s.mu.Unlock()
	for page := range s.pages {
		page <- data
	}
}

// cut ends all live streams, and lets none begin while mute holds.
func (s *stage) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for page := range s.pages {
		close(page)
		delete(s.pages, page)
	}
}

func (s *stage) set(mute bool) {
	s.mu.Lock()
	s.mute = mute
	s.mu.Unlock()
}

func poolStrip(name, carrier string) map[string]any {
	return map[string]any{"name": name, "carrier": carrier, "p50_ms": 0, "p95_ms": 0, "failovers": 0, "targets": []string{}, "money": nil}
}

// proxyRow is a healthy proxy that nobody has used, with what is given in place
// of its own.
func proxyRow(name string, given map[string]any) map[string]any {
	row := map[string]any{
		"id": "main/" + name, "pool": "main", "name": name, "type": "datacenter", "url": "http://198.51.100.7:3128",
		"status": "healthy", "since": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "reason": "", "active": true, "usable": true,
		"blocked_for": []string{}, "failing_for": []string{}, "priority": 20, "cost_per_gb": 0, "estimated_cost": 0, "traffic_mb": 0,
		"uptime": 100, "response_time_ms": 120, "total_requests": 0, "failed_requests": 0, "failure_count": 0,
		"last_check": nil, "next_check": nil, "last_success": nil, "last_error": "", "beats": []int64{}, "troubles": []any{},
	}
	maps.Copy(row, given)
	return row
}

// thousandRows are of proxies with all that makes a row large.
func thousandRows() []map[string]any {
	rows := make([]map[string]any, 1000)
	for i := range rows {
		beats := make([]int64, 0, 60)
		for j := range int64(30) {
			beats = append(beats, 1790000000+30*j, 40+j*7%300)
		}
		rows[i] = proxyRow(fmt.Sprintf("Proxy-%04d", i), map[string]any{
			"url": fmt.Sprintf("http://198.51.100.%d:%d", i%250+1, 3000+i), "beats": beats, "cost_per_gb": 3.5, "estimated_cost": 1.25,
			"type":   []string{"vps", "datacenter", "residential", "other"}[i%4],
			"status": []string{"healthy", "healthy", "healthy", "degraded", "down"}[i%5], "reason": []string{"", "", "", "its last checks took more than 1s", "check: dial_refused"}[i%5],
			"budget": map[string]any{"limit": 50, "used": 20, "unit": "usd", "per": "month", "hard": true, "spent": false, "until": nil},
		})
	}
	return rows
}

// churn changes a hundred rows ten times a second, until it is told to stop.
func (s *stage) churn(rows []map[string]any) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for turn := 0; ; turn++ {
			select {
			case <-quit:
				return
			case <-tick.C:
				s.push(changed(rows, turn)...)
			}
		}
	}()
	return func() { close(quit); <-done }
}

func changed(rows []map[string]any, turn int) []map[string]any {
	some := make([]map[string]any, 100)
	for i := range some {
		some[i] = maps.Clone(rows[(turn*37+i)%len(rows)])
		some[i]["response_time_ms"], some[i]["total_requests"] = 100+turn, turn*i
	}
	return some
}
