package dial

import (
	"net/http"
	"net/url"
	"strings"
)

const (
	headerProxyAuthorization = "Proxy-Authorization"
	headerProxyAuthenticate  = "Proxy-Authenticate"
	headerProxyStatus        = "Proxy-Status"
	headerSquidError         = "X-Squid-Error"
)

// AbsoluteForm reports whether requests go to the proxy as they are, with the
// whole URL in the request line, because the target is http.
func (c *HTTPConn) AbsoluteForm() bool { return c.absoluteForm }

// prepare makes the request fit for the connection: a password for the proxy
// goes to the proxy it belongs to, and nowhere else, and the request line names
// a path, or what is made here. The request itself is not modified, and not
// copied where it can go as it is.
func (c *HTTPConn) prepare(req *http.Request) *http.Request {
	_, foreign := req.Header[headerProxyAuthorization]
	u := req.URL
	switch {
	case u == nil: // which net/http refuses
	case c.absoluteForm:
		u = absoluteURL(u)
	case !originForm(u):
		u = originURL(u)
	}
	if u == req.URL && !foreign && c.proxyAuth == "" {
		return req
	}
	sent := new(http.Request)
	*sent = *req
	sent.URL = u
	if foreign || c.proxyAuth != "" {
		sent.Header = req.Header.Clone()
		if sent.Header == nil {
			sent.Header = make(http.Header, 1)
		}
		sent.Header.Del(headerProxyAuthorization)
	}
	if c.proxyAuth != "" {
		sent.Header[headerProxyAuthorization] = []string{c.proxyAuth}
	}
	return sent
}

// originForm reports whether net/http makes a path, or "*", of u by itself.
func originForm(u *url.URL) bool {
	if u.Opaque != "" || u.RawPath != "" && u.RawPath[0] != '/' {
		return false
	}
	return u.Path == "" || u.Path[0] == '/' || u.Path == "*"
}

// originURL is u such that net/http makes a path of it: an opaque part, or a
// path that begins otherwise, could name another host.
func originURL(u *url.URL) *url.URL {
	path := *u
	path.Opaque = ""
	if path.Path != "*" && !strings.HasPrefix(path.Path, "/") {
		path.Path = "/" + path.Path
	}
	if path.RawPath != "" && path.RawPath[0] != '/' {
		path.RawPath = "/" + path.RawPath // unused where it is not the same path
	}
	return &path
}

// absoluteURL is u such that net/http writes all of it in the request line. An
// opaque part that u may have is not used: it could name another host.
func absoluteURL(u *url.URL) *url.URL {
	path := u.EscapedPath()
	switch {
	case path == "*": // OPTIONS for the server as a whole (RFC 9112, 3.2.4)
		path = ""
	case !strings.HasPrefix(path, "/"):
		path = "/" + path
	}
	return &url.URL{
		Scheme: schemeHTTP, Host: u.Host, Opaque: "//" + u.Host + path,
		RawQuery: u.RawQuery, ForceQuery: u.ForceQuery,
	}
}

// ProxyMade reports whether an answer is the proxy's own and not the target's.
// Only on a connection that takes absolute-form can the two be confused. There,
// a status that proxies use is the proxy's where the answer says so, by an error
// in Proxy-Status (RFC 9209) or the fields that proxies add to their own pages.
//
// A target can say the same. So this tells whom to blame, but not that the
// target did not see the request.
func (c *HTTPConn) ProxyMade(resp *http.Response) bool {
	if !c.absoluteForm {
		return false
	}
	switch resp.StatusCode {
	case http.StatusProxyAuthRequired, http.StatusPaymentRequired, http.StatusForbidden, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusLoopDetected:
		return resp.Header.Get(headerProxyAuthenticate) != "" || resp.Header.Get(headerSquidError) != "" ||
			hasProxyError(resp.Header[headerProxyStatus]) || isTinyproxy(resp)
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusInternalServerError:
		return isTinyproxy(resp)
	default:
		return false
	}
}

// isTinyproxy reports whether an answer is a page of tinyproxy's, which passes on
// what servers call themselves. It says 401 where a password is wrong, and 500
// where it cannot reach a target.
func isTinyproxy(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Server"), "tinyproxy/")
}

// hasProxyError looks for the parameter "error" in Proxy-Status, a list of
// structured fields: parameters follow semicolons that are not in a string.
func hasProxyError(values []string) bool {
	for _, value := range values {
		quoted := false
		for i := 0; i < len(value); i++ {
			switch {
			case quoted && value[i] == '\\':
				i++
			case value[i] == '"':
				quoted = !quoted
			case !quoted && value[i] == ';':
				key := strings.TrimLeft(value[i+1:], " ")
				if end := strings.IndexAny(key, "=;, "); end >= 0 {
					key = key[:end]
				}
				if key == "error" {
					return true
				}
			}
		}
	}
	return false
}
