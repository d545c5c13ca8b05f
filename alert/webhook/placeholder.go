package webhook

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// lookup is the value of a placeholder, by its name without braces; empty where
// it has none.
type lookup func(name string) string

// placeholder finds those that a configuration may have. Other braces are just
// braces, in a secret say.
var placeholder = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)

// fill puts values in place of the placeholders, literally. Each must have one: a
// webhook that goes unsigned because of a slip in a name would do so silently.
func fill(s string, value lookup) (string, error) {
	return fillQuoted(s, value, func(v string) string { return v })
}

func fillQuoted(s string, value lookup, quote func(string) string) (string, error) {
	var missing error
	s = placeholder.ReplaceAllStringFunc(s, func(found string) string {
		// Caddy trims a file of its last line break already.
		v := value(strings.Trim(found, "{}"))
		if v == "" {
			missing = cmp.Or(missing, fmt.Errorf("placeholder %s has no value", found))
		}
		return quote(v)
	})
	return s, missing
}

// fillURL is fill for a URL. In its user part the values may hold any character,
// because they are put in after the URL was split.
func fillURL(raw string, value lookup) (string, error) {
	at := userEnd(raw)
	user, err := fillQuoted(raw[:at], value, escape)
	if err != nil {
		return "", err
	}
	rest, err := fill(raw[at:], value)
	return user + rest, err
}

// userEnd is where the user part of a URL ends, 0 where it has none.
func userEnd(raw string) int {
	shape := placeholder.ReplaceAllStringFunc(raw, func(found string) string {
		return strings.Repeat("x", len(found))
	})
	begin := strings.Index(shape, "://")
	if begin < 0 {
		return 0
	}
	begin += len("://")
	host := shape[begin:]
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return 0
	}
	return begin + at
}

// escape percent-encodes whatever is not unreserved (RFC 3986, 2.3).
func escape(v string) string {
	var out strings.Builder
	for _, c := range []byte(v) {
		const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		if strings.IndexByte(unreserved, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}
