package proxypool

import (
	"errors"
	"net/http"
)

// refusal is why a front does nothing for a client.
type refusal struct {
	status int
	text   string
}

var (
	errNoHost      = errors.New("expected the URL of an http target, with a host")
	errConnectBody = errors.New("expected CONNECT without a body")
)

// answer tells the client. After a refused CONNECT the connection is closed:
// what the client may have sent for the tunnel already must not be taken for its
// next request.
func (n *refusal) answer(w http.ResponseWriter, r *http.Request) {
	if n.status == http.StatusProxyAuthRequired {
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy", charset="UTF-8"`)
	}
	endConnection(w, r)
	http.Error(w, http.StatusText(n.status)+": "+n.text, n.status)
}

// endConnection closes the connection of a CONNECT that gets no tunnel.
func endConnection(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}
