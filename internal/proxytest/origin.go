package proxytest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// RequestIDHeader names a request for [Origin.Seen].
const RequestIDHeader = "X-Request-Id"

// OriginConfig says what an origin is like. Its zero value is HTTP/1.1 without
// TLS on 127.0.0.1.
type OriginConfig struct {
	TLS   bool
	HTTP2 bool // besides HTTP/1.1; needs TLS
	IPv6  bool
	Delay time.Duration // before each answer

	// Ordinary makes the TLS like that of most servers: the certificate has some
	// 4 kB, which is several packets, and no key exchange is post-quantum, so that
	// to resume a session takes small packets alone.
	Ordinary bool

	// Handler answers instead of the origin's own, which echoes bodies on
	// /echo and answers anything else with some 300 bytes of JSON.
	Handler http.Handler
}

// Origin is a target.
type Origin struct {
	config   OriginConfig
	server   *http.Server
	listener net.Listener
	running  sync.WaitGroup
	stop     context.CancelFunc
	conns    atomic.Int64

	requests atomic.Int64
	delay    atomic.Int64
	handler  atomic.Pointer[http.Handler]

	mu    sync.Mutex
	seen  map[string]int
	state map[net.Conn]http.ConnState
}

// NewOrigin starts an origin for the length of a test.
func NewOrigin(tb testing.TB, config OriginConfig) *Origin {
	tb.Helper()
	o, err := StartOrigin(config)
	if err != nil {
		tb.Fatalf("starting origin: %v", err)
	}
	tb.Cleanup(o.Close)
	return o
}

// StartOrigin starts an origin that the caller closes.
func StartOrigin(config OriginConfig) (*Origin, error) {
	o := &Origin{config: config, seen: make(map[string]int), state: make(map[net.Conn]http.ConnState)}
	o.SetDelay(config.Delay)
	if config.Handler == nil {
		config.Handler = http.HandlerFunc(answer)
	}
	o.SetHandler(config.Handler)

	var err error
	if o.listener, err = listen(loopback(config.IPv6), 0); err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(config.HTTP2)
	o.server = &http.Server{
		Handler: o, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
		ConnState:         o.track,
	}
	// Handlers that wait for the end of their request end with the origin.
	running, stop := context.WithCancel(context.Background())
	o.server.BaseContext = func(net.Listener) context.Context { return running }
	o.stop = stop
	serve := func() error { return o.server.Serve(o.listener) }
	if config.TLS {
		a, err := theAuthority()
		if err != nil {
			return nil, err
		}
		o.server.TLSConfig = a.tlsConfig(config.Ordinary)
		serve = func() error { return o.server.ServeTLS(o.listener, "", "") }
	}
	o.running.Go(func() { _ = serve() })
	return o, nil
}

// Close closes the origin with its connections and waits for its handlers.
func (o *Origin) Close() {
	o.stop()
	_ = o.server.Close()
	o.running.Wait()
}

// CloseIdle closes the connections on which no request is running, as servers
// do after a while.
func (o *Origin) CloseIdle() {
	o.mu.Lock()
	var idle []net.Conn
	for conn, state := range o.state {
		if state == http.StateIdle {
			idle = append(idle, conn)
		}
	}
	o.mu.Unlock()
	for _, conn := range idle {
		_ = conn.Close()
	}
}

func (o *Origin) track(conn net.Conn, state http.ConnState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch state {
	case http.StateNew:
		o.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		delete(o.state, conn)
		return
	}
	o.state[conn] = state
}

// Addr is host:port.
func (o *Origin) Addr() string { return o.listener.Addr().String() }

// Port is the port alone.
func (o *Origin) Port() string { return strconv.Itoa(o.listener.Addr().(*net.TCPAddr).Port) }

// Scheme is http or https.
func (o *Origin) Scheme() string {
	if o.config.TLS {
		return "https"
	}
	return "http"
}

// URL is scheme://host:port.
func (o *Origin) URL() string { return o.Scheme() + "://" + o.Addr() }

// Requests is how many requests came.
func (o *Origin) Requests() int { return int(o.requests.Load()) }

// Conns is how many connections came.
func (o *Origin) Conns() int { return int(o.conns.Load()) }

// Seen is how many requests came under an ID (in [RequestIDHeader]).
func (o *Origin) Seen(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[id]
}

// SetDelay sets the time before each answer.
func (o *Origin) SetDelay(d time.Duration) { o.delay.Store(int64(d)) }

// SetHandler sets who answers.
func (o *Origin) SetHandler(h http.Handler) { o.handler.Store(&h) }

func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.running.Add(1)
	defer o.running.Done()
	o.requests.Add(1)
	if id := r.Header.Get(RequestIDHeader); id != "" {
		o.mu.Lock()
		o.seen[id]++
		o.mu.Unlock()
	}
	if d := time.Duration(o.delay.Load()); d > 0 && !wait(r.Context(), d) {
		return
	}
	(*o.handler.Load()).ServeHTTP(w, r)
}

// wait reports whether the time passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answerJSON is as long as what the APIs that this is for usually say.
var answerJSON = `{"ok":true,"result":{"id":1234567890,"is_bot":true,"first_name":"Example","username":"example_bot","text":"` +
	strings.Repeat("proxytest ", 19) + `"}}`

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/echo" {
		// Otherwise HTTP/1.1 ends the connection when the answer begins before
		// the body was read.
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = io.Copy(w, r.Body)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answerJSON)
}

func loopback(ipv6 bool) net.IP {
	if ipv6 {
		return net.IPv6loopback
	}
	return net.IPv4(127, 0, 0, 1)
}

// listen listens on an address; port 0 is any.
func listen(ip net.IP, port int) (*net.TCPListener, error) {
	return net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port})
}
