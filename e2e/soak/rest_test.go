package soak

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// restPoint is what a process holds while nobody asks it.
type restPoint struct {
	goroutines, files int
	heap, rss         int64
}

func (r restPoint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %.1f MB heap, %.1f MB resident", r.goroutines, r.files, float64(r.heap)/(1<<20), float64(r.rss)/(1<<20))
}

// What a process may hold more than the first one held when it first came to
// rest. Goroutines and descriptors come back to what they were, but for
// connections that are kept; memory is what state that is bounded fills, and what
// the runtime has not given back.
const (
	moreGoroutines = 40
	moreFiles      = 30
	moreHeap       = 12 << 20
	moreRSS        = 96 << 20
)

// restAndCheck lets Caddy come to rest, and checks the books and what it holds.
func (s *soak) restAndCheck(n int) {
	s.t.Helper()
	caddytest.Eventually(s.t, "the store works", 30*time.Second, func() bool { return s.books.status().Store.OK })
	if dropped := s.books.status().Store.Dropped; dropped > 0 {
		s.t.Errorf("the store dropped %d rows", dropped)
	}
	if s.t.Failed() {
		return
	}
	before := s.books.balance()
	s.books.log.compare(before.ok)
	if s.t.Failed() {
		return
	}
	s.calm()
	held := s.holds()
	if s.rest == (restPoint{}) {
		s.rest = held
	}
	s.books.resetStats(proxies[n%len(proxies)].name)
	s.t.Logf("round %d: %v; %v", n, before, held)
}

// calm lets some clients ask while all proxies work and nothing is done, so that
// all is known to the byte.
func (s *soak) calm() {
	s.t.Helper()
	before, conns := s.books.figures(), make(map[string]int64)
	for i, k := range proxies {
		standing := int64(s.world.proxies[i][0].Standing() + s.world.proxies[i][1].Standing())
		conns[k.name] = standing - s.world.accepted(i)
	}
	calm := newClients(s.world, s.ledger, s.seed)
	calm.next.Store(s.clients.next.Add(100) - 100) // names that nobody else has
	calm.process.Store(s.process)
	var whole []request
	for _, r := range calm.mixture {
		if !r.leaves && r.front != "b" {
			whole = append(whole, r)
		}
	}
	calm.mixture = whole
	send := calm.come(4)
	s.until(time.Now().Add(3 * time.Second))
	send()
	calm.running.Wait()
	outcomes := s.ledger.take()
	for i := range outcomes {
		if o := &outcomes[i]; o.err != nil {
			s.t.Errorf("failed in a calm time: %v; the log: %s", o, s.books.row(o.path))
		}
	}
	s.books.asked(outcomes)
	after := s.books.figures()
	for i, k := range proxies {
		conns[k.name] += s.world.accepted(i)
	}
	s.books.exact(before, after, conns)
	s.books.log.compare(after.ok)
}

// holds waits until Caddy holds no more than it may, and tells what it holds.
func (s *soak) holds() (r restPoint) {
	s.t.Helper()
	var profile string
	var err error
	fine := caddytest.ComesTrue(75*time.Second, func() bool { // connections are kept for 55 s
		r, profile, err = s.held()
		return err == nil && (s.rest == (restPoint{}) || r.within(s.rest))
	})
	if s.must(err); !fine {
		s.t.Errorf("Caddy holds %v, at its first rest %v\n%.6000s", r, s.rest, profile)
	}
	return r
}

func (r restPoint) within(first restPoint) bool {
	return r.goroutines <= first.goroutines+moreGoroutines && r.files <= first.files+moreFiles &&
		r.heap <= first.heap+moreHeap && r.rss <= first.rss+moreRSS
}

var (
	goroutinesLine = regexp.MustCompile(`goroutine profile: total (\d+)`)
	heapLine       = regexp.MustCompile(`# HeapAlloc = (\d+)`)
	rssLine        = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

// held asks what Caddy holds now, after a garbage collection.
func (s *soak) held() (r restPoint, profile string, err error) {
	heap, err := page(s.process, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return r, "", err
	}
	if profile, err = page(s.process, "/debug/pprof/goroutine?debug=1"); err != nil {
		return r, "", err
	}
	r.heap, r.goroutines = number(heapLine, heap), int(number(goroutinesLine, profile))
	if r.heap == 0 || r.goroutines == 0 {
		return r, profile, fmt.Errorf("the profiles do not tell what is held: %.200q and %.200q", heap, profile)
	}
	process := fmt.Sprintf("/proc/%d/", s.process.Cmd.Process.Pid)
	if status, err := os.ReadFile(process + "status"); err == nil { // Linux has it
		r.rss = number(rssLine, string(status)) << 10
	}
	files, _ := os.ReadDir(process + "fd")
	r.files = len(files)
	return r, profile, nil
}

func number(line *regexp.Regexp, text string) int64 {
	found := line.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseInt(found[1], 10, 64)
	return n
}

// end is the end of a run: all alerts are delivered, and Caddy said nothing that
// it should not.
func (s *soak) end() {
	s.t.Helper()
	if s.t.Failed() {
		return
	}
	s.alerts()
	s.process.Stop()
	if said := string(s.process.Said()); strings.Contains(said, "panic") {
		s.t.Errorf("Caddy panicked:\n%s", caddytest.Tail([]byte(said), 4<<10))
	}
	s.t.Logf("kinds of requests: %v", s.ledger.counts)
}
