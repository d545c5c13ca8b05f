package proxypool

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// maxAuthority is the length of the longest host with the longest port.
const maxAuthority = len(":65535") + 253

// errNoPort refuses a target of CONNECT without a port (RFC 9112, 3.2.3).
var errNoPort = errors.New("expected a port after the host")

// connectTarget reads the target of a CONNECT request, which has the
// authority-form (RFC 9112, 3.2.3): a host and a port, and nothing else. The host
// is returned as [parseAuthority] has it. Errors are for the client to read.
func connectTarget(requestTarget string) (host string, port uint16, err error) {
	host, port, err = parseAuthority(requestTarget, 0)
	if err == nil && port == 0 {
		err = errNoPort
	}
	if err != nil {
		return "", 0, fmt.Errorf("expected a host and a port, such as example.com:443, got %s: %w", parse.Quote(requestTarget), err)
	}
	return host, port, nil
}

// parseAuthority reads a host and a port, without a user part. Where there is
// no port, it is otherwise. The host is returned as hosts are compared: a name
// in lower case and punycode without a trailing dot, or an IP address in its
// usual form, without brackets and, where it is an IPv4 address in IPv6, as IPv4.
func parseAuthority(s string, otherwise uint16) (host string, port uint16, err error) {
	if len(s) > maxAuthority {
		return "", 0, errors.New("it is too long")
	}
	if strings.ContainsAny(s, "@/?#\\") || strings.ContainsFunc(s, isBlank) {
		return "", 0, errors.New("expected no user part, no path and no space")
	}
	host, number, found := cutLastColon(s)
	port = otherwise
	if found {
		if port, err = portNumber(number); err != nil {
			return "", 0, err
		}
	}
	host, err = comparedHost(host)
	return host, port, err
}

func isBlank(r rune) bool { return r <= ' ' || r == 0x7f }

// cutLastColon separates a host from its port. The colons of an IPv6 address
// stand in brackets.
func cutLastColon(s string) (host, port string, found bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || at < strings.LastIndexByte(s, ']') {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}

// portNumber reads a port, which is digits alone.
func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || len(s) > 5 {
		return 0, errors.New("expected a port from 1 to 65535")
	}
	return uint16(n), nil
}

// comparedHost is a host as hosts are compared.
func comparedHost(s string) (string, error) {
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", errors.New("expected an IPv6 address between brackets")
		}
		return ip.Unmap().String(), nil
	}
	if strings.Contains(s, ":") {
		return "", errors.New("expected one port; an IPv6 address stands in brackets")
	}
	name, err := comparedName(s)
	if err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.String(), nil
	}
	// "127.1" and "0x7f000001" are addresses to some resolvers and names to
	// others, so that what is compared would not be what is reached.
	if endsInNumber(name) {
		return "", errors.New("expected a host name or an IP address of four numbers")
	}
	return name, nil
}

// comparedName is a name as hosts are compared. What [hostName] lets pass
// because it is used, such as "_", must be ASCII here: in other letters there
// is more than one way to lower case.
func comparedName(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		ascii, err := idna.Lookup.ToASCII(s)
		if err != nil {
			return "", errors.New("expected a host name")
		}
		s = ascii
	}
	name, err := hostName(s)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", errors.New("expected a host name without empty parts")
	}
	return name, nil
}

// endsInNumber reports whether the last part of a name is a number, decimal or
// hexadecimal. There are no such top-level domains.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	digits, hexadecimal := strings.CutPrefix(last, "0x")
	return hexadecimal && strings.Trim(digits, "0123456789abcdef") == ""
}
