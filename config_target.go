package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// parseTarget reads the target of a reverse front: its scheme and its address,
// a host in lower case and punycode and a port.
func parseTarget(raw string) (scheme, addr string, err error) {
	if raw == "" {
		return "", "", errors.New("expected the URL of a target, such as https://api.example.com")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", errors.New("expected the URL of a target, such as https://api.example.com")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "", badScheme(raw, "http or https")
	case u.User != nil:
		return "", "", errors.New("expected a target without user name and password")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, strings.Contains(raw, "#"):
		return "", "", errors.New("expected a target to end after host and port, without path, query and fragment: those of the request are used")
	}
	addr, err = hostPort(u.Host, u.Scheme)
	return u.Scheme, addr, err
}

// checkTarget refuses what is no target, unless it waits for placeholders.
func checkTarget(raw string) error {
	if hasPlaceholder(raw) {
		return nil
	}
	if _, _, err := parseTarget(raw); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	return nil
}

// checkPoolRef refuses a name that no pool can have. Empty is the only pool.
func checkPoolRef(name string) error {
	if name == "" {
		return nil
	}
	if err := checkPoolName(name); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	return nil
}

// hostPort makes a host, with a port or without, into an address. It returns
// names in lower case and punycode and without a trailing dot.
func hostPort(s, scheme string) (string, error) {
	host, port, err := cutPort(s)
	if err != nil {
		return "", err
	}
	port = cmp.Or(port, proxySchemes[scheme])
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("expected a port from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

// cutPort separates a host from its port, which may be missing.
func cutPort(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		return cutIPv6(s[1:])
	}
	name, port, _ := strings.Cut(s, ":")
	if strings.Contains(port, ":") {
		return "", "", errors.New("expected one port; an IPv6 address stands in brackets")
	}
	host, err = hostName(name)
	return host, port, err
}

// cutIPv6 is cutPort for what follows an opening bracket.
func cutIPv6(s string) (host, port string, err error) {
	host, port, closed := strings.Cut(s, "]")
	if !closed {
		return "", "", errors.New(`expected a "]" after the IPv6 address`)
	}
	// In a URL the "%" before a zone is written "%25" (RFC 6874, 2).
	host = strings.Replace(host, "%25", "%", 1)
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
		return "", "", errors.New("expected an IPv6 address between the brackets")
	}
	number, found := strings.CutPrefix(port, ":")
	if port != "" && !found {
		return "", "", errors.New(`expected a ":" and a port after the IPv6 address`)
	}
	return host, number, nil
}

// hostName is the name of a host as it is looked up and compared.
func hostName(name string) (string, error) {
	if name == "" {
		return "", errors.New("expected a host")
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		// Underscores are no letters of host names, and used in them all the same.
		ascii = strings.ToLower(strings.TrimSuffix(name, "."))
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	if ascii == "" || len(ascii) > 253 || strings.Trim(ascii, letters) != "" || strings.Contains("."+ascii+".", "..") {
		return "", errors.New("expected a host name or an IP address")
	}
	return ascii, nil
}
