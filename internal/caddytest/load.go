package caddytest

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

// Load is clients that ask without end.
type Load struct {
	url      string
	pause    time.Duration // of each client, between requests
	client   *http.Client
	stopping chan struct{}
	running  sync.WaitGroup

	// When Caddy reloads, it closes connections of clients: those on which it has
	// not seen the next request yet, and those that it has not accepted yet. Patient
	// clients ask again.
	Patient atomic.Bool

	Answered atomic.Int64
	Failed   atomic.Int64
	mu       sync.Mutex
	failures []string // the first few
}

// Put puts load on a site of Caddy. The clients end before the test does.
func Put(t testing.TB, url string, clients int, pause time.Duration) *Load {
	return PutThrough(t, &http.Transport{MaxIdleConnsPerHost: clients}, url, clients, pause)
}

// PutThrough puts load on a site that is reached in a way of its own.
func PutThrough(t testing.TB, way http.RoundTripper, url string, clients int, pause time.Duration) *Load {
	l := &Load{
		url: url, pause: pause, stopping: make(chan struct{}),
		client: &http.Client{Timeout: 20 * time.Second, Transport: way},
	}
	for i := range clients {
		l.running.Go(func() { l.ask(i) })
	}
	t.Cleanup(l.Stop)
	return l
}

// ask asks until the load is stopped. What was asked for is waited for.
func (l *Load) ask(client int) {
	for n := client; ; n++ {
		select {
		case <-l.stopping:
			return
		default:
		}
		err := l.one(n)
		for again := 0; again < 5 && l.Patient.Load() && Unanswered(err); again++ {
			err = l.one(n)
		}
		if err != nil {
			l.fail(err)
			l.wait(10 * time.Millisecond)
		} else {
			l.Answered.Add(1)
		}
		l.wait(l.pause)
	}
}

// Unanswered reports whether nothing of an answer came.
func Unanswered(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

func (l *Load) wait(d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-l.stopping:
	case <-time.After(d):
	}
}

// one is a request; each fifth has a body.
func (l *Load) one(n int) error {
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

func (l *Load) fail(err error) {
	l.Failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 5 {
		l.failures = append(l.failures, err.Error())
	}
}

// Stop waits until all clients have their last answers.
func (l *Load) Stop() {
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

// MustSucceed stops the load, of which no request may have failed.
func (l *Load) MustSucceed(t testing.TB) {
	t.Helper()
	l.Stop()
	if n := l.Failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, such as %q", n, n+l.Answered.Load(), l.failures)
	}
	if l.Answered.Load() == 0 {
		t.Error("no request was answered")
	}
}
