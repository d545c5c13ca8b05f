package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is clients that ask without end.
type load struct {
	url      string
	pause    time.Duration // of each client, between requests
	client   *http.Client
	stopping chan struct{}
	running  sync.WaitGroup

	// When Caddy reloads, it closes connections of clients: those on which it has
	// not seen the next request yet, and those that it has not accepted yet. Patient
	// clients ask again.
	patient atomic.Bool

	answered atomic.Int64
	failed   atomic.Int64
	mu       sync.Mutex
	failures []string // the first few
}

// put puts load on a site of Caddy. The clients end before the test does.
func put(t *testing.T, url string, clients int, pause time.Duration) *load {
	return putThrough(t, &http.Transport{MaxIdleConnsPerHost: clients}, url, clients, pause)
}

// putThrough puts load on a site that is reached in a way of its own.
func putThrough(t *testing.T, way http.RoundTripper, url string, clients int, pause time.Duration) *load {
	l := &load{
		url: url, pause: pause, stopping: make(chan struct{}),
		client: &http.Client{Timeout: 20 * time.Second, Transport: way},
	}
	for i := range clients {
		l.running.Go(func() { l.ask(i) })
	}
	t.Cleanup(l.stop)
	return l
}

// ask asks until the load is stopped. What was asked for is waited for.
func (l *load) ask(client int) {
	for n := client; ; n++ {
		select {
		case <-l.stopping:
			return
		default:
		}
		err := l.one(n)
		for again := 0; again < 5 && l.patient.Load() && unanswered(err); again++ {
			err = l.one(n)
		}
		if err != nil {
			l.fail(err)
			l.wait(10 * time.Millisecond)
		} else {
			l.answered.Add(1)
		}
		l.wait(l.pause)
	}
}

// unanswered reports whether nothing of an answer came.
func unanswered(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

func (l *load) wait(d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-l.stopping:
	case <-time.After(d):
	}
}

// one is a request; each fifth has a body.
func (l *load) one(n int) error {
	method, path, body := http.MethodGet, fmt.Sprintf("/path/of/forty/characters/or/so/%08d", n), ""
	if n%5 == 0 {
		method, path, body = http.MethodPost, "/echo", strings.Repeat("x", 2000)
	}
	req, err := http.NewRequest(method, l.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %.200s", method, path, resp.Status, got)
	case body != "" && string(got) != body:
		return fmt.Errorf("%s %s: %d bytes came back", method, path, len(got))
	}
	return nil
}

func (l *load) fail(err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 5 {
		l.failures = append(l.failures, err.Error())
	}
}

// stop waits until all clients have their last answers.
func (l *load) stop() {
	l.mu.Lock()
	select {
	case <-l.stopping:
	default:
		close(l.stopping)
	}
	l.mu.Unlock()
	l.running.Wait()
	l.client.CloseIdleConnections()
}

// mustSucceed stops the load, of which no request may have failed.
func (l *load) mustSucceed(t *testing.T) {
	t.Helper()
	l.stop()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, such as %q", n, n+l.answered.Load(), l.failures)
	}
	if l.answered.Load() == 0 {
		t.Error("no request was answered")
	}
}
