package soak

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// What the origins are told by headers.
const (
	waitHeader  = "X-Wait"  // before the answer
	blockHeader = "X-Block" // for how many times the answer blocks
)

// arrivals are what became of one request at the origins.
type arrivals struct {
	came    int
	blocked int  // of them were answered so that the pool tries another proxy
	unsafe  bool // must not come again
}

// seen is what the origins saw, by the IDs of requests.
type seen struct {
	mu       sync.Mutex
	requests map[string]arrivals
	twice    []string // those that came again and must not have
}

func newSeen() *seen { return &seen{requests: make(map[string]arrivals)} }

// arrive notes a request, and reports whether its answer is to block.
func (s *seen) arrive(r *http.Request) (block bool) {
	id := r.Header.Get(proxytest.RequestIDHeader)
	if id == "" {
		return false // a check, say
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.requests[id]
	a.unsafe = r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") == ""
	if a.unsafe && a.came > a.blocked {
		s.twice = append(s.twice, id)
	}
	if a.came++; fmt.Sprint(a.came) <= r.Header.Get(blockHeader) {
		a.blocked++
		block = true
	}
	s.requests[id] = a
	return block
}

func (s *seen) of(id string) arrivals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[id]
}

// sentTwice are the requests that came twice and must not have.
func (s *seen) sentTwice() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.twice...)
}

// answer is how the origins answer: with what was sent, or with a text that tells
// whose answer it is.
func (s *seen) answer(w http.ResponseWriter, r *http.Request) {
	if s.arrive(r) {
		w.Header().Set("X-Blocked", "yes")
	}
	id := r.Header.Get(proxytest.RequestIDHeader)
	w.Header().Set(proxytest.RequestIDHeader, id)
	if wait, err := time.ParseDuration(r.Header.Get(waitHeader)); err == nil {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case r.Header.Get("Upgrade") != "":
		echo(w)
	case strings.Contains(r.URL.Path, "/download/"):
		_, _ = io.WriteString(w, textOf(id, downloadSize))
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if len(body) == 0 {
			body = []byte(textOf(id, 300))
		}
		_, _ = w.Write(body)
	}
}

// echo makes a connection one that echoes.
func echo(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

// textOf is a text of some length that belongs to one request alone.
func textOf(id string, size int) string {
	line := "answer to " + id + "\n"
	return strings.Repeat(line, size/len(line)+1)[:size]
}

// outcome is what became of a request, as its client saw it.
type outcome struct {
	request
	id           string
	path         string // as Caddy was asked for
	began, ended time.Time
	status       int  // 0: no answer began
	left         bool // the client went away
	err          error
}

func (o *outcome) String() string {
	return fmt.Sprintf("%s %s %s, from %s for %v: status %d, %v", o.id, o.kind, o.method, o.began.Format("15:04:05.000"),
		o.ended.Sub(o.began).Round(time.Millisecond), o.status, o.err)
}

// span is a time in which something was so. Its end is zero where it still is.
type span struct{ from, to time.Time }

// touches reports whether a time from one moment to another touches the span.
func (s span) touches(from, to time.Time) bool {
	return !to.Before(s.from) && (s.to.IsZero() || !from.After(s.to))
}

// ledger is what the clients saw, and the times in which Caddy was away.
type ledger struct {
	mu       sync.Mutex
	outcomes []outcome // since they were taken last
	away     []span    // from when it was told to end until it answered again
	reloads  []span
	log      []string // what was done, and when
	began    time.Time
	counts   map[string]int
}

func newLedger() *ledger { return &ledger{began: time.Now(), counts: make(map[string]int)} }

func (l *ledger) note(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes = append(l.outcomes, o)
	l.counts[o.kind]++
}

// take takes the outcomes that were noted since it was called last.
func (l *ledger) take() []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.outcomes
	l.outcomes = nil
	return all
}

// begin begins a span and returns what ends it.
func (l *ledger) begin(list *[]span) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(*list)
	*list = append(*list, span{from: time.Now()})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		(*list)[n].to = time.Now()
	}
}

// wasAway reports whether Caddy was away for some of a time.
func (l *ledger) wasAway(from, to time.Time) bool { return l.touched(&l.away, from, to) }

// wasReloaded reports whether a listener was taken over in a time, or shortly
// before: what the old one had not accepted yet is lost, as with every reload of
// Caddy's.
func (l *ledger) wasReloaded(from, to time.Time) bool {
	return l.touched(&l.reloads, from.Add(-2*time.Second), to)
}

func (l *ledger) touched(list *[]span, from, to time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range *list {
		if s.touches(from, to) {
			return true
		}
	}
	return false
}

// did notes what was done.
func (l *ledger) did(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.log = append(l.log, fmt.Sprintf("%s (%7.2fs) %s", now.Format("15:04:05.000"), now.Sub(l.began).Seconds(), fmt.Sprintf(format, args...)))
}

// story is what was done lately.
func (l *ledger) story(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.log[max(0, len(l.log)-lines):], "\n")
}
