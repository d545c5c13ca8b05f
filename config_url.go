package proxypool

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/dial"
)

// No error in this file shows a URL or a value: what looks like a host may be
// half of a password that holds a "/" or an "@".

// direct stands for no proxy at all.
const direct = "direct"

// proxySchemes are the kinds of proxy, with the port that each has by default.
var proxySchemes = map[string]string{
	"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080",
}

// maxSOCKSField is the length of a user name or password (RFC 1929, 2).
const maxSOCKSField = 255

// proxyURL is the URL of a proxy in its parts, as they were written.
type proxyURL struct {
	scheme         string
	hasAuth        bool
	user, password string
	host           string // and port
}

// parseProxyURL reads the URL of a proxy. It is split before placeholders are
// replaced, so that their values may hold any character; one without a value is
// an error. A URL that is one placeholder and nothing else is replaced first.
func parseProxyURL(raw string, repl *caddy.Replacer) (dial.Proxy, error) {
	if isPlaceholder(raw) {
		value, err := placeholderValue(raw, repl)
		if err != nil {
			return dial.Proxy{}, err
		}
		// What looks like a placeholder in a value is none.
		raw, repl = escapeBraces.Replace(value), caddy.NewEmptyReplacer()
	}
	parts, err := splitProxyURL(raw)
	if err != nil {
		return dial.Proxy{}, err
	}
	return parts.resolve(repl)
}

// splitProxyURL splits the URL of a proxy and refuses what is wrong with it,
// whatever the values of its placeholders are.
func splitProxyURL(raw string) (proxyURL, error) {
	if strings.EqualFold(raw, direct) {
		return proxyURL{scheme: direct}, nil
	}
	if isPlaceholder(raw) {
		return proxyURL{scheme: raw}, nil
	}
	shape := masked(raw)
	end := strings.Index(shape, "://")
	if end < 0 {
		return proxyURL{}, errors.New("expected a URL that begins with http://, https://, socks5:// or socks5h://, or the word direct")
	}
	parts := proxyURL{scheme: raw[:end]}
	if _, known := proxySchemes[strings.ToLower(parts.scheme)]; !known && !holdsPlaceholder(parts.scheme) {
		return proxyURL{}, badScheme(raw, "http, https, socks5 or socks5h, or the word direct")
	}
	rest, shape := raw[end+3:], shape[end+3:]
	if slash := strings.IndexAny(shape, "/?#"); slash >= 0 {
		if err := checkTail(shape[slash:]); err != nil {
			return proxyURL{}, err
		}
		rest, shape = rest[:slash], shape[:slash]
	}
	if at := strings.LastIndexByte(shape, '@'); at >= 0 {
		parts.setUser(rest[:at], shape[:at])
		rest = rest[at+1:]
	}
	parts.host = rest
	err := parts.checkLiterals()
	return parts, err
}

// setUser splits the user part at its first colon.
func (p *proxyURL) setUser(user, shape string) {
	p.hasAuth = user != ""
	p.user = user
	if colon := strings.IndexByte(shape, ':'); colon >= 0 {
		p.user, p.password = user[:colon], user[colon+1:]
	}
}

// checkTail refuses what stands after the host.
func checkTail(tail string) error {
	switch {
	case tail == "/":
		return nil
	case strings.Contains(tail, "@"):
		return errors.New(`"/", "?" and "#" in a user name or password must be percent-encoded`)
	default:
		return errors.New("expected a URL of a proxy to end after host and port, without path, query and fragment")
	}
}

// checkLiterals checks the parts that hold no placeholder.
func (p *proxyURL) checkLiterals() error {
	for _, part := range []string{p.user, p.password} {
		if _, err := expand(part, true, func(string) (string, error) { return "", nil }); err != nil {
			return err
		}
	}
	if holdsPlaceholder(p.host) {
		return nil
	}
	scheme := strings.ToLower(p.scheme)
	if holdsPlaceholder(scheme) {
		scheme = "http" // any that has a default port
	}
	_, err := hostPort(unescapeBraces.Replace(p.host), scheme)
	return err
}

// resolve puts in the values of placeholders.
func (p *proxyURL) resolve(repl *caddy.Replacer) (dial.Proxy, error) {
	value := func(placeholder string) (string, error) { return placeholderValue(placeholder, repl) }
	scheme, err := expand(p.scheme, false, value)
	if err != nil {
		return dial.Proxy{}, err
	}
	scheme = strings.ToLower(scheme)
	if scheme == direct {
		return dial.Proxy{Scheme: direct}, nil
	}
	if _, known := proxySchemes[scheme]; !known {
		return dial.Proxy{}, errors.New("expected the scheme http, https, socks5 or socks5h, or the word direct")
	}
	out := dial.Proxy{Scheme: scheme, HasAuth: p.hasAuth}
	host, err := expand(p.host, false, value)
	if err != nil {
		return dial.Proxy{}, err
	}
	if out.Addr, err = hostPort(host, scheme); err != nil {
		return dial.Proxy{}, err
	}
	if out.Username, err = expand(p.user, true, value); err != nil {
		return dial.Proxy{}, err
	}
	if out.Password, err = expand(p.password, true, value); err != nil {
		return dial.Proxy{}, err
	}
	return out, checkAuth(out)
}

// checkAuth refuses what the proxy's protocol cannot carry.
func checkAuth(p dial.Proxy) error {
	if !strings.HasPrefix(p.Scheme, "socks5") || !p.HasAuth {
		return nil
	}
	if p.Username == "" || len(p.Username) > maxSOCKSField || len(p.Password) > maxSOCKSField {
		return fmt.Errorf("a SOCKS5 user name must have 1 to %d bytes and a password at most as many", maxSOCKSField)
	}
	return nil
}

// span is where in a string a placeholder stands, its braces included.
type span struct{ from, to int }

// placeholders finds the placeholders in s. A brace after a backslash, and one
// without its other half, is just a brace.
func placeholders(s string) []span {
	var found []span
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '{' || s[i+1] == '}'):
			i++
		case s[i] == '{':
			if end := strings.IndexByte(s[i:], '}'); end > 0 {
				found = append(found, span{i, i + end + 1})
				i += end
			}
		}
	}
	return found
}

// isPlaceholder reports whether s is one placeholder and nothing else.
func isPlaceholder(s string) bool {
	return slices.Equal(placeholders(s), []span{{0, len(s)}})
}

func holdsPlaceholder(s string) bool { return len(placeholders(s)) > 0 }

// masked is s with its placeholders made into letters, so that s can be split at
// separators that do not stand in a placeholder.
func masked(s string) string {
	b := []byte(s)
	for _, p := range placeholders(s) {
		for i := p.from; i < p.to; i++ {
			b[i] = 'x'
		}
	}
	return string(b)
}

var (
	escapeBraces   = strings.NewReplacer("{", `\{`, "}", `\}`)
	unescapeBraces = strings.NewReplacer(`\{`, "{", `\}`, "}")
)

// expand puts values in place of the placeholders, literally. What stands
// between them is percent-decoded first, where decode says so.
func expand(s string, decode bool, value func(placeholder string) (string, error)) (string, error) {
	var out strings.Builder
	literal := func(part string) error {
		part = unescapeBraces.Replace(part)
		if decode {
			decoded, err := url.PathUnescape(part)
			if err != nil {
				return errors.New(`bad percent-encoding in the user name or password, "%" itself is written %25`)
			}
			part = decoded
		}
		out.WriteString(part)
		return nil
	}
	done := 0
	for _, p := range placeholders(s) {
		if err := literal(s[done:p.from]); err != nil {
			return "", err
		}
		v, err := value(s[p.from:p.to])
		if err != nil {
			return "", err
		}
		out.WriteString(v)
		done = p.to
	}
	if err := literal(s[done:]); err != nil {
		return "", err
	}
	return out.String(), nil
}

// placeholderName is what a placeholder looks like whose name may be shown. A
// password with braces in it does not.
var placeholderName = regexp.MustCompile(`^\{[a-z_]+\.[\w./\\ -]+\}$`)

// placeholderValue is the value of a placeholder. It must have one.
func placeholderValue(placeholder string, repl *caddy.Replacer) (string, error) {
	value, known := repl.GetString(strings.Trim(placeholder, "{}"))
	if known && value != "" {
		return value, nil
	}
	shown := placeholder
	if !placeholderName.MatchString(placeholder) {
		shown = "(not shown, it may be part of a password; a brace itself is written %7B)"
	}
	if !known {
		return "", fmt.Errorf("unknown placeholder %s", shown)
	}
	return "", fmt.Errorf("placeholder %s has no value", shown)
}

// isScheme reports whether s has the form of a scheme (RFC 3986, 3.1).
func isScheme(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789+-."
	return s != "" && len(s) <= 16 && strings.Trim(strings.ToLower(s), letters) == ""
}
