package proxypool

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Handler is the reverse front: it forwards a route to one target through the
// cheapest proxy of a pool that works.
//
// It stands on net/http/httputil.ReverseProxy and not on Caddy's reverse_proxy,
// because all that Caddy's adds (upstreams, balancing, retries, buffering) is
// what the pool does for itself, and costs about a third of the requests per
// second: docs/performance.md has the figures. ReverseProxy does what is left,
// and does it well: hop-by-hop fields, trailers, upgrades, streaming, 1xx.
type Handler struct {
	HandlerConfig

	app      *App
	pool     *livePool
	url      *url.URL
	trust    trust
	known    atomic.Pointer[pool.Target]
	forward  *pool.Forwarder
	logger   *zap.Logger
	errorLog *log.Logger
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxy_pool", New: func() caddy.Module { return new(Handler) }}
}

// Provision finds the pool and the target.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := h.validate(); err != nil {
		return err
	}
	var err error
	if h.app, h.pool, err = loadPool(ctx, h.Pool); err != nil {
		return err
	}
	if h.url, err = targetURL(h.Target); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if h.trust, err = h.pool.trustOf(ctx, h.app, &h.ForwardConfig); err != nil {
		return err
	}
	h.forward = pool.NewForwarder(h.pool.Pool, h.ForwardConfig.Over(h.pool.forward).forwarding())
	h.logger = ctx.Logger()
	h.errorLog, err = zap.NewStdLogAt(h.logger, zapcore.DebugLevel)
	return err
}

// targetURL is the URL of a target as requests name it: without the port where
// that is the scheme's own, because clients leave it out of Host, too.
func targetURL(raw string) (*url.URL, error) {
	scheme, addr, err := parseTarget(raw)
	if err != nil {
		return nil, err
	}
	if own := map[string]string{"http": ":80", "https": ":443"}[scheme]; strings.HasSuffix(addr, own) {
		addr = strings.TrimSuffix(addr, own)
	}
	return &url.URL{Scheme: scheme, Host: addr}, nil
}

// trustOf is the trust of a front: its own, or its pool's.
func (l *livePool) trustOf(ctx caddy.Context, app *App, f *ForwardConfig) (trust, error) {
	if absent(f.TLSTrustPoolRaw) {
		return l.trust, nil
	}
	return app.registry.loadTrust(ctx, f, f.TLSTrustPoolRaw)
}

// ServeHTTP forwards one request. Only the configured target is ever reached,
// whatever the request line says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	p := &passage{handler: h, writer: w}
	p.placeholders(r)
	if r.Method == http.MethodConnect {
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		http.Error(w, "CONNECT is for a forward proxy; this one only forwards to its own target", http.StatusMethodNotAllowed)
		return nil
	}
	if r.URL.Opaque != "" {
		// "x:http://elsewhere/" would reach the target in absolute-form, and win
		// over Host there (RFC 9112, 3.2.2).
		http.Error(w, "the request target is no path", http.StatusBadRequest)
		return nil
	}
	p.start = time.Now()
	defer p.record(r) // also where a broken answer makes ReverseProxy panic
	p.proxy = httputil.ReverseProxy{
		Rewrite:      h.rewrite,
		Transport:    p,
		BufferPool:   copyBuffers,
		ErrorLog:     h.errorLog,
		ErrorHandler: p.failed,
	}
	p.proxy.ServeHTTP(w, r)
	if p.err == nil {
		return nil
	}
	return p.answerFailure(w, r)
}

// target is what is known of the target. It was made by the first request, and
// is made anew where it was forgotten because others were asked for.
func (h *Handler) target() *pool.Target {
	if t := h.known.Load(); t != nil && !t.Evicted() {
		return t
	}
	t := h.pool.target(h.url, h.trust)
	h.known.Store(t)
	return t
}

// rewrite makes the request one for the target.
func (h *Handler) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.User = h.url.Scheme, h.url.Host, nil
	r.Out.Host = h.url.Host
	// As the client wrote it: what ReverseProxy could not parse is not ours to drop.
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	// Not a copy: its values come when the body was read.
	r.Out.Trailer = r.In.Trailer
	removeTraces(r.Out.Header)
}

// removeTraces removes what would tell the target of the app: fields that
// proxies and Caddy add about the client.
func removeTraces(header http.Header) {
	for field := range header {
		switch {
		case strings.HasPrefix(field, "X-Forwarded-"), field == "Forwarded", field == "Via", field == "X-Real-Ip":
			delete(header, field)
		}
	}
}

// passage is one request on its way through the handler.
type passage struct {
	handler *Handler
	writer  http.ResponseWriter
	proxy   httputil.ReverseProxy
	start   time.Time
	trace   pool.Trace
	status  int
	err     *pool.Error
}

// RoundTrip implements http.RoundTripper for ReverseProxy.
func (p *passage) RoundTrip(req *http.Request) (*http.Response, error) {
	h := p.handler
	h.app.begin(req.Context())
	resp, err := h.forward.Forward(req, h.target(), &p.trace)
	if err != nil {
		return nil, err
	}
	p.status = resp.StatusCode
	if len(resp.Header["Server"]) > 0 {
		delete(p.writer.Header(), "Server") // the target's, not Caddy's
	}
	return resp, nil
}

// failed notes a failure for ServeHTTP to answer. One that comes after the
// answer began (an upgrade that went wrong) is no *pool.Error.
func (p *passage) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	if !errors.As(err, &p.err) {
		p.err = &pool.Error{Status: http.StatusBadGateway, Reason: "error", Err: err}
	}
	p.status = p.err.Status
}

// record writes the request down: in the usage log and, for those who look for
// it, in Caddy's log.
func (p *passage) record(r *http.Request) {
	p.handler.app.enter(r, p.start, p.status, &p.trace)
	p.log()
}

// log tells the request's story to those who look for it, without the path,
// which may hold a token.
func (p *passage) log() {
	if c := p.handler.logger.Check(zapcore.DebugLevel, "forwarded request"); c != nil {
		var cause error
		if p.err != nil {
			cause = p.err
		}
		c.Write(
			zap.String("pool", p.trace.Pool),
			zap.String("proxy", p.trace.Proxy),
			zap.String("target", p.trace.Target),
			zap.Int("attempts", p.trace.Attempts()),
			zap.Duration("connect", p.trace.Connect),
			zap.String("trail", p.trace.String()),
			zap.String("reason", p.trace.Err),
			zap.Error(cause))
	}
}

// placeholders gives the request's story to the placeholders, which are asked
// for when the access log is written.
func (p *passage) placeholders(r *http.Request) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) { return placeholder(&p.trace, key) })
	}
}

const placeholderPrefix = "http.proxy_pool."

// placeholder is the value of one placeholder of a request's story.
func placeholder(t *pool.Trace, key string) (any, bool) {
	name, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	switch name {
	case "proxy":
		return t.Proxy, true
	case "pool":
		return t.Pool, true
	case "target":
		return t.Target, true
	case "attempts":
		return t.Attempts(), true
	case "connect_ms":
		return t.Connect.Milliseconds(), true
	case "error":
		return t.Err, true
	case "trail":
		return t.String(), true
	}
	return nil, false
}

// placeholderNames are all of them, for where they are set one by one.
var placeholderNames = []string{"proxy", "pool", "target", "attempts", "connect_ms", "error", "trail"}

// answerFailure tells the client. Error routes of the server get the error;
// where there are none the answer is written here, because Caddy would log the
// error with the URI of the request, and in that may be a bot token. It names
// what was tried and how that ended, and no address.
func (p *passage) answerFailure(w http.ResponseWriter, r *http.Request) error {
	if p.err.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.err.RetryAfter+time.Second-1)/time.Second)))
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if ok && server.Errors != nil && len(server.Errors.Routes) > 0 {
		return caddyhttp.Error(p.err.Status, p.err)
	}
	text := http.StatusText(p.err.Status)
	if text == "" {
		text = "Client Closed Request"
	}
	answer := fmt.Sprintf("%d %s: %s", p.err.Status, text, p.err.Reason)
	if p.trace.Attempts() > 0 {
		answer += " (" + p.trace.String() + ")"
	}
	http.Error(w, answer, p.err.Status)
	return nil
}

// copyBuffers are for copying answers to clients.
var copyBuffers = &bufferPool{}

const copyBufferSize = 32 << 10

type bufferPool struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *bufferPool) Get() []byte {
	if buf, ok := b.pool.Get().(*[copyBufferSize]byte); ok {
		return buf[:]
	}
	return new([copyBufferSize]byte)[:]
}

// Put implements httputil.BufferPool.
func (b *bufferPool) Put(buf []byte) {
	if len(buf) == copyBufferSize {
		b.pool.Put((*[copyBufferSize]byte)(buf))
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
