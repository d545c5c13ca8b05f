package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// parseURL reads where alerts go. Its host is in lower case and punycode, because
// it is shown. No error shows any of it but a scheme: what looks like a host may
// be half of a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("expected a URL with http:// or https://")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, badScheme(u.Scheme, raw)
	case strings.Contains(raw, "#"):
		return nil, errors.New("expected a URL without a fragment")
	case u.User == nil && strings.Contains(raw, "@"):
		return nil, errors.New(`an "@" after the host is written %40; "/" and "?" in a user name or password are percent-encoded too`)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("expected a port from 1 to 65535")
		}
	}
	host, err := hostName(u.Hostname())
	if err != nil {
		return nil, err
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	u.Host = host
	return u, nil
}

func badScheme(scheme, raw string) error {
	if len(scheme) > 16 || !strings.HasPrefix(strings.ToLower(raw), scheme+"://") {
		return errors.New("expected a URL that begins with its scheme, http or https, and ://")
	}
	return errors.New("expected the scheme http or https, got " + strconv.Quote(scheme))
}

// hostName is a host as it stands in a [url.URL].
func hostName(name string) (string, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Is6() {
			return "[" + ip.String() + "]", nil
		}
		return ip.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		// Underscores are no letters of host names, and used in them all the same.
		ascii = strings.ToLower(name)
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	if strings.Trim(ascii, ".") == "" || strings.Trim(ascii, letters) != "" {
		return "", errors.New("expected a host name or an IP address")
	}
	return ascii, nil
}

// origin is what is shown of a URL.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
