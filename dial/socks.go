package dial

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// What SOCKS version 5 is made of (RFC 1928, and RFC 1929 for passwords).
const (
	socksVersion      = 5
	socksAuthVersion  = 1
	socksNoAuth       = 0x00
	socksPassword     = 0x02
	socksNoAcceptable = 0xff
	socksCmdConnect   = 1
	socksIPv4         = 1
	socksDomain       = 3
	socksIPv6         = 4
)

// maxSOCKSField is the longest user name, password or host that SOCKS can say.
const maxSOCKSField = 255

// socks asks a SOCKS proxy for a tunnel. Names are sent as they are, addresses
// as addresses. It reads not a byte more than the handshake.
func socks(conn io.ReadWriter, target hostPort, p Proxy) error {
	request, err := socksRequest(target)
	if err != nil {
		return err
	}
	if err := socksLogin(conn, p); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	return readSOCKSReply(conn)
}

func socksRequest(target hostPort) ([]byte, error) {
	b := []byte{socksVersion, socksCmdConnect, 0}
	if ip, err := netip.ParseAddr(target.host); err == nil {
		if ip = ip.Unmap(); ip.Is4() {
			b = append(b, socksIPv4)
		} else {
			b = append(b, socksIPv6)
		}
		b = append(b, ip.AsSlice()...)
	} else {
		if len(target.host) > maxSOCKSField {
			return nil, badTarget(fmt.Errorf("asking proxy for a tunnel: host is %d bytes long, SOCKS takes %d",
				len(target.host), maxSOCKSField))
		}
		b = append(b, socksDomain, byte(len(target.host)))
		b = append(b, target.host...)
	}
	return binary.BigEndian.AppendUint16(b, target.port), nil
}

// socksLogin agrees on a method and, where the proxy wants it, sends the
// password.
func socksLogin(conn io.ReadWriter, p Proxy) error {
	greeting := []byte{socksVersion, 1, socksNoAuth}
	if p.HasAuth {
		if len(p.Username) > maxSOCKSField || len(p.Password) > maxSOCKSField {
			return badProxy("asking proxy for a tunnel: user name and password of SOCKS are at most %d bytes long", maxSOCKSField)
		}
		greeting = []byte{socksVersion, 2, socksNoAuth, socksPassword}
	}
	if _, err := conn.Write(greeting); err != nil {
		return err
	}
	method, err := readSOCKSPair(conn, socksVersion)
	if err != nil {
		return err
	}
	switch {
	case method == socksNoAuth:
		return nil
	case method == socksNoAcceptable:
		return loginRefused("proxy accepts no method that is offered")
	case method != socksPassword || !p.HasAuth:
		return nonsense("proxy chose method %d, which was not offered", method)
	}
	login := append([]byte{socksAuthVersion, byte(len(p.Username))}, p.Username...)
	login = append(append(login, byte(len(p.Password))), p.Password...)
	if _, err := conn.Write(login); err != nil {
		return err
	}
	status, err := readSOCKSPair(conn, socksAuthVersion)
	if err != nil {
		return err
	}
	if status != 0 {
		return loginRefused("proxy refused user name and password")
	}
	return nil
}

// readSOCKSPair reads a version, which must be the given one, and what is said
// under it.
func readSOCKSPair(r io.Reader, version byte) (byte, error) {
	var pair [2]byte
	if _, err := io.ReadFull(r, pair[:]); err != nil {
		return 0, err
	}
	if pair[0] != version {
		return 0, nonsense("answer is not SOCKS version 5")
	}
	return pair[1], nil
}

// readSOCKSReply reads the answer to the request. A refusal is known from its
// second byte; some proxies send no more than that.
func readSOCKSReply(r io.Reader) error {
	code, err := readSOCKSPair(r, socksVersion)
	if err != nil {
		return err
	}
	if code != 0 {
		return &Error{
			Reason: ReasonTunnelRefused,
			Err:    fmt.Errorf("asking proxy for a tunnel: SOCKS reply %d (%s)", code, socksReplyText(code)),
		}
	}
	var head [2]byte // reserved, type of the bound address
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	var length int
	switch head[1] {
	case socksIPv4:
		length = 4
	case socksIPv6:
		length = 16
	case socksDomain:
		var n [1]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return err
		}
		length = int(n[0])
	default:
		return nonsense("SOCKS reply with address type %d", head[1])
	}
	var bound [maxSOCKSField + 2]byte // address and port, of no use to us
	_, err = io.ReadFull(r, bound[:length+2])
	return err
}

func loginRefused(text string) *Error {
	return &Error{
		Reason: ReasonProxyAuth, proxyFault: true,
		Err: fmt.Errorf("asking proxy for a tunnel: %s", text),
	}
}

func socksReplyText(code byte) string {
	texts := [...]string{
		1: "general failure", 2: "not allowed by ruleset", 3: "network unreachable", 4: "host unreachable",
		5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported",
	}
	if int(code) < len(texts) {
		return texts[code]
	}
	return "unknown"
}
