package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/alert"
)

// arrived is a request as a receiver saw it.
type arrived struct {
	*http.Request
	body []byte
}

// receiver is a server that takes alerts, and answers as it is told.
func receiver(t *testing.T, start func(http.Handler) *httptest.Server, answer http.HandlerFunc) (*httptest.Server, <-chan arrived) {
	t.Helper()
	got := make(chan arrived, 8)
	server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- arrived{r, body}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server, got
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestDelivery(t *testing.T) {
	t.Setenv("HOOK_SECRET", "k{e}y")
	for name, start := range map[string]func(http.Handler) *httptest.Server{
		"http": httptest.NewServer, "https": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			server, got := receiver(t, start, status(http.StatusNoContent))
			host := strings.TrimPrefix(server.URL, name+"://")
			h := load(t, `{"url": "`+name+`://us%40er:{env.HOOK_SECRET}@`+host+`/T0/B0?token=t0ken", "secret": "{env.HOOK_SECRET}",
				"header": {"x-team": ["ops", "dev"], "User-Agent": ["pager"]}}`, server.Client().Transport)
			a := sample()
			body, err := h.body(a)
			if err != nil {
				t.Fatal(err)
			}
			for _, done := range []int{0, 1} {
				parts, err := h.Send(t.Context(), a, done)
				if err != nil || parts != 1 {
					t.Fatalf("done %d: got %d parts, error %v, expected one", done, parts, err)
				}
				r := <-got
				if r.Method != http.MethodPost || r.RequestURI != "/T0/B0?token=t0ken" || r.Host != host {
					t.Errorf("got %s %s at %s", r.Method, r.RequestURI, r.Host)
				}
				if !bytes.Equal(r.body, body) || r.ContentLength != int64(len(body)) {
					t.Errorf("got the body %s, expected %s", r.body, body)
				}
				mac := hmac.New(sha256.New, []byte("k{e}y"))
				mac.Write(r.body)
				for field, want := range map[string]string{
					"Content-Type": "application/json", "User-Agent": "pager", "X-Team": "ops,dev",
					"X-Proxy-Pool-Alert":     "1767258000000000001",
					"X-Proxy-Pool-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
				} {
					if value := strings.Join(r.Header[field], ","); value != want {
						t.Errorf("%s: got %q, expected %q", field, value, want)
					}
				}
				if user, password, _ := r.BasicAuth(); user != "us@er" || password != "k{e}y" {
					t.Errorf("logged in as %q with %q", user, password)
				}
			}
		})
	}
}

// TestPlain sends no more than is configured.
func TestPlain(t *testing.T) {
	server, got := receiver(t, httptest.NewServer, status(http.StatusOK))
	if _, err := load(t, `{"url": "`+server.URL+`"}`, http.DefaultTransport).Send(t.Context(), sample(), 0); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.Header.Get("User-Agent") != "proxypool" || r.Header["X-Proxy-Pool-Signature"] != nil || r.Header["Authorization"] != nil {
		t.Errorf("got the header %v", r.Header)
	}
}

// TestSignature is what other programs compute for the same body and secret.
func TestSignature(t *testing.T) {
	// From GitHub's documentation of webhooks, "Validating webhook deliveries".
	const want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if got := sign("It's a Secret to Everybody", []byte("Hello, World!")); got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
}

// TestRepeatable has a body for each way that the transport tries.
func TestRepeatable(t *testing.T) {
	h := load(t, `{"url": "http://192.0.2.1/"}`, roundTrip(func(r *http.Request) (*http.Response, error) {
		first, _ := io.ReadAll(r.Body)
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := io.ReadAll(again); len(first) == 0 || !bytes.Equal(first, second) {
			t.Errorf("got %q, then %q", first, second)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	}))
	if _, err := h.Send(t.Context(), sample(), 0); err != nil {
		t.Error(err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDestinations(t *testing.T) {
	for name, test := range map[string]struct {
		config, name string
		want         asked
	}{
		"defaults":   {`{"url": "https://OPS.example.com/hook?x"}`, "webhook https://ops.example.com", asked{[]string{"direct"}, 10 * time.Second}},
		"underscore": {`{"url": "http://Ops_1:80"}`, "webhook http://ops_1:80", asked{[]string{"direct"}, 10 * time.Second}},
		"one way":    {`{"url": "http://u:p@[::1]:8080/hook", "timeout": "2s", "via": ["main"]}`, "webhook http://[::1]:8080", asked{[]string{"main"}, 2 * time.Second}},
		"ways":       {`{"url": "https://bücher.example/hook", "timeout": "3s", "via": ["direct", "main", "other"]}`, "webhook https://xn--bcher-kva.example", asked{[]string{"direct", "main", "other"}, time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			n := new(Notifier)
			if err := caddy.StrictUnmarshalJSON([]byte(test.config), n); err != nil {
				t.Fatal(err)
			}
			if err := n.Provision(caddy.Context{Context: t.Context()}); err != nil {
				t.Fatal(err)
			}
			var got asked
			destinations, err := n.Destinations(environment(nil, &got))
			if err != nil {
				t.Fatal(err)
			}
			if len(destinations) != 1 || destinations[0].Name() != test.name {
				t.Errorf("got the destinations %v, expected %s", destinations, test.name)
			}
			if strings.Join(got.ways, " ") != strings.Join(test.want.ways, " ") || got.patience != test.want.patience {
				t.Errorf("asked for %v, expected %v", got, test.want)
			}
		})
	}
}

func TestUnknownPool(t *testing.T) {
	n := &Notifier{settings: load(t, `{"url": "http://h/", "via": ["mian"]}`, nil).settings}
	env := environment(nil, nil)
	env.Transport = func([]string, time.Duration) (http.RoundTripper, error) {
		return nil, errors.New(`pool "mian" does not exist, expected one of main`)
	}
	const want = `via: pool "mian" does not exist, expected one of main`
	if _, err := n.Destinations(env); err == nil || err.Error() != want {
		t.Errorf("got the error %v, expected %s", err, want)
	}
}

func TestStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	h := load(t, `{"url": "http://192.0.2.1/T0"}`, roundTrip(func(r *http.Request) (*http.Response, error) {
		stop()
		<-r.Context().Done()
		return nil, r.Context().Err()
	}))
	_, err := h.Send(ctx, sample(), 0)
	if !errors.Is(err, context.Canceled) || err.Error() != "posting to http://192.0.2.1 was given up: context canceled" {
		t.Errorf("got the error %v", err)
	}
	if _, ok := errors.AsType[*alert.RefusedError](err); ok {
		t.Error("the alert is given up with it")
	}
}
