package proxypool

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestDashboardLive: a page is told all, then what changes, and let go at a reload.
func TestDashboardLive(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	if resp, _ := s.visit("HEAD", "/proxies/api/live"); resp.StatusCode != 200 {
		t.Errorf("HEAD: %s", resp.Status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/proxies/api/live", nil)
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("%s %s", resp.Status, got)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() (name string, frame struct{ Rows []liveRow }) {
		t.Helper()
		for lines.Scan() {
			if after, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = after
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &frame); err != nil {
					t.Fatal(err)
				}
				return name, frame
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return
	}
	if name, frame := next(); name != "full" || len(frame.Rows) != 2 {
		t.Fatalf("%s %+v", name, frame)
	}
	s.call("POST", "/proxy_pool/proxies/main/P2/mark-down", nil)
	name, frame := next()
	for len(frame.Rows) == 0 {
		name, frame = next()
	}
	if name != "delta" || len(frame.Rows) != 1 || frame.Rows[0].Name != "P2" || frame.Rows[0].Status != "down" {
		t.Errorf("%s %+v", name, frame)
	}
	s.reload()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("at the reload: %v", err)
	}
}

func TestDashboardDropsSlowPages(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	l := newTestLive(t)
	slow := l.join()
	heard := time.Now()
	for i := range livePending + 1 {
		s.call("POST", "/proxy_pool/proxies/main/P1/"+[]string{"mark-down", "mark-healthy"}[i%2], nil)
		l.look(&heard)
	}
	frames := 0
	for range slow.frames {
		frames++
	}
	if frames != livePending {
		t.Errorf("%d frames before it was dropped", frames)
	}
	var pages []*livePage
	for page := l.join(); page != nil; page = l.join() {
		pages = append(pages, page)
	}
	if len(pages) != maxLivePages {
		t.Errorf("%d pages at once", len(pages))
	}
}

// newTestLive is a live view of the configuration that runs.
func newTestLive(t *testing.T) *live {
	t.Helper()
	d := &Dashboard{app: runningApps()[0]}
	d.purse = newPurse(d.spent)
	l := newLive(&painter{dashboard: d})
	t.Cleanup(func() {
		l.end()
		l.wait()
		d.purse.end()
	})
	return l
}

// TestDashboardLiveOutlastsTimeouts: a page that hears nothing but that it is
// connected stays, although that is more rarely than a frame may take, and than
// the server allows for an answer.
func TestDashboardLiveOutlastsTimeouts(t *testing.T) {
	serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			l := newTestLive(t)
			l.tempo = tempo{pace: 200 * time.Millisecond, beat: 1500 * time.Millisecond, write: time.Second}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := l.serve(w, r); err != nil {
					t.Error(err)
				}
			}))
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.Config.WriteTimeout = time.Second
			server.StartTLS()
			t.Cleanup(server.Close)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.Proto != protocol {
				t.Fatalf("it is %s", resp.Proto)
			}
			beats, lines := 0, bufio.NewScanner(resp.Body)
			for beats < 2 && lines.Scan() {
				if lines.Text() == "event: beat" {
					beats++
				}
			}
			if beats < 2 {
				t.Errorf("ended after %d beats: %v", beats, lines.Err())
			}
		})
	}
}

// stream is a live stream as a page reads it.
type stream struct {
	t     testing.TB
	lines *bufio.Scanner
}

// follow opens a stream, which is compressed where the server does that.
func (s *server) follow(coding string) *stream {
	s.t.Helper()
	req, _ := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/proxies/api/live", nil)
	req.Header.Set("Accept-Encoding", coding)
	resp, err := client(s.t).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Encoding"); got != coding {
		s.t.Fatalf("it is encoded as %q", got)
	}
	body := io.Reader(resp.Body)
	if coding == "gzip" {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			s.t.Fatal(err)
		}
	}
	return &stream{s.t, bufio.NewScanner(body)}
}

// hear reads until a line has a part in it.
func (s *stream) hear(part string) {
	s.t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), part) {
			return
		}
	}
	s.t.Fatalf("ended before %s: %v", part, s.lines.Err())
}

// TestDashboardLiveThroughEncode: what changes comes at once, although Caddy
// compresses the stream.
func TestDashboardLiveThroughEncode(t *testing.T) {
	site := strings.Replace(page(""), "\tproxy_pool_dashboard", "\tencode gzip\n\tproxy_pool_dashboard", 1)
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), site)
	live := s.follow("gzip")
	live.hear("event: full")
	for range 2 {
		s.call("POST", "/proxy_pool/proxies/main/P1/mark-down", nil)
		live.hear(`"status":"down"`)
		s.call("POST", "/proxy_pool/proxies/main/P1/mark-healthy", nil)
		live.hear(`"status":"healthy"`)
	}
}

// TestDashboardLiveWithinWriteTimeout: what a server's write timeout cuts, comes
// back with what has changed.
func TestDashboardLiveWithinWriteTimeout(t *testing.T) {
	timeouts := "}\nservers {\n\ttimeouts {\n\t\twrite 300ms\n\t}\n" // beside the app
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{}))+timeouts, page(""))
	live := s.follow("")
	live.hear("data: ")
	s.call("POST", "/proxy_pool/proxies/main/P1/mark-down", nil)
	for live.lines.Scan() {
		if strings.HasPrefix(live.lines.Text(), "data: ") {
			t.Error("it was not cut")
		}
	}
	s.follow("").hear(`"status":"down"`)
}

// TestDashboardRemembersOverReload: the bars of checks, p50, p95 and failovers
// are the same after a reload.
func TestDashboardRemembersOverReload(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := strings.Replace(onePool(t, "", first, second), "health_check off", "health_check {\n\turl "+origin.URL()+"/\n\tinterval 1h\n\t}", 1)
	s := serve(t, checked, page("")+reverseOn(origin.URL()))
	c := client(t)
	front := func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", nil)
		req.Host = "front.example.com"
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s", resp.Status)
		}
	}
	front()
	for range 3 {
		s.call("POST", "/proxy_pool/proxies/main/P1/check", nil)
	}
	first.MustSetMode(t, proxytest.Refuse)
	s.call("POST", "/proxy_pool/proxies/main/P1/mark-healthy", nil)
	front()
	before := remembered(t)
	if pulse := before.Head.Pools[0]; pulse.Failovers != 1 || pulse.P50MS == 0 || len(before.Rows[0].Beats) < 2*3 {
		t.Fatalf("nothing to remember: %+v", before)
	}
	s.reload()
	after := remembered(t)
	for i := range before.Rows { // a first check may come in between
		after.Rows[i].Beats = after.Rows[i].Beats[:min(len(before.Rows[i].Beats), len(after.Rows[i].Beats))]
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// memories are what a page shows of what has been.
type memories struct {
	Head struct {
		Pools []struct {
			P50MS     int64 `json:"p50_ms"`
			P95MS     int64 `json:"p95_ms"`
			Failovers int64
		}
	}
	Rows []struct {
		Name  string
		Beats []int64
	}
}

func remembered(t *testing.T) (shown memories) {
	t.Helper()
	if err := json.Unmarshal(newTestLive(t).whole(), &shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

// reverseOn is the reverse front on a host of its own, beside a page.
func reverseOn(target string) string {
	return "http://front.example.com:{port} {\n\tbind 127.0.0.1\n\tproxy_pool " + target + "\n}\n"
}
