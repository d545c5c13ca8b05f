package proxytest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Kind is how a proxy is spoken to.
type Kind int

// The kinds of a [Proxy].
const (
	HTTP  Kind = iota
	HTTPS      // HTTP in TLS
	SOCKS5
)

func (k Kind) String() string { return [...]string{"http", "https", "socks5"}[k] }

// ProxyConfig says what a proxy is like. Its zero value is an HTTP proxy
// without password on 127.0.0.1.
type ProxyConfig struct {
	Kind               Kind
	Username, Password string // both empty: open to everyone
	IPv6               bool
	IP                 net.IP // to listen on instead of loopback

	// Hosts resolves the targets that are in it (host:port to host:port).
	Hosts map[string]string
}

func (c *ProxyConfig) ip() net.IP {
	if c.IP != nil {
		return c.IP
	}
	return loopback(c.IPv6)
}

// Proxy is an upstream proxy.
type Proxy struct {
	config    ProxyConfig
	port      int
	transport *http.Transport // for absolute-form
	running   sync.WaitGroup

	accepted, standing   atomic.Int64
	fromClient, toClient atomic.Int64

	mu       sync.Mutex
	mode     Mode
	changed  chan struct{} // closed when mode is set
	listener *net.TCPListener
	fillers  []net.Conn // that keep the backlog full
	sessions map[*session]struct{}
	connects map[string]int
	forwards map[string]int
	closed   bool
}

// NewProxy starts a proxy for the length of a test.
func NewProxy(tb testing.TB, config ProxyConfig) *Proxy {
	tb.Helper()
	p, err := StartProxy(config)
	if err != nil {
		tb.Fatalf("starting proxy: %v", err)
	}
	tb.Cleanup(p.Close)
	return p
}

// StartProxy starts a proxy that the caller closes.
func StartProxy(config ProxyConfig) (*Proxy, error) {
	p := &Proxy{
		config: config, changed: make(chan struct{}), sessions: make(map[*session]struct{}),
		connects: make(map[string]int), forwards: make(map[string]int),
	}
	p.transport = &http.Transport{DialContext: p.dialTarget, DisableCompression: true, MaxIdleConnsPerHost: 256}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listenLocked(); err != nil {
		return nil, err
	}
	p.port = p.listener.Addr().(*net.TCPAddr).Port
	return p, nil
}

// Close closes the proxy with its connections and waits for its goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.unlistenLocked()
	for s := range p.sessions {
		s.close()
	}
	p.mu.Unlock()
	p.transport.CloseIdleConnections()
	p.running.Wait()
}

// Addr is host:port.
func (p *Proxy) Addr() string {
	return net.JoinHostPort(p.config.ip().String(), fmt.Sprint(p.port))
}

// URL is scheme://user:password@host:port.
func (p *Proxy) URL() string {
	u := url.URL{Scheme: p.config.Kind.String(), Host: p.Addr()}
	if p.wantsLogin() {
		u.User = url.UserPassword(p.config.Username, p.config.Password)
	}
	return u.String()
}

func (p *Proxy) wantsLogin() bool { return p.config.Username != "" || p.config.Password != "" }

// Accepted is how many connections came.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Standing is how many connections there are.
func (p *Proxy) Standing() int { return int(p.standing.Load()) }

// Connects is how many tunnels to a target were asked for, in any mode that
// reads as much.
func (p *Proxy) Connects(target string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connects[target]
}

// Forwards is how many requests in absolute-form for a target came.
func (p *Proxy) Forwards(target string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forwards[target]
}

// Bytes is how many bytes crossed the connections with clients.
func (p *Proxy) Bytes() (fromClient, toClient int64) { return p.fromClient.Load(), p.toClient.Load() }

// Mode is what the proxy does at present.
func (p *Proxy) Mode() Mode {
	m, _ := p.current()
	return m
}

func (p *Proxy) current() (m Mode, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

// SetMode changes what the proxy does, from now on.
func (p *Proxy) SetMode(m Mode) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	was := p.mode
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	if m.resets() {
		for s := range p.sessions {
			s.reset()
		}
	}
	if m.behaviour == breakMidAnswer {
		for s := range p.sessions {
			s.answered.Store(0)
		}
	}
	if was.behaviour == m.behaviour {
		return nil
	}
	if was.behaviour == backlogFull || m.behaviour == backlogFull || m.behaviour == refuse {
		p.unlistenLocked()
	}
	switch {
	case m.behaviour == refuse:
		return nil
	case p.listener == nil:
		return p.listenLocked()
	default:
		return nil
	}
}

// MustSetMode is [Proxy.SetMode] for tests.
func (p *Proxy) MustSetMode(tb testing.TB, m Mode) {
	tb.Helper()
	if err := p.SetMode(m); err != nil {
		tb.Fatalf("changing what the proxy does: %v", err)
	}
}

// listenLocked listens, on the same port each time.
func (p *Proxy) listenLocked() (err error) {
	if p.listener, err = listen(p.config.ip(), p.port); err != nil {
		return err
	}
	if p.mode.behaviour == backlogFull {
		return p.fillBacklogLocked()
	}
	l := p.listener
	p.running.Go(func() { p.accept(l) })
	return nil
}

func (p *Proxy) unlistenLocked() {
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for _, c := range p.fillers {
		_ = c.Close()
	}
	p.fillers = nil
}

// fillBacklogLocked makes the backlog as short as it can be and connects until
// a connect hangs.
func (p *Proxy) fillBacklogLocked() error {
	if err := shortenBacklog(p.listener); err != nil {
		return err
	}
	for range 64 {
		c, err := net.DialTimeout("tcp", p.Addr(), 100*time.Millisecond)
		if err != nil {
			return nil //nolint:nilerr // a connect that hangs is what was wanted
		}
		p.fillers = append(p.fillers, c)
	}
	return fmt.Errorf("filling backlog: the system takes more than %d connections", len(p.fillers))
}
