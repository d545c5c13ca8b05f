package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// load is apps that ask without end, of which each counts on another promise.
type load struct {
	t        testing.TB
	caddy    *caddy
	api      *api
	stopping chan struct{}
	running  sync.WaitGroup
	last     atomic.Int64 // the number of the last request

	mu      sync.Mutex
	good    time.Time     // when a GET was answered last
	gap     time.Duration // the longest without one, since it was set to 0
	carrier string        // of the last GET that was answered
	streak  int           // how many in a row that one carried
	posts   []post
	broken  []string // promises
}

// post is a request that must not be sent twice.
type post struct {
	id, target string
	err        error
}

const (
	between  = 40 * time.Millisecond // the requests of one client
	patience = 40 * time.Second      // how long a client waits for an answer
)

// pressed begins a load, which ends with the test at the latest.
func pressed(t testing.TB, c *caddy, a *api) *load {
	l := &load{t: t, caddy: c, api: a, stopping: make(chan struct{}), good: time.Now()}
	ways := c.ways(t, a)
	reverse := slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return w.front != "reverse front" })
	for i := range reverse {
		// Connections of its own to Caddy, so that a POST that waits keeps nobody up.
		reverse[i].client = &http.Client{Transport: &http.Transport{}, Timeout: patience}
		t.Cleanup(reverse[i].client.CloseIdleConnections)
		l.running.Go(func() { l.repeat(func() { l.get(reverse[i]) }) })
		l.running.Go(func() { l.repeat(func() { l.post(reverse[i]) }) })
	}
	for _, w := range ways {
		if w.front == "forward front" && w.target == "https" {
			// A tunnel for each request.
			once := w.client.Transport.(*http.Transport).Clone()
			once.DisableKeepAlives = true
			w.client = &http.Client{Transport: once, Timeout: patience}
			l.running.Go(func() { l.repeat(func() { l.tunnel(w) }) })
		}
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) repeat(one func()) {
	for {
		select {
		case <-l.stopping:
			return
		case <-time.After(between):
			one()
		}
	}
}

// stop waits until all have their last answers.
func (l *load) stop() {
	l.mu.Lock()
	select {
	case <-l.stopping:
	default:
		close(l.stopping)
	}
	l.mu.Unlock()
	l.running.Wait()
}

// refused is an answer that is not the target's.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %.200s", r.status, r.text) }

// ask asks once. A *refused is Caddy's answer. The right ones are so short that all
// of them is there before anything reaches the client.
func (l *load) ask(w way, method, id string) (carrier string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("body of " + id)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.base+"/load", body)
	if err != nil {
		return "", err
	}
	req.Header.Set(proxytest.RequestIDHeader, id)
	resp, err := w.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("the answer breaks off: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", &refused{resp.StatusCode, string(text)}
	}
	return resp.Header.Get(carrierHeader), nil
}

const carrierHeader = "X-Carrier" // the sites tell in it who carried the request

func (l *load) nextID() string { return fmt.Sprintf("request-%d", l.last.Add(1)) }

// get is a request that may not fail.
func (l *load) get(w way) {
	carrier, err := l.ask(w, http.MethodGet, l.nextID())
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.breaks("GET of an %s target: %v", w.target, err)
		return
	}
	now := time.Now()
	l.gap = max(l.gap, now.Sub(l.good))
	l.good = now
	if carrier != l.carrier {
		l.carrier, l.streak = carrier, 0
	}
	l.streak++
}

// post is one that may fail where bytes of it had been sent. Whether it came twice
// is looked at in the end.
func (l *load) post(w way) {
	id := l.nextID()
	_, err := l.ask(w, http.MethodPost, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts = append(l.posts, post{id, w.target, err})
	if err == nil {
		return
	}
	if refusal, ok := errors.AsType[*refused](err); !ok || !sent(w.target, refusal.text) {
		l.breaks("POST to an %s target: %v", w.target, err)
	}
}

// sent reports whether an error says that bytes of the request had been sent. On an
// http target that is also where the proxy itself has answered.
func sent(target, text string) bool {
	_, text, _ = strings.Cut(text, ": ")
	reason, _, _ := strings.Cut(text, " ")
	switch strings.TrimSpace(reason) {
	case "conn_closed", "conn_reset", "conn_timeout", "target_reset", "silent", "response_timeout", "stale", "send_failed", "broken_answer":
		return true
	case "proxy_auth", "proxy_answer":
		return !strings.HasPrefix(target, "https")
	}
	return false
}

// tunnel is one that must stand. What breaks in it later is between its ends.
func (l *load) tunnel(w way) {
	_, err := l.ask(w, http.MethodGet, l.nextID())
	if err != nil && notStanding(err) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.breaks("tunnel: %v", err)
	}
}

// notStanding reports whether the front has refused the tunnel, or not answered.
func notStanding(err error) bool {
	text := err.Error()
	for status := http.StatusBadRequest; status < 600; status++ {
		if word := http.StatusText(status); word != "" && strings.HasSuffix(text, ": "+word) {
			return true
		}
	}
	return strings.Contains(text, "proxyconnect ") || strings.Contains(text, "Client.Timeout") || strings.Contains(text, "deadline exceeded")
}

// breaks notes a promise that was not kept.
func (l *load) breaks(format string, args ...any) {
	l.broken = append(l.broken, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// carried reports whether the last requests all went through a proxy.
func (l *load) carried(by string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carrier == by && l.streak >= 20
}

// began starts to measure anew.
func (l *load) began() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gap, l.good, l.streak = 0, time.Now(), 0
}

// told reports what was broken since it was asked before, and returns the longest
// time without a good answer and how many POSTs failed.
func (l *load) told(t *testing.T) (gap time.Duration, failed int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.broken); n > 0 {
		t.Errorf("%d promises were broken, such as\n%s", n, strings.Join(l.broken[:min(n, 5)], "\n"))
	}
	for _, p := range l.posts {
		count := 0
		for _, target := range l.api.targets {
			count += target.origin.Seen(p.id)
		}
		if p.err != nil {
			failed++
		}
		if count > 1 || count == 0 && p.err == nil {
			t.Errorf("the POST %s to %s came %d times (%v)", p.id, p.target, count, p.err)
		}
	}
	gap = l.gap
	l.broken, l.posts = nil, nil
	return gap, failed
}
