package proxypool

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/relay"
)

// tunnel is a tunnel that stands, from the client to the target. It lives on
// what it began with, whatever becomes of the configuration.
type tunnel struct {
	*pool.Tunnel
	relay  *relay.Relay
	front  *ForwardFront
	client netip.Addr
	user   string
	host   string
	port   uint16
	start  time.Time

	listed   bool
	heard    int64        // bytes from the target when last looked at
	deadline atomic.Int64 // Unix nanoseconds, 0 for none
}

// tunnel opens a tunnel through the pool, tells the client when it stands, and
// leaves it to itself. On HTTP/1.1 the connection is taken from the server, so
// that nothing of the request stays in memory; on others it cannot be.
func (f *ForwardFront) tunnel(w http.ResponseWriter, r *http.Request, v *visit) error {
	if f.app.registry.tunnels.over() {
		stopping := refusal{http.StatusServiceUnavailable, "stopping", "the proxy is being stopped"}
		f.pool.State().Refused(stopping.status)
		stopping.answer(w, r, f.pool.Name)
		return nil
	}
	p := &passage{carrier: &f.carrier, writer: w, entrance: &f.entrance, start: time.Now()}
	p.placeholders(r)
	f.app.begin(r.Context())
	opened, err := p.open(r.Context(), v)
	if err != nil {
		p.failed(w, r, err)
		p.record(r)
		return p.answerFailure(w, r)
	}
	t := &tunnel{
		Tunnel: opened, front: f, start: p.start,
		client: v.client, user: v.user, host: v.host, port: v.port,
	}
	if r.ProtoMajor > 1 {
		return t.stream(w, r, &p.trace)
	}
	return t.takeOver(w)
}

// open opens the tunnel.
func (p *passage) open(ctx context.Context, v *visit) (*pool.Tunnel, error) {
	if err := p.entrance.enter(); err != nil {
		p.pool.State().Refused(errCrowded.Status)
		return nil, err
	}
	defer p.entrance.leave()
	return p.forward.Tunnel(ctx, v.tunnelTarget(), v.via.String(), &p.trace)
}

// tunnelTarget is what is known of the visit's target. Where answers of the API
// can block a proxy, that holds for tunnels, too.
func (v *visit) tunnelTarget() *pool.Target {
	l, addr := v.front.pool, v.addr()
	t := l.State().Target(pool.TargetKey{Scheme: pool.SchemeTunnel, Addr: addr, Guard: string(v.front.guard)}, nil)
	if len(l.Blocks) > 0 {
		t.SharesBlocks(l.State().Known(pool.TargetKey{Scheme: "https", Addr: addr, Trust: l.trust.id}))
	}
	return t
}

// The reasons for which a tunnel is cut, in one word each.
var (
	errIdle       = cut("idle_timeout")  // nothing moved
	errGrace      = cut("tunnel_grace")  // its configuration is gone for too long
	errDisallowed = cut("not_allowed")   // its configuration is gone, and the new one does not allow it
	errCheaper    = cut("cheaper_proxy") // it rests on a metered proxy, and a cheaper one is back
	errStopped    = cut("stopped")       // the program ends
)

type cut string

func (c cut) Error() string { return string(c) }

// between makes the relay between the client and the target, and lists the
// tunnel. From then on it must be run.
func (t *tunnel) between(client relay.Stream) {
	t.relay = relay.New(client, t.Pipe.(*dial.Conn))
	t.relay.OnAnswer(t.Answered)
	t.front.app.registry.tunnels.begin(t)
}

// run carries what is said in the tunnel until its end.
func (t *tunnel) run(early []byte) {
	defer t.front.app.registry.tunnels.end(t)
	t.finish(t.relay.Run(early))
}

// finish notes how the tunnel ended.
func (t *tunnel) finish(end relay.End) {
	a := t.relay.Activity()
	e := pool.TunnelEnd{
		FromClient: a.FromClient, FromTarget: a.FromTarget, ClientLast: a.ClientLast,
		Quiet:       time.Since(a.LastMove),
		ClientFirst: end.First == relay.Client, TargetFirst: end.First == relay.Target,
	}
	var reason cut
	switch {
	case errors.As(end.Err, &reason):
		e.Cut = string(reason)
	case end.By == relay.Target:
		e.Broke = dial.PipeReason(end.Err)
	}
	t.End(e)
	in, out := t.Trace.Traffic()
	t.record(in, out)
	t.log(in, out)
}

// record writes the tunnel down in the usage log.
func (t *tunnel) record(in, out int64) {
	t.front.app.books.Enter(books.Entry{
		Start: t.start, Duration: time.Since(t.start), Trace: t.Trace,
		Method: http.MethodConnect, Status: http.StatusOK, BytesIn: in, BytesOut: out,
	})
}

// log tells of the tunnel's end: Caddy's access log has its beginning alone. It
// does so where there is an access log, and for those who look for it.
func (t *tunnel) log(in, out int64) {
	level := zapcore.DebugLevel
	if t.front.accessLog {
		level = zapcore.InfoLevel
	}
	c := t.front.logger.Check(level, "tunnel ended")
	if c == nil {
		return
	}
	c.Write(
		zap.String("pool", t.Trace.Pool),
		zap.String("proxy", t.Trace.Proxy),
		zap.String("target", t.Trace.Target),
		zap.Stringer("client", t.client),
		zap.String("user", t.user),
		zap.Duration("duration", time.Since(t.start)),
		zap.Int64("bytes_in", in),
		zap.Int64("bytes_out", out),
		zap.String("trail", t.Trace.String()),
		zap.String("reason", t.Trace.Err))
}
