package webhook

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/alert"
)

// FuzzAnswer answers a webhook with anything. Only 2xx is an arrival, the wait
// that it asks for has its bounds, and the error shows nothing of answer or URL.
func FuzzAnswer(f *testing.F) {
	for _, after := range []string{"", "5", "-5", "99999999999999999999", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "1e9", "\x00"} {
		f.Add(429, after, "body")
	}
	f.Add(200, "", "")
	f.Add(302, "1", "Location: x")
	f.Add(-1, "", "")
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		answer := func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}, Body: io.NopCloser(strings.NewReader(body + "Answer-4711"))}, nil
		}
		h := load(t, `{"url":"https://Us3r:Passw0rd@hook.test/secret-path?secret-query"}`, roundTrip(answer))
		done, err := h.Send(t.Context(), sample(), 0)
		if arrived := status >= 200 && status < 300; (err == nil) != arrived || (done == 1) != arrived {
			t.Errorf("status %d: %d arrived, %v", status, done, err)
		}
		if err == nil {
			return
		}
		for _, secret := range []string{"Passw0rd", "Answer-", "secret-", "Us3r"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("status %d: the error shows %q: %v", status, secret, err)
			}
		}
		if wait, ok := errors.AsType[*alert.RetryAfterError](err); ok && (wait.After < minRetryAfter || wait.After > maxRetryAfter) {
			t.Errorf("%q waits for %v", after, wait.After)
		}
	})
}
