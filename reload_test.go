package proxypool

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// TestReloadsUnderLoad: twenty reloads while clients send lose no request that
// reached the handler, and leave nothing behind.
//
// Caddy itself closes its listener and idle client connections at a reload, so
// that clients without keep-alive or with unlucky timing meet a reset before
// any handler is asked. Those are not counted here; what a proxy pool answers is.
func TestReloadsUnderLoad(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxies := []*proxytest.Proxy{proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})}
	checked := fmt.Sprintf("health_check {\nurl %s\ninterval 200ms\n}", origin.URL())
	pools := strings.Replace(onePool(t, "", proxies...), "health_check off", checked, 1)
	s := serve(t, pools, reverse(origin.URL(), ""))
	traffic := startLoad(s, http.MethodPost, 8)
	traffic.waitFor(t, 100)
	s.reload() // what a first reload makes stays
	traffic.waitFor(t, 100)
	goroutines, files := resources(t)
	for i := range 20 {
		s.load(strings.Replace(pools, "interval 200ms", fmt.Sprintf("interval %dms", 201+i), 1), s.sites)
		traffic.waitFor(t, 50)
	}
	eventually(t, "goroutines and descriptors are as many as before", func() bool {
		g, f := resources(t)
		return g <= goroutines+30 && f <= files+15 // requests come and go
	})
	traffic.end()
	for _, f := range traffic.failures {
		if !strings.HasPrefix(f.what, "Post ") {
			t.Errorf("POST %s failed: %s", f.id, f.what)
		}
	}
	seen := 0
	for _, id := range traffic.ids {
		seen += origin.Seen(id)
		if origin.Seen(id) > 1 {
			t.Errorf("the origin saw POST %s %d times", id, origin.Seen(id))
		}
	}
	eventually(t, "the counters agree with the origin", func() bool {
		row := s.row("P1")
		return row.TotalRequests == int64(seen) && row.FailedRequests == 0
	})
}

// resources are the goroutines and open files of this process.
func resources(t *testing.T) (goroutines, files int) {
	t.Helper()
	runtime.GC()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return runtime.NumGoroutine(), 0 // not on Linux
	}
	return runtime.NumGoroutine(), len(entries)
}

// TestStateSurvivesReload: counters, statuses, blocks, disabled flags and
// standing connections belong to names, not to a configuration.
func TestStateSurvivesReload(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forbid") != "" {
			w.WriteHeader(http.StatusForbidden)
		}
	}
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(handler)})
	a, b, c := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", a, b, c), reverse(origin.URL(), ""))
	cl := client(t)
	s.get(cl, "/")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P2/disable", nil)
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P3/mark-down", nil)
	before := s.row("P1")
	s.reload()
	after := s.row("P1")
	if before.TotalRequests != after.TotalRequests || before.TrafficMB != after.TrafficMB || *before.Since != *after.Since {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	if row := s.row("P2"); row.Active || row.Usable {
		t.Errorf("P2 is no longer disabled: %+v", row)
	}
	if row := s.row("P3"); row.Status != "down" || row.Reason != "marked down" {
		t.Errorf("P3 is no longer down: %+v", row)
	}
	connects := a.Connects(origin.Addr())
	s.get(cl, "/")
	if n := a.Connects(origin.Addr()); n != connects {
		t.Errorf("the standing connection did not survive, %d connects", n-connects)
	}

	// A proxy that is reached in another way begins anew, with its counters.
	moved := strings.Replace(onePool(t, "", a, b, c), c.URL(), a.URL(), 1)
	s.load(moved, s.sites)
	if row := s.row("P3"); row.Status != "healthy" {
		t.Errorf("P3 has another URL and is still %s", row.Status)
	}
	// One that leaves and comes back has its history.
	s.load(onePool(t, "", b), s.sites)
	s.load(onePool(t, "", a, b, c), s.sites)
	if row := s.row("P1"); row.TotalRequests != after.TotalRequests+1 {
		t.Errorf("P1 lost its history: %+v", row)
	}
}

// TestRunningRequestSurvivesReload: also one whose pool is gone from the new
// configuration finishes.
func TestRunningRequestSurvivesReload(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 2)
	handler := func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		fmt.Fprint(w, "done")
	}
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(handler)})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), reverse(origin.URL(), ""))
	for _, next := range []func(){
		s.reload,
		func() {
			empty := fmt.Sprintf(`{"admin":{"listen":%q},"apps":{}}`, s.admin)
			if err := caddy.Load([]byte(empty), true); err != nil {
				t.Error(err)
			}
		},
	} {
		answer := make(chan string, 1)
		go func() { answer <- askUntilItArrives(t, origin, s.url) }()
		select {
		case <-arrived:
		case body := <-answer:
			t.Fatalf("got %q before it was to be answered", body)
		}
		loaded := make(chan struct{})
		go func() {
			defer close(loaded)
			next()
		}()
		release <- struct{}{}
		if body := <-answer; body != "done" {
			t.Errorf("got %q", body)
		}
		<-loaded
	}
	eventually(t, "no connection is left", func() bool { return proxy.Standing() == 0 })
}

// askUntilItArrives returns the answer of a server whose listener may just have
// been replaced: connections that nobody had accepted are lost then, as with any
// reload of Caddy.
func askUntilItArrives(t *testing.T, origin *proxytest.Origin, url string) string {
	t.Helper()
	before := origin.Requests()
	for {
		resp, err := client(t).Get(url)
		if err != nil {
			if origin.Requests() == before && t.Context().Err() == nil {
				continue
			}
			return err.Error()
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
}

// TestBackToTheCheapest: once the first proxy works again it carries the next
// request, and the connections through the second are let go.
func TestBackToTheCheapest(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, rest := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := fmt.Sprintf("health_check {\nurl %s\ninterval 1s\nrecovery_interval 100ms\n}\nmax_failures 1", origin.URL())
	s := serve(t, strings.Replace(onePool(t, "", first, rest), "health_check off", checked, 1), reverse(origin.URL(), ""))
	c := client(t)
	first.MustSetMode(t, proxytest.Refuse)
	s.get(c, "/")
	eventually(t, "the first proxy is down", func() bool { return s.row("P1").Status == "down" })
	first.MustSetMode(t, proxytest.Works)
	eventually(t, "the first proxy is healthy", func() bool { return s.row("P1").Status == "healthy" })
	carried := s.row("P1").TotalRequests
	s.get(c, "/")
	if row := s.row("P1"); row.TotalRequests != carried+1 {
		t.Errorf("the first proxy did not carry the next request: %+v", row)
	}
	eventually(t, "connections through the second are let go", func() bool { return rest.Standing() == 0 })
}

// TestValidate: a configuration is validated without a trace in what runs.
func TestValidate(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := &server{t: t, port: freePort(t), admin: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	goroutines := runtime.NumGoroutine()
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(s.config(onePool(t, "", proxy), reverse("https://127.0.0.1:1", "")), &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "validation leaves no goroutine", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	if n, ok := states.References(statesKey); ok || n != 0 {
		t.Errorf("validation left %d references to the state", n)
	}
	if proxy.Accepted() != 0 {
		t.Error("validation reached out")
	}
}

// TestReloadGivenUp is a configuration without alerts that does not start as a
// whole: the one before goes on telling, repeats nothing, and is what the admin
// API is about.
func TestReloadGivenUp(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.Strict())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, alertsTo(api, "commands on")+onePool(t, "", first, second), reverse(origin.URL(), ""))
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-down", nil)
	waitMessages(t, api, 1)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	var config map[string]any
	if err := json.Unmarshal(s.config("pool main {\n\tproxy Own direct\n}\n", ""), &config); err != nil {
		t.Fatal(err)
	}
	config["apps"].(map[string]any)["http"] = map[string]any{
		"servers": map[string]any{"taken": map[string]any{"listen": []string{taken.Addr().String()}}},
	}
	raw, _ := json.Marshal(config)
	for range 4 { // apps start in no fixed order
		if err := caddy.Load(raw, true); err == nil {
			t.Fatal("the configuration started")
		}
	}
	api.Say("4711", "/status")
	waitMessages(t, api, 2)
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P2/mark-down", nil)
	messages := waitMessages(t, api, 3)
	want := []string{"🔔 <b>P1 is down</b>", "<b>Status of the proxies</b>", "🚨 <b>Pool main has no usable proxy left</b>"}
	if diff := cmp.Diff(want, firstLines(messages)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}
