package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

const (
	downloadSize = 256 << 10
	smallBody    = 1500
	largeBody    = 200 << 10 // above replay_buffer
	patience     = 60 * time.Second
)

// request is a kind of request.
type request struct {
	kind   string
	method string
	front  string // the part of the site, or "forward"
	what   string // the path's next part
	body   int    // bytes
	header [2]string
	leaves bool // its client may go away in the midst of it
	strict bool // it must succeed as long as one proxy works, up to the beginning of an answer
	often  int
}

var requests = []request{
	{kind: "get", method: "GET", front: "s", what: "get", strict: true, often: 20},
	{kind: "get over http", method: "GET", front: "p", what: "get", strict: true, often: 12},
	{kind: "download", method: "GET", front: "s", what: "download", strict: true, often: 3},
	{kind: "download over http", method: "GET", front: "p", what: "download", strict: true, often: 2},
	{kind: "long poll", method: "GET", front: "s", what: "get", header: [2]string{waitHeader, "3s"}, strict: true, often: 1},
	{kind: "long poll over http", method: "GET", front: "p", what: "get", header: [2]string{waitHeader, "2500ms"}, strict: true, often: 1},
	{kind: "post", method: "POST", front: "s", what: "echo", body: smallBody, often: 12},
	{kind: "post over http", method: "POST", front: "p", what: "echo", body: smallBody, often: 8},
	{kind: "post with a key", method: "POST", front: "s", what: "echo", body: smallBody, header: [2]string{"Idempotency-Key", "yes"}, strict: true, often: 4},
	{kind: "large post", method: "POST", front: "s", what: "echo", body: largeBody, often: 2},
	{kind: "large post over http", method: "POST", front: "p", what: "echo", body: largeBody, often: 1},
	{kind: "put", method: "PUT", front: "s", what: "echo", body: smallBody, strict: true, often: 4},
	{kind: "large put", method: "PUT", front: "p", what: "echo", body: largeBody, often: 1},
	{kind: "blocked get", method: "GET", front: "b", what: "get", header: [2]string{blockHeader, "1"}, often: 1},
	{kind: "blocked post", method: "POST", front: "b", what: "echo", body: smallBody, header: [2]string{blockHeader, "1"}, often: 1},
	{kind: "post to the moody", method: "POST", front: "b", what: "echo", body: smallBody, often: 2},
	{kind: "left get", method: "GET", front: "s", what: "get", header: [2]string{waitHeader, "300ms"}, leaves: true, often: 2},
	{kind: "left download", method: "GET", front: "p", what: "download", leaves: true, often: 2},
	{kind: "left post", method: "POST", front: "s", what: "echo", body: largeBody, leaves: true, often: 1},
	{kind: "forwarded get", method: "GET", front: "forward", what: "get", strict: true, often: 6},
	{kind: "forwarded post", method: "POST", front: "forward", what: "echo", body: smallBody, often: 3},
	{kind: "tunnel", method: "CONNECT", front: "forward", strict: true, often: 3},
	{kind: "upgrade", method: "GET", front: "s", what: "up", header: [2]string{"Upgrade", "echo"}, strict: true, often: 2},
	{kind: "upgrade over http", method: "GET", front: "p", what: "up", header: [2]string{"Upgrade", "echo"}, strict: true, often: 1},
}

// clients come, ask, and go.
type clients struct {
	world   *world
	ledger  *ledger
	process atomic.Pointer[caddytest.Process] // nil while there is none
	seed    uint64
	next    atomic.Int64
	running sync.WaitGroup
	mixture []request // each kind as often as it comes
}

func newClients(w *world, l *ledger, seed uint64) *clients {
	c := &clients{world: w, ledger: l, seed: seed}
	for _, r := range requests {
		for range r.often {
			c.mixture = append(c.mixture, r)
		}
	}
	return c
}

// come lets some clients ask until they are sent away; running is waited for then. Each has connections of its
// own, which it keeps or not.
func (c *clients) come(n int) (send context.CancelFunc) {
	ctx, send := context.WithCancel(c.world.t.Context())
	for range n {
		number := c.next.Add(1)
		one := &client{
			clients: c, rng: rand.New(rand.NewPCG(c.seed, uint64(number))), number: number,
			keep: number%2 == 0,
		}
		c.running.Go(func() { one.ask(ctx) })
	}
	return send
}

// client asks one thing after the other.
type client struct {
	*clients
	rng    *rand.Rand
	number int64
	asked  int
	keep   bool
}

// ask asks until it is to stop. What was asked for is waited for.
func (c *client) ask(ctx context.Context) {
	direct := &http.Transport{DisableKeepAlives: !c.keep}
	through := &http.Transport{DisableKeepAlives: !c.keep, Proxy: func(*http.Request) (*url.URL, error) {
		if p := c.process.Load(); p != nil {
			return &url.URL{Scheme: "http", Host: p.Front}, nil
		}
		return nil, errors.New("no process")
	}}
	defer direct.CloseIdleConnections()
	defer through.CloseIdleConnections()
	for rest := time.Duration(0); wait(ctx, rest); rest = time.Duration(c.rng.IntN(120)) * time.Millisecond {
		p := c.process.Load()
		if p == nil {
			continue
		}
		r := c.mixture[c.rng.IntN(len(c.mixture))]
		c.asked++
		o := outcome{request: r, id: fmt.Sprintf("c%d-%d", c.number, c.asked), began: time.Now()}
		switch {
		case r.kind == "tunnel":
			c.tunnel(&o, p)
		case r.header[0] == "Upgrade":
			c.upgrade(&o, p)
		case r.front == "forward":
			o.path = "/" + r.what + "/" + o.id
			c.exchange(&o, through, c.world.plain.URL()+o.path)
		default:
			o.path = "/" + r.front + "/" + r.what + "/" + o.id
			c.exchange(&o, direct, p.URL+o.path)
		}
		o.ended = time.Now()
		c.ledger.note(o)
	}
}

// wait reports whether the time passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 5*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// exchange is one request, and its answer.
func (c *client) exchange(o *outcome, way *http.Transport, target string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if o.leaves {
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, time.Duration(5+c.rng.IntN(400))*time.Millisecond)
		defer leave()
	}
	body := []byte(textOf(o.id, o.body))
	req, err := http.NewRequestWithContext(ctx, o.method, target, bytes.NewReader(body))
	if err != nil {
		o.err = err
		return
	}
	// Without a second body, and with some of a first one, clients repeat nothing by
	// themselves that was sent.
	req.GetBody = nil
	if o.body == 0 {
		req.Body = io.NopCloser(bytes.NewReader(nil))
	}
	req.Header.Set(proxytest.RequestIDHeader, o.id)
	if o.header[0] != "" {
		req.Header.Set(o.header[0], o.header[1])
	}
	resp, err := way.RoundTrip(req)
	if err == nil {
		defer resp.Body.Close()
		o.status = resp.StatusCode
		err = o.read(resp)
	}
	o.left = o.leaves && ctx.Err() != nil
	o.err = err
}

// read reads an answer, which must be the one to this request.
func (o *outcome) read(resp *http.Response) error {
	got, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.300s", resp.Status, got)
	}
	if err != nil {
		return fmt.Errorf("the answer breaks off after %d bytes: %w", len(got), err)
	}
	size := map[string]int{"get": 300, "download": downloadSize, "echo": o.body}[o.what]
	if want := textOf(o.id, size); string(got) != want {
		return &wrongAnswer{fmt.Sprintf("%d bytes in place of %d: %.60q", len(got), size, got)}
	}
	return nil
}

// wrongAnswer is one that says that it is whole, and is another.
type wrongAnswer struct{ what string }

func (e *wrongAnswer) Error() string { return "wrong answer: " + e.what }
