package proxytest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// serveHTTP serves requests until one of them took the connection over.
func (s *session) serveHTTP() {
	br := bufio.NewReader(s.conn)
	for {
		req, err := http.ReadRequest(br)
		if err != nil || !s.serveRequest(req, br) {
			return
		}
	}
}

// serveRequest reports whether the connection takes another request.
func (s *session) serveRequest(req *http.Request, br *bufio.Reader) bool {
	isConnect := req.Method == http.MethodConnect
	mode := s.proxy.Mode()
	if mode.freezes() && (!isConnect || mode != GrantThenSilent) {
		_, _ = io.Copy(io.Discard, br)
		return false
	}
	switch mode.behaviour {
	case nonsense:
		_, _ = io.WriteString(s.conn, "220 mail.example.test ESMTP\r\n\r\n")
		return false
	case endlessHeader:
		s.writeEndlessHeader()
		return false
	case dropBeforeAnswer:
		return false
	case status:
		s.count(req)
		return s.refuse(req, mode.n)
	}
	if s.proxy.wantsLogin() && !s.loggedIn(req) {
		s.count(req)
		return s.refuse(req, http.StatusProxyAuthRequired)
	}
	if isConnect {
		s.connect(req.Host, br, mode)
		return false
	}
	return s.forward(req, br)
}

// count counts what the proxy itself answers; what reaches a target is counted
// on the way.
func (s *session) count(req *http.Request) {
	s.proxy.mu.Lock()
	defer s.proxy.mu.Unlock()
	if req.Method == http.MethodConnect {
		s.proxy.connects[req.Host]++
	} else {
		s.proxy.forwards[withPort(req.URL.Host)]++
	}
}

func (s *session) connect(target string, br *bufio.Reader, mode Mode) {
	if err := s.dial(target); err != nil {
		s.refuse(&http.Request{Method: http.MethodConnect, Body: http.NoBody}, http.StatusBadGateway)
		return
	}
	granted := "HTTP/1.1 200 Connection established\r\n\r\n"
	switch mode.behaviour {
	case slow:
		if !s.pass() {
			return
		}
	case bodyInConnect200:
		granted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	case dataBehindAnswer:
		granted += EarlyData
	}
	if _, err := io.WriteString(s.conn, granted); err != nil {
		return
	}
	s.tunnel(br)
}

// forward sends a request in absolute-form on.
func (s *session) forward(req *http.Request, br *bufio.Reader) bool {
	if req.URL.Scheme != "http" || req.URL.Host == "" {
		return s.refuse(req, http.StatusBadRequest)
	}
	s.count(req)
	req.RequestURI = ""
	req.Header.Del("Proxy-Authorization")
	resp, err := s.proxy.transport.RoundTrip(req)
	if err != nil {
		return s.refuse(req, http.StatusBadGateway)
	}
	defer resp.Body.Close()
	if upgraded, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		s.upgrade(resp, upgraded, br)
		return false
	}
	if !s.pass() {
		return false
	}
	if m := s.proxy.Mode(); m.behaviour == breakMidAnswer {
		_ = resp.Write(&limited{w: s.conn, left: m.n})
		return false
	}
	return resp.Write(s.conn) == nil && !resp.Close && !req.Close
}

func (s *session) upgrade(resp *http.Response, upgraded io.ReadWriteCloser, br *bufio.Reader) {
	s.lead(upgraded)
	resp.Body = nil
	if resp.Write(s.conn) == nil {
		s.tunnel(br)
	}
}

// refuse answers with a status of the proxy's own.
func (s *session) refuse(req *http.Request, code int) bool {
	_, _ = io.Copy(io.Discard, req.Body)
	body := fmt.Sprintf("%d by the proxy\n", code)
	var extra string
	if code == http.StatusProxyAuthRequired {
		extra = "Proxy-Authenticate: Basic realm=\"proxytest\"\r\n"
	}
	_, err := fmt.Fprintf(s.conn, "HTTP/1.1 %d %s\r\nProxy-Status: proxytest; error=http_request_error\r\n%sContent-Length: %d\r\n\r\n%s",
		code, http.StatusText(code), extra, len(body), body)
	return err == nil && req.Method != http.MethodConnect
}

func (s *session) loggedIn(req *http.Request) bool {
	encoded, ok := strings.CutPrefix(req.Header.Get("Proxy-Authorization"), "Basic ")
	login, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && string(login) == s.proxy.config.Username+":"+s.proxy.config.Password
}

func (s *session) writeEndlessHeader() {
	_, err := io.WriteString(s.conn, "HTTP/1.1 200 OK\r\n")
	line := "X-Endless: " + strings.Repeat("x", 1000) + "\r\n"
	for err == nil {
		_, err = io.WriteString(s.conn, line)
	}
}

// withPort adds the port that http implies.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "80")
}

// limited fails once its bytes are used up.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		n, _ := l.w.Write(p[:l.left])
		l.left = 0
		return n, io.ErrShortWrite
	}
	l.left -= len(p)
	return l.w.Write(p)
}
