// Package dial reaches a target through one proxy, by CONNECT, SOCKS5 or
// without any proxy, carries HTTP requests on what it reached, and meters the
// bytes. It decides nothing: which proxy, how long to wait and whether to try
// again is the caller's business, who learns from the errors whose fault a
// failure was.
package dial

import (
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// The schemes of a [Proxy].
const (
	schemeHTTP    = "http"
	schemeHTTPS   = "https"
	schemeSOCKS5  = "socks5"
	schemeSOCKS5H = "socks5h"
	schemeDirect  = "direct"
)

// Proxy says where one upstream proxy is and how it is spoken to.
type Proxy struct {
	// Scheme is http, https, socks5, socks5h or direct (no proxy at all). Both
	// SOCKS forms leave the resolving of names to the proxy, because the local
	// resolver may be poisoned.
	Scheme string

	// Addr is host:port, an IPv6 address in brackets; empty for direct.
	Addr string

	// HasAuth tells whether Username and Password are sent. Either may be empty.
	HasAuth            bool
	Username, Password string
}

// String is scheme://host:port, or "direct". It never holds the user part.
func (p Proxy) String() string {
	if p.direct() {
		return schemeDirect
	}
	return p.Scheme + "://" + p.Addr
}

// Format keeps the password out of %+v and %#v, too.
func (p Proxy) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

func (p Proxy) direct() bool { return p.Scheme == schemeDirect }

// speaksHTTP tells whether the proxy understands requests in absolute-form.
func (p Proxy) speaksHTTP() bool { return p.Scheme == schemeHTTP || p.Scheme == schemeHTTPS }

// basicAuth is the value of Proxy-Authorization; empty where none is sent.
func (p Proxy) basicAuth() string {
	if !p.HasAuth {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password))
}

// hostPort is a target's address, taken apart and found harmless: a host may
// hold nothing that ends a line or a word in a request to the proxy.
type hostPort struct {
	host string
	port uint16
}

func parseHostPort(addr string) (hostPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return hostPort{}, fmt.Errorf("parsing target address: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return hostPort{}, fmt.Errorf("parsing target address %q: port is not a number from 1 to 65535", addr)
	}
	if host == "" || strings.ContainsFunc(host, notInHost) {
		return hostPort{}, fmt.Errorf("parsing target address %q: not a host", addr)
	}
	return hostPort{host: host, port: uint16(n)}, nil
}

func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\?#@"<>[]`, r)
}

func (a hostPort) String() string {
	return net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}
