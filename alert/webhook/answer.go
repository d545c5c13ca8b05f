package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
)

// What a Retry-After may ask for at least and at most.
const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
)

// judge says what an answer means. Nothing is refused for good: a receiver that
// is set up wrongly is mended within the day that an alert waits.
func (h *hook) judge(resp *http.Response) error {
	status := resp.StatusCode
	if status/100 == 2 {
		return nil
	}
	err := fmt.Errorf("%s answered %d: %s", h.origin, status, advice(status))
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return err
	}
	if after, asked := retryAfter(resp.Header.Get("Retry-After"), time.Now()); asked {
		return &alert.RetryAfterError{After: after, Err: err}
	}
	return err
}

// advice is what to do about a status.
func advice(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "check the secret and how the webhook logs in, by the user part of the URL or a header"
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusMethodNotAllowed:
		return "check the path of the URL, which must take POST"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return "it takes nothing for now"
	case status/100 == 3:
		return "redirects are not followed, the URL must be that of the end"
	case status/100 == 5:
		return "see what is wrong there"
	default:
		return "it does not take the alert, expected 2xx"
	}
}

// retryAfter is the time that a Retry-After asks for (RFC 9110, 10.2.3), in
// seconds or as a date, and whether it asks for one.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	var after time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		// Bounded before it is multiplied, or a large one would overflow.
		after = time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		after = date.Sub(now)
	} else {
		return 0, false
	}
	return min(max(after, minRetryAfter), maxRetryAfter), true
}
