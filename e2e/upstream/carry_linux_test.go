package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// The login of the forward fronts.
const appUser, appPassword = "app", "password-of-the-app"

// way is a front and a target behind it.
type way struct {
	front, target string
	client        *http.Client
	base          string // of the target's URLs
}

// TestCarries: through every proxy, to every kind of target, in at either front
// goes all that apps send and get.
func TestCarries(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			caddytest.Needs(t, k.needs...)
			a := newAPI(t)
			s := startKind(t, k, a.ports())
			c := startCaddy(t, a, options{pool: "keepalive 2s\n" + k.proxy(t, s)})
			ways := c.ways(t, a)

			var polls sync.WaitGroup
			for _, w := range ways {
				polls.Go(func() { w.polls(t) })
			}
			for _, w := range ways {
				w.carries(t, a, k)
			}
			polls.Wait()
			c.allSucceeded(t)
			if k.name == "haproxy" {
				for _, w := range ways {
					w.client.CloseIdleConnections()
				}
				c.countsAs(t, s)
			}
		})
	}
}

// caddy is a running Caddy.
type caddy struct {
	*caddytest.Process
}

// options are what a test's Caddy has besides its targets.
type options struct {
	app, pool, checks string // of the app, of its pool, and of the pool's checks
}

// startCaddy starts Caddy with both fronts to all targets.
func startCaddy(t testing.TB, a *api, o options) *caddy {
	t.Helper()
	var sites strings.Builder
	for _, target := range a.targets {
		fmt.Fprintf(&sites, `	handle_path /%s/* {
		header >%s {http.proxy_pool.proxy}
		proxy_pool %s {
			response_timeout 75s
		}
	}
`, target.name, carrierHeader, target.origin.URL())
	}
	return &caddy{caddytest.Start(t, caddytest.Setup{
		Pools: fmt.Sprintf(`storage memory
%s
pool main {
	tls_trust_pool file %s
	health_check {
		url %s/checked
		%s
	}
	%s
}`, o.app, proxytest.CAFile(t), a.targets[2].origin.URL(), o.checks, o.pool),
		Site: sites.String(),
		Forward: fmt.Sprintf("\tproxy_pool_forward {\n\t\tallow *\n\t\tresponse_timeout 75s\n\t\tbasic_auth %s %s\n\t}",
			appUser, appPassword),
	})}
}

// ways are all there are through Caddy.
func (c *caddy) ways(t testing.TB, a *api) (ways []way) {
	proxy := &url.URL{Scheme: "http", Host: c.Front, User: url.UserPassword(appUser, appPassword)}
	forward := &http.Transport{
		Proxy:           http.ProxyURL(proxy),
		TLSClientConfig: &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12},
	}
	reverse := &http.Transport{}
	t.Cleanup(func() {
		forward.CloseIdleConnections()
		reverse.CloseIdleConnections()
	})
	for _, target := range a.targets {
		ways = append(ways,
			way{"reverse front", target.name, &http.Client{Transport: reverse}, c.URL + "/" + target.name},
			way{"forward front", target.name, &http.Client{Transport: forward}, target.origin.URL()})
	}
	return ways
}

func (w way) errorf(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Errorf("%s, %s target: %s", w.front, w.target, fmt.Sprintf(format, args...))
}

// ask asks, and returns the whole answer.
func (w way) ask(ctx context.Context, method, path string, body io.Reader) (string, error) {
	resp, err := w.open(ctx, method, path, body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	return string(text), err
}

func (w way) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.base+path, body)
	if err != nil {
		return nil, err
	}
	return w.client.Do(req)
}

const (
	pollSeconds = 50
	large       = 64 << 20
	inTime      = 60 * time.Second // for what takes a moment where nobody else works
)

// polls waits as bots do for updates.
func (w way) polls(t *testing.T) {
	began := time.Now()
	got, err := w.ask(t.Context(), http.MethodGet, fmt.Sprintf("/poll/%d", pollSeconds), nil)
	if took := time.Since(began); err != nil || got != "nothing new" || took < pollSeconds*time.Second {
		w.errorf(t, "long polling: %q, %v after %v", got, err, took)
	}
}

// carries sends and gets everything else.
func (w way) carries(t *testing.T, a *api, k kind) {
	size := int64(large)
	if strings.HasSuffix(w.target, "6") { // the address is another one, not what is carried
		size /= 8
	}
	uploaded := size
	if k.breaksUploads && !strings.HasPrefix(w.target, "https") {
		uploaded = 256 << 10
	}
	for _, one := range []struct {
		name string
		try  func(context.Context) error
	}{
		{"a small answer", func(ctx context.Context) error { return w.is(ctx, "hello", http.MethodGet, "/some", nil) }},
		{"a small body", func(ctx context.Context) error {
			return w.is(ctx, "a body", http.MethodPost, "/echo", strings.NewReader("a body"))
		}},
		{"a download", func(ctx context.Context) error { return w.downloads(ctx, size) }},
		{"an upload", func(ctx context.Context) error { return w.uploads(ctx, uploaded) }},
		{"an upload of unknown length", func(ctx context.Context) error { return w.uploadsChunks(ctx, min(uploaded, large/16)) }},
		{"events", func(ctx context.Context) error { return w.hearsEvents(ctx, a) }},
		{"a WebSocket", w.upgrades(k)},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), inTime)
		if err := one.try(ctx); err != nil {
			w.errorf(t, "%s: %v", one.name, err)
		}
		cancel()
	}
}

func (w way) is(ctx context.Context, want, method, path string, body io.Reader) error {
	got, err := w.ask(ctx, method, path, body)
	if err == nil && got != want {
		err = fmt.Errorf("%.100q came back, want %.100q", got, want)
	}
	return err
}

func (w way) downloads(ctx context.Context, size int64) error {
	resp, err := w.open(ctx, http.MethodGet, fmt.Sprintf("/large/%d", size), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := sum(resp.Body)
	if want, _ := sum(noise(size)); err == nil && got != want {
		err = fmt.Errorf("%s: what came is not what was sent", resp.Status)
	}
	return err
}

func (w way) uploads(ctx context.Context, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/upload", noise(size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want, _ := sum(noise(size)); err == nil && string(got) != want {
		err = fmt.Errorf("%s: %.200q is not the sum of what was sent", resp.Status, got)
	}
	return err
}

func (w way) uploadsChunks(ctx context.Context, size int64) error {
	want, _ := sum(noise(size))
	return w.is(ctx, want, http.MethodPost, "/upload", io.MultiReader(noise(size)))
}

// hearsEvents gets events, of which each is sent when the one before has come.
func (w way) hearsEvents(ctx context.Context, a *api) error {
	id := w.front + " " + w.target
	resp, err := w.open(ctx, http.MethodGet, "/events/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for i := range events {
		want := fmt.Sprintf("data: event %d", i)
		if !lines.Scan() || lines.Text() != want || !lines.Scan() || lines.Text() != "" {
			return fmt.Errorf("%s: %.200q instead of %q: %w", resp.Status, lines.Text(), want, lines.Err())
		}
		a.ack(id) <- struct{}{}
	}
	if lines.Scan() {
		return fmt.Errorf("%q behind the last event", lines.Text())
	}
	return lines.Err()
}

// upgrades opens a WebSocket, or finds that this proxy carries none.
func (w way) upgrades(k kind) func(context.Context) error {
	return func(ctx context.Context) error {
		err := w.webSocket(ctx)
		if k.noUpgrades && !strings.HasPrefix(w.target, "https") {
			if err == nil {
				err = fmt.Errorf("it is carried, docs/upstream-proxies.md says it is not")
			} else {
				err = nil
			}
		}
		return err
	}
}

func (w way) webSocket(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/websocket", nil)
	if err != nil {
		return err
	}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
	} {
		req.Header.Set(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %.200s", resp.Status, text)
	}
	if resp.Header.Get("Sec-WebSocket-Accept") != accepts(key) {
		return fmt.Errorf("accepted with %q", resp.Header.Get("Sec-WebSocket-Accept"))
	}
	r := bufio.NewReader(conn)
	for i := range 5 {
		want := fmt.Sprintf("message %d", i)
		if err := writeFrame(conn, []byte(want), true); err != nil {
			return err
		}
		if got, err := readFrame(r); err != nil || string(got) != want {
			return fmt.Errorf("%q came back instead of %q: %w", got, want, err)
		}
	}
	return nil
}

// allSucceeded checks that no attempt failed, nor any check.
func (c *caddy) allSucceeded(t *testing.T) {
	t.Helper()
	s := c.status(t)
	for _, row := range s.Proxies {
		if row.FailedRequests > 0 || row.Status != "healthy" || row.TotalRequests == 0 || len(row.FailingFor) > 0 {
			t.Errorf("%+v", row)
		}
	}
}

// countsAs checks that the books have the bytes that HAProxy has counted, which
// tells them of each connection when that is over.
func (c *caddy) countsAs(t *testing.T, s *server) {
	t.Helper()
	if err := c.Act("Cheap", "disable"); err != nil { // which ends what stands for the next
		t.Fatal(err)
	}
	var out, in, counted int64
	told := regexp.MustCompile(`(?m)^carried (\d+) (\d+)$`)
	agrees := caddytest.ComesTrue(15*time.Second, func() bool {
		out, in = c.bytes(t)
		counted = 0
		for _, line := range told.FindAllSubmatch(s.said(), -1) {
			up, _ := strconv.ParseInt(string(line[1]), 10, 64)
			down, _ := strconv.ParseInt(string(line[2]), 10, 64)
			counted += up + down
		}
		return counted == out+in
	})
	if !agrees {
		t.Errorf("the books have %d bytes out and %d in, %d in all; HAProxy counted %d", out, in, out+in, counted)
	}
}

// command runs a program and returns what it wrote.
func command(t testing.TB, words ...string) (string, error) {
	out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%q: %w: %s", words, err, out)
	}
	return string(out), err
}
