package books

import (
	"regexp"
	"strings"
)

const (
	hidden = "***"
	// What is looked at of a path. It is many times what is kept, and keeps
	// requests with absurd paths from costing the writer its time.
	maxLookedAt = 64 << 10
	// From how many characters on, after digits and a colon, something is a
	// secret wherever it stands. Those of Telegram have 35.
	minSecret = 16
	// From how many on what follows "bot" may be a secret that lost its colon.
	minBareSecret = 20
)

// Rule hides further secrets in paths: every match of the regexp is replaced,
// as [regexp.Regexp.ReplaceAllString] does, where $1 is the first group.
type Rule struct {
	Regexp      *regexp.Regexp
	Replacement string
}

// redact hides the secrets that a path is known to have: tokens of Telegram
// bots always, and what the rules match, each in the result of the one before.
func redact(path string, rules []Rule) string {
	path = hideTokens(cut(path))
	for _, r := range rules {
		path = cut(r.Regexp.ReplaceAllString(path, r.Replacement))
	}
	return path
}

// cut bounds a path. What it cuts through goes as a whole, because a part of a
// secret is not known as one.
func cut(path string) string {
	if len(path) <= maxLookedAt {
		return path
	}
	return path[:strings.LastIndexByte(path[:maxLookedAt], '/')+1]
}

// hideTokens makes "/bot<id>:<secret>/method" be "/bot***/method", wherever in
// the path. A token may also be there with its characters percent-encoded, once
// or more: then the path is returned decoded.
func hideTokens(path string) string {
	if strings.IndexByte(path, '%') >= 0 {
		decoded := decode(path)
		if clean := hidePlainTokens(decoded); clean != decoded {
			return clean
		}
	}
	return hidePlainTokens(path)
}

func hidePlainTokens(path string) string {
	segments := strings.Split(path, "/")
	found := false
	expected := -1 // a token broke off behind its colon; the secret has at least so many characters
	for i, s := range segments {
		at, rest := findToken(s)
		if s != "" && expected >= 0 && secretLength(s) >= expected {
			at = 0 // it is the secret, whatever comes behind it
		}
		switch {
		case at >= 0:
			segments[i] = s[:at] + hidden
			found = true
		case s == "":
			continue
		}
		expected = rest
		if rest < 0 && strings.HasSuffix(s, ":") && digitsBefore(s, len(s)-1) < len(s)-1 {
			expected = minSecret
		}
	}
	if !found {
		return path
	}
	return strings.Join(segments, "/")
}

// findToken returns where in a segment of a path a token begins, to be hidden to
// the segment's end, or -1. rest is 0 where the secret is still to come, in the
// next segment, otherwise -1.
func findToken(s string) (at, rest int) {
	rest = -1
	if strings.HasSuffix(s, ":") {
		rest = 0
	}
	if hasBot(s, 3) && mayBeToken(s[3:]) {
		return 3, rest
	}
	for colon := range len(s) {
		if s[colon] != ':' {
			continue
		}
		digits := digitsBefore(s, colon)
		if digits == colon {
			continue
		}
		if hasBot(s, digits) || secretLength(s[colon+1:]) >= minSecret {
			return digits, rest
		}
	}
	return -1, -1
}

// mayBeToken decides about what follows "bot" at the beginning of a segment.
// Where it could be a token that was mistyped, it is one.
func mayBeToken(s string) bool {
	return s != "" && (isDigit(s[0]) || len(s) >= minBareSecret || strings.IndexByte(s, ':') >= 0)
}

// hasBot reports whether "bot" stands directly before s[end].
func hasBot(s string, end int) bool {
	return end >= 3 && end <= len(s) && strings.EqualFold(s[end-3:end], "bot")
}

// digitsBefore returns where the digits begin that stand directly before s[end].
func digitsBefore(s string, end int) int {
	for end > 0 && isDigit(s[end-1]) {
		end--
	}
	return end
}

// secretLength is how many characters s begins with that a secret can have.
func secretLength(s string) int {
	for i := range len(s) {
		if !isSecret(s[i]) {
			return i
		}
	}
	return len(s)
}

func isSecret(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// decode undoes percent-encoding until none is left, however often it was done,
// in one pass. What is none stays as it is.
func decode(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			high, low := hexDigit(out[n-2]), hexDigit(out[n-1])
			if high < 0 || low < 0 {
				break
			}
			out = append(out[:n-3], byte(high<<4|low))
		}
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
