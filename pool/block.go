package pool

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a Retry-After may ask for at least and at most.
const (
	minBlock = time.Second
	maxBlock = 24 * time.Hour
)

// BlockRule recognises the answer of a target that has blocked a proxy's
// address. All parts that are given must match.
type BlockRule struct {
	// Status lists statuses; one digit stands for its whole class (4 is 4xx).
	// Empty matches every status.
	Status []int

	// Header lists patterns for header fields; the one of each field that is
	// given must match. "*" at the start or end of a pattern matches anything
	// there, alone it matches a field that is present.
	Header map[string][]string

	// For is how long the proxy is blocked for the target where the answer
	// has no Retry-After.
	For time.Duration

	// Tries is how many proxies are tried in all, the first included.
	Tries int
}

// matches reports whether resp is an answer that this rule is about.
func (r *BlockRule) matches(resp *http.Response) bool {
	return StatusIn(r.Status, resp.StatusCode) && headersMatch(r.Header, resp.Header)
}

// StatusIn reports whether code is in the list, by itself or by its class.
// An empty list has every status.
func StatusIn(list []int, code int) bool {
	for _, s := range list {
		if s == code || (s < 10 && s == code/100) {
			return true
		}
	}
	return len(list) == 0
}

func headersMatch(patterns map[string][]string, header http.Header) bool {
	for field, want := range patterns {
		if !anyMatch(want, header.Values(field)) {
			return false
		}
	}
	return true
}

func anyMatch(patterns, values []string) bool {
	for _, p := range patterns {
		for _, v := range values {
			if wildcard(p, v) {
				return true
			}
		}
	}
	return false
}

func wildcard(pattern, value string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	suffix, openStart := strings.CutPrefix(prefix, "*")
	switch {
	case pattern == "*":
		return true
	case open && openStart:
		return strings.Contains(value, suffix)
	case open:
		return strings.HasPrefix(value, prefix)
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(value, pattern[1:])
	default:
		return value == pattern
	}
}

// length is how long a proxy stays blocked after resp: what the target asks
// for in Retry-After (RFC 9110, 10.2.3), in seconds or as a date, between a
// second and a day; otherwise what the rule says.
func (r *BlockRule) length(resp *http.Response, now time.Time) time.Duration {
	asked, ok := retryAfter(resp.Header.Get("Retry-After"), now)
	if !ok {
		return r.For
	}
	return min(max(asked, minBlock), maxBlock)
}

func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		// Bounded before it is multiplied, or a large one would overflow.
		return time.Duration(min(max(seconds, 0), int64(maxBlock/time.Second))) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return date.Sub(now), true
	}
	return 0, false
}
