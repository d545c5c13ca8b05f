package proxypool

import (
	"errors"
	"net/http"

	"github.com/caddy-proxypool/proxypool/pool"
)

// refusal is why a front does nothing for a client.
type refusal struct {
	status int
	reason string // in one word, for the log
	text   string
}

var (
	errNoHost      = errors.New("expected the URL of an http target, with a host")
	errConnectBody = errors.New("expected CONNECT without a body")
	errNotHTTP     = errors.New("expected CONNECT for a target that is not http://; this client sent the URL itself, as axios did before 1.16.1")
)

// answer tells the client. After a refused CONNECT the connection is closed:
// what the client may have sent for the tunnel already must not be taken for its
// next request.
func (n *refusal) answer(w http.ResponseWriter, r *http.Request, poolName string) {
	givePlaceholders(r, &pool.Trace{Pool: poolName, Err: n.reason})
	if n.status == http.StatusProxyAuthRequired {
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy", charset="UTF-8"`)
	}
	beProxy(w, r, n.status)
	http.Error(w, http.StatusText(n.status)+": "+n.text, n.status)
}

// beProxy makes an answer recognisable as the proxy's own, by the error of RFC
// 9209, so that a proxypool before this one does not take it for the target's. The
// connection of a CONNECT that gets no tunnel is closed.
func beProxy(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Proxy-Status", "proxypool; error="+proxyError(status))
	if r.Method == http.MethodConnect && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// proxyError is the type of error (RFC 9209, 2.3) that comes nearest to a status.
func proxyError(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusProxyAuthRequired:
		return "http_request_denied"
	case http.StatusLoopDetected:
		return "proxy_loop_detected"
	case http.StatusGatewayTimeout:
		return "connection_timeout"
	default:
		return "destination_unavailable"
	}
}
