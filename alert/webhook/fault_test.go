package webhook

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
)

// secrets stand in the URL and the options that hook makes, and in no error.
var secrets = []string{"us3r", "pa55", "p4th", "t0ken", "s1gn", "h3ader"}

// full is a configuration that holds all the secrets.
func full(scheme, host, more string) string {
	return `{"url": "` + scheme + `://us3r:pa55@` + host + `/p4th/B0?t0ken=1", "secret": "s1gn", "header": {"X-Key": ["h3ader"]}` + more + `}`
}

// failing sends an alert, which is refused with an error that shows no secret.
func failing(t *testing.T, h *hook) error {
	t.Helper()
	parts, err := h.Send(t.Context(), sample(), 0)
	if err == nil || parts != 0 {
		t.Fatalf("got %d parts, error %v, expected an error", parts, err)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q shows %q", err, secret)
		}
	}
	if _, ok := errors.AsType[*alert.RefusedError](err); ok {
		t.Errorf("%v is refused for good, expected another try", err)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("%v holds a URL", err)
	}
	return err
}

func TestStatuses(t *testing.T) {
	for code, want := range map[int]string{
		301: "redirects are not followed, the URL must be that of the end",
		302: "redirects are not followed, the URL must be that of the end",
		304: "redirects are not followed, the URL must be that of the end",
		308: "redirects are not followed, the URL must be that of the end",
		400: "it does not take the alert, expected 2xx",
		401: "check the secret and how the webhook logs in, by the user part of the URL or a header",
		403: "check the secret and how the webhook logs in, by the user part of the URL or a header",
		404: "check the path of the URL, which must take POST",
		405: "check the path of the URL, which must take POST",
		410: "check the path of the URL, which must take POST",
		429: "it takes nothing for now",
		500: "see what is wrong there",
		503: "it takes nothing for now",
		599: "see what is wrong there",
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			server, got := receiver(t, httptest.NewServer, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(code)
				io.WriteString(w, "p4th is wrong")
			})
			host := strings.TrimPrefix(server.URL, "http://")
			err := failing(t, load(t, full("http", host, ""), http.DefaultTransport))
			if want := fmt.Sprintf("http://%s answered %d: %s", host, code, want); err.Error() != want {
				t.Errorf("got %q, expected %q", err, want)
			}
			if _, ok := errors.AsType[*alert.RetryAfterError](err); ok {
				t.Error("got a time for the next try, which was not asked for")
			}
			if len(got) != 1 {
				t.Errorf("got %d requests, expected one", len(got))
			}
		})
	}
	for _, code := range []int{200, 201, 202, 204, 299} {
		server, _ := receiver(t, httptest.NewServer, status(code))
		if parts, err := load(t, `{"url": "`+server.URL+`"}`, http.DefaultTransport).Send(t.Context(), sample(), 0); err != nil || parts != 1 {
			t.Errorf("%d: got %d parts, error %v", code, parts, err)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	for _, test := range []struct {
		code  int
		value string
		want  time.Duration // 0 is none
	}{
		{429, "7", 7 * time.Second}, {503, "90", 90 * time.Second}, {429, "0", time.Second}, {503, "86400", time.Hour},
		{429, "soon", 0}, {500, "7", 0}, {403, "7", 0}, {302, "7", 0},
	} {
		server, _ := receiver(t, httptest.NewServer, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", test.value)
			w.WriteHeader(test.code)
		})
		host := strings.TrimPrefix(server.URL, "http://")
		err := failing(t, load(t, full("http", host, ""), http.DefaultTransport))
		var got time.Duration
		if wait, ok := errors.AsType[*alert.RetryAfterError](err); ok {
			got = wait.After
		}
		if got != test.want {
			t.Errorf("%d with Retry-After %s: wait %s, expected %s", test.code, test.value, got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "1.5": 0, "-5": time.Second, "0": time.Second, "1": time.Second, "120": 2 * time.Minute,
		"3600": time.Hour, "3601": time.Hour, "9223372036854775807": time.Hour, "99999999999999999999": time.Hour,
		date(90 * time.Second): 90 * time.Second, date(0): time.Second, date(-time.Hour): time.Second,
		date(24 * time.Hour): time.Hour, "Thu, 31 Dec 9999 23:59:59 GMT": time.Hour,
	} {
		got, asked := retryAfter(value, now)
		if got != want || asked != (want > 0) {
			t.Errorf("%q: got %s, %t, expected %s", value, got, asked, want)
		}
	}
}

// TestTimeout has a receiver that never answers, on a clock of its own.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := load(t, full("https", "ops.example.com", `, "timeout": "3s"`), roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: r.Context().Err()}
		}))
		begun := time.Now()
		err := failing(t, h)
		const want = "https://ops.example.com gave no answer within 3s: see that it is up and can be reached, or raise timeout"
		if err.Error() != want || time.Since(begun) != 3*time.Second {
			t.Errorf("after %s got %q, expected %q", time.Since(begun), err, want)
		}
	})
}

// TestHang has a real server that takes the request and says nothing.
func TestHang(t *testing.T) {
	over := make(chan struct{})
	server, got := receiver(t, httptest.NewServer, func(http.ResponseWriter, *http.Request) { <-over })
	t.Cleanup(func() { close(over) }) // before the server is closed, which waits
	host := strings.TrimPrefix(server.URL, "http://")
	err := failing(t, load(t, full("http", host, `, "timeout": "100ms"`), http.DefaultTransport))
	if !strings.Contains(err.Error(), "gave no answer within 100ms") || len(got) != 1 {
		t.Errorf("got %d requests and %q", len(got), err)
	}
}

// TestEndlessAnswer has taken the alert: the rest of its answer does not matter,
// and is not read to an end that never comes.
func TestEndlessAnswer(t *testing.T) {
	read := 0
	h := load(t, `{"url": "http://192.0.2.1/"}`, roundTrip(func(*http.Request) (*http.Response, error) {
		body := readFunc(func(p []byte) (int, error) {
			read += len(p)
			return len(p), nil
		})
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
	}))
	if parts, err := h.Send(t.Context(), sample(), 0); err != nil || parts != 1 {
		t.Errorf("got %d parts, error %v", parts, err)
	}
	if read > maxAnswerBytes {
		t.Errorf("read %d bytes, expected at most %d", read, maxAnswerBytes)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// TestFaults has real connections that fail.
func TestFaults(t *testing.T) {
	cut, _ := receiver(t, httptest.NewServer, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	strange, _ := receiver(t, httptest.NewTLSServer, status(http.StatusOK))
	plain, _ := receiver(t, httptest.NewServer, status(http.StatusOK))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, test := range map[string]struct{ scheme, host, want string }{
		"cut":         {"http", cut.Listener.Addr().String(), ": EOF: see that it is up and can be reached"},
		"refused":     {"http", closed.Addr().String(), "refused: see that it is up, and check the port of the URL"},
		"certificate": {"https", strange.Listener.Addr().String(), ": it needs a certificate for this name of a CA that this server knows"},
		"no TLS":      {"https", plain.Listener.Addr().String(), ": check the URL, this port does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := new(http.Transport)
			t.Cleanup(transport.CloseIdleConnections)
			err := failing(t, load(t, full(test.scheme, test.host, ""), transport))
			begin := "posting to " + test.scheme + "://" + test.host + ": "
			if !strings.HasPrefix(err.Error(), begin) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %q, expected %s...%s", err, begin, test.want)
			}
		})
	}
}

// TestErrorsOfTransports hold the URL in every way that one can.
func TestErrorsOfTransports(t *testing.T) {
	const target = "https://us3r:pa55@ops.example.com/p4th/B0?t0ken=1"
	sent := strings.Replace(target, "us3r:pa55@", "", 1)
	inner := errors.New("no proxy is usable")
	for name, err := range map[string]error{
		"URL":           &url.Error{Op: "Post", URL: target, Err: inner},
		"wrapped":       fmt.Errorf("through main: %w", &url.Error{Op: "Post", URL: target, Err: inner}),
		"twice":         &url.Error{Op: "Post", URL: target, Err: &url.Error{Op: "Post", URL: target, Err: inner}},
		"as text":       fmt.Errorf(`Post %q: %w`, sent, inner),
		"path as text":  fmt.Errorf("POST /p4th/B0: %w", inner),
		"query as text": fmt.Errorf("t0ken=1: %w", inner),
		"DNS":           &net.DNSError{Err: "no proxy is usable", Name: "ops.example.com", IsNotFound: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := load(t, full("https", "ops.example.com", ""), roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.String() != sent {
					t.Errorf("the transport gets %s, expected %s", r.URL, sent)
				}
				return nil, err
			}))
			if got := failing(t, h); !strings.Contains(got.Error(), "no proxy is usable: ") {
				t.Errorf("got %q, expected the reason in it", got)
			}
		})
	}
}
