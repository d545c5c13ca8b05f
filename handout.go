package proxypool

import (
	"net/url"
	"time"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/pool"
)

// handout is what is given to those who only want a proxy's address. What they
// send through it is not seen: neither counted, nor failed over.
type handout struct{ forHTTP, forHTTPS dial.Proxy }

// handOut is the proxy that is handed out now, with its addresses. nil where
// none is usable. What is known of the target is taken into account, where it is
// not nil.
func (l *livePool) handOut(t *pool.Target) (*pool.Proxy, handout) {
	proxy := l.Active(t, time.Now())
	if proxy == nil {
		return nil, handout{}
	}
	return proxy, l.hands[proxy.Name]
}

// address is the URL of the proxy for requests of a scheme, with its user part;
// nil where it is direct. SOCKS is given in the form that leaves names to the
// proxy, because local DNS may be poisoned.
func (h handout) address(scheme string) *url.URL {
	p := h.forHTTPS
	if scheme == "http" {
		p = h.forHTTP
	}
	if p.Scheme == direct {
		return nil
	}
	u := &url.URL{Scheme: p.Scheme, Host: p.Addr}
	if p.Scheme == "socks5" {
		u.Scheme = "socks5h"
	}
	if p.HasAuth {
		u.User = url.UserPassword(p.Username, p.Password)
	}
	return u
}
