package proxypool

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// ForwardFront is the forward front: it takes CONNECT and absolute-form
// requests from clients that know it as their proxy, and sends them through the
// cheapest proxy of a pool that works. Everything else is for the next handler.
type ForwardFront struct {
	FrontConfig

	carrier
	allow     allowList
	clients   clientList
	logins    *logins
	guard     guard
	entrance  entrance
	listen    []string // where the front's server listens
	accessLog bool     // the server has one
}

// CaddyModule returns the Caddy module information.
func (*ForwardFront) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxy_pool_forward", New: func() caddy.Module { return new(ForwardFront) }}
}

// ServeHTTP carries one request, or opens one tunnel.
func (f *ForwardFront) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !isForwarded(r) {
		return next.ServeHTTP(w, r)
	}
	v, refused := f.admitted(r)
	if refused != nil {
		f.pool.State().Refused(refused.status)
		refused.answer(w, r, f.pool.Name)
		return nil
	}
	if r.Method == http.MethodConnect {
		return f.tunnel(w, r, v)
	}
	p := &passage{carrier: &f.carrier, writer: w, to: v, entrance: &f.entrance}
	p.placeholders(r)
	return p.forwardAs(withVia(r, v.via), v.rewrite)
}

// isForwarded reports whether a request is for a proxy: CONNECT, or a whole URL in
// the request line. HTTP/2 and HTTP/3 don't tell such a URL from that of an
// ordinary request. CONNECT with a protocol (RFC 8441) is a WebSocket for a site.
//
// Only http is forwarded by its URL. But nobody sends another URL who does not take
// this for a proxy, and what a site would answer, such as an empty 200, must not be
// taken for the target's answer.
func isForwarded(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return r.Header.Get(":protocol") == "" && (r.ProtoMajor != 3 || r.Proto == "HTTP/3.0")
	}
	return r.ProtoMajor == 1 && r.URL.Scheme != "" && (r.URL.Host != "" || r.URL.Opaque != "")
}

// visit is what an admitted client wants.
type visit struct {
	front  *ForwardFront
	client netip.Addr
	user   string
	host   string
	port   uint16
	via    via
}

// admitted says what the client wants, or why it does not get it. Who asks is
// looked at first, so that strangers learn nothing of what is allowed.
func (f *ForwardFront) admitted(r *http.Request) (*visit, *refusal) {
	v := &visit{front: f, client: clientAddr(r)}
	if !f.clients.admits(v.client) {
		return nil, &refusal{http.StatusForbidden, "client_not_allowed", "this client may not use the proxy"}
	}
	var ok bool
	login := r.Header.Get("Proxy-Authorization")
	if v.user, ok = f.logins.check(r.Context(), v.client, login); !ok {
		reason := "login_wrong"
		if login == "" {
			reason = "login_missing"
		}
		return nil, &refusal{http.StatusProxyAuthRequired, reason, "user name and password are wrong or missing"}
	}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && v.user != "" {
		repl.Set("http.auth.user.id", v.user) // for the access log, as http.authentication does
	}
	if err := v.read(r); err != nil {
		return nil, &refusal{http.StatusBadRequest, "bad_request", err.Error()}
	}
	if v.via.goesRound(f.pool.Name) {
		return nil, &refusal{http.StatusLoopDetected, "loop", "the request came through this proxy already: a proxy of the pool leads back to it"}
	}
	if !f.allow.allows(v.host, v.port) {
		return nil, &refusal{http.StatusForbidden, "target_not_allowed", fmt.Sprintf("%s is not allowed here", v.addr())}
	}
	return v, nil
}

// read finds the target.
func (v *visit) read(r *http.Request) (err error) {
	if r.Method != http.MethodConnect {
		const defaultPort = 80
		switch {
		case r.URL.Scheme != "http":
			return errNotHTTP
		case r.URL.Opaque != "":
			return errNoHost
		}
		v.via = v.front.app.registry.errands.of(r)
		v.host, v.port, err = parseAuthority(r.URL.Host, defaultPort)
		return err
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		if r.ProtoMajor == 1 { // on HTTP/2 the length is unknown, and the body is the tunnel
			return errConnectBody
		}
	}
	v.via = viaOf(r.Header["Via"])
	authority := r.RequestURI
	if r.ProtoMajor > 1 {
		authority = r.Host
	}
	v.host, v.port, err = connectTarget(authority)
	return err
}

// addr is the target as host:port.
func (v *visit) addr() string { return net.JoinHostPort(v.host, strconv.Itoa(int(v.port))) }

// target implements [targeter] for requests in absolute-form.
func (v *visit) target() *pool.Target {
	l := v.front.pool
	return l.State().Target(pool.TargetKey{Scheme: "http", Addr: v.addr(), Guard: string(v.front.guard)}, nil)
}

// rewrite makes the request one for the target.
func (v *visit) rewrite(r *httputil.ProxyRequest) {
	host := v.addr()
	if v.port == 80 {
		host = bracketed(v.host)
	}
	r.Out.URL.Host, r.Out.URL.User = host, nil
	r.Out.Host = host
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as the client wrote it
	r.Out.Trailer = r.In.Trailer           // its values come when the body was read
	removeTraces(r.Out.Header)
}

// bracketed is a host as it stands in a URL.
func bracketed(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		return "[" + host + "]"
	}
	return host
}

// clientAddr is the address that a request came from; the zero value on a Unix
// socket.
func clientAddr(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// Interface guards
var (
	_ caddy.Provisioner           = (*ForwardFront)(nil)
	_ caddyhttp.MiddlewareHandler = (*ForwardFront)(nil)
)
