package proxypool

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-proxypool/proxypool/pool"
)

// targeter knows the target of a request.
type targeter interface{ target() *pool.Target }

// passage is one request on its way through a front.
type passage struct {
	*carrier
	writer    http.ResponseWriter
	to        targeter
	*entrance // of the forward front, whose clients know that they speak to a proxy

	proxy  httputil.ReverseProxy
	start  time.Time
	trace  pool.Trace
	status int
	err    *pool.Error
}

// forwardAs forwards the request as rewrite makes it, and answers it.
func (p *passage) forwardAs(r *http.Request, rewrite func(*httputil.ProxyRequest)) error {
	p.start = time.Now()
	defer p.record(r) // also where a broken answer makes ReverseProxy panic
	p.proxy = httputil.ReverseProxy{
		Rewrite:      rewrite,
		Transport:    p,
		BufferPool:   copyBuffers,
		ErrorLog:     p.errorLog,
		ErrorHandler: p.failed,
	}
	p.proxy.ServeHTTP(p.writer, r)
	if p.err == nil {
		return nil
	}
	return p.answerFailure(p.writer, r)
}

// RoundTrip implements http.RoundTripper for ReverseProxy.
func (p *passage) RoundTrip(req *http.Request) (*http.Response, error) {
	p.app.begin(req.Context())
	if err := p.enter(); err != nil {
		p.pool.State().Refused(errCrowded.Status)
		return nil, err
	}
	defer p.leave()
	resp, err := p.forward.Forward(req, p.to.target(), &p.trace)
	if err != nil {
		return nil, err
	}
	p.status = resp.StatusCode
	if req.Body != nil {
		// The answer may have come before the body's end. Over HTTP/1.1 the server
		// would now read the rest for itself, and the target get a part of it.
		_ = http.NewResponseController(p.writer).EnableFullDuplex()
	}
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
	p.app.enter(r, p.start, p.status, &p.trace)
	p.log()
}

// log tells the request's story to those who look for it, without the path,
// which may hold a token.
func (p *passage) log() {
	if c := p.logger.Check(zapcore.DebugLevel, "forwarded request"); c != nil {
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

// answerFailure tells the client. Error routes of the server get the error;
// where there are none the answer is written here, because Caddy would log the
// error with the URI of the request, and in that may be a bot token. It names
// what was tried and how that ended, and no address.
func (p *passage) answerFailure(w http.ResponseWriter, r *http.Request) error {
	if p.entrance != nil {
		beProxy(w, r, p.err.Status)
	}
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
