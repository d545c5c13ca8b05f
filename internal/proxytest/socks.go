package proxytest

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
)

// serveSOCKS serves the one request of a SOCKS connection (RFC 1928, 1929).
func (s *session) serveSOCKS() {
	mode := s.proxy.Mode()
	var head [2]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		return
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(s.conn, methods); err != nil || head[0] != 5 {
		return
	}
	if mode.freezes() && mode != GrantThenSilent {
		_, _ = io.Copy(io.Discard, s.conn)
		return
	}
	switch mode.behaviour {
	case nonsense, endlessHeader:
		_, _ = io.WriteString(s.conn, "220 mail.example.test ESMTP\r\n")
		return
	case dropBeforeAnswer:
		return
	}
	if !s.loginSOCKS(methods, mode) {
		return
	}
	target, ok := s.readSOCKSRequest()
	if !ok {
		return
	}
	if code := socksRefusal(mode); code != 0 {
		s.proxy.mu.Lock()
		s.proxy.connects[target]++
		s.proxy.mu.Unlock()
		s.replySOCKS(code)
		return
	}
	if err := s.dial(target); err != nil {
		s.replySOCKS(5)
		return
	}
	if mode.behaviour == slow && !s.pass() {
		return
	}
	if s.replySOCKS(0) {
		s.tunnel(s.conn)
	}
}

func socksRefusal(mode Mode) byte {
	switch {
	case mode.behaviour != status:
		return 0
	case mode.n < 100:
		return byte(mode.n)
	case mode.n == http.StatusForbidden:
		return 2
	default:
		return 5
	}
}

func (s *session) loginSOCKS(methods []byte, mode Mode) bool {
	want := byte(0)
	if s.proxy.wantsLogin() {
		want = 2
	}
	offered := false
	for _, m := range methods {
		offered = offered || m == want
	}
	if !offered || mode == Status(http.StatusProxyAuthRequired) {
		_, _ = s.conn.Write([]byte{5, 0xff})
		return false
	}
	if _, err := s.conn.Write([]byte{5, want}); err != nil || want == 0 {
		return err == nil
	}
	var version [1]byte
	if _, err := io.ReadFull(s.conn, version[:]); err != nil {
		return false
	}
	user, ok := readString(s.conn)
	if !ok {
		return false
	}
	password, ok := readString(s.conn)
	if !ok {
		return false
	}
	if user != s.proxy.config.Username || password != s.proxy.config.Password {
		_, _ = s.conn.Write([]byte{1, 1})
		return false
	}
	_, err := s.conn.Write([]byte{1, 0})
	return err == nil
}

func (s *session) readSOCKSRequest() (target string, ok bool) {
	var head [4]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil || head[0] != 5 || head[1] != 1 {
		return "", false
	}
	var host string
	switch head[3] {
	case 3:
		if host, ok = readString(s.conn); !ok {
			return "", false
		}
	case 1, 4:
		raw := make([]byte, 4+12*int(head[3]/4))
		if _, err := io.ReadFull(s.conn, raw); err != nil {
			return "", false
		}
		ip, _ := netip.AddrFromSlice(raw)
		host = ip.String()
	default:
		s.replySOCKS(8)
		return "", false
	}
	var port [2]byte
	if _, err := io.ReadFull(s.conn, port[:]); err != nil {
		return "", false
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:])))), true
}

func (s *session) replySOCKS(code byte) bool {
	_, err := s.conn.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	return err == nil
}

// readString reads a string that its length precedes.
func readString(r io.Reader) (string, bool) {
	var n [1]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", false
	}
	b := make([]byte, n[0])
	_, err := io.ReadFull(r, b)
	return string(b), err == nil
}
