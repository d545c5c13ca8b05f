//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOpenIdle opens as many as were asked for, and all are of use.
func TestOpenIdle(t *testing.T) {
	t.Parallel()
	p, relay, _, _ := throughRelay(t)
	tunnels, err := openIdle(t.Context(), relay, 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range tunnels {
		if err := bounce(conn); err != nil {
			t.Errorf("using an idle tunnel: %v", err)
		}
		conn.Close()
	}
	if len(tunnels) != 50 {
		t.Errorf("got %d tunnels, want 50", len(tunnels))
	}
	if err := p.set(mode502); err != nil {
		t.Fatal(err)
	}
	if tunnels, err = openIdle(t.Context(), relay, 50); err == nil || len(tunnels) != 0 {
		t.Errorf("got %d tunnels and %v from a proxy that refuses them", len(tunnels), err)
	}
}

// TestJudgeTunnels tells what was cut with the proxy from what failed.
func TestJudgeTunnels(t *testing.T) {
	t.Parallel()
	brokenAt := time.Now()
	at := func(start, stood, end int, o outcome) sample {
		after := func(ms int) time.Time { return brokenAt.Add(time.Duration(ms) * time.Millisecond) }
		s := sample{start: after(start), end: after(end), outcome: o, status: 503}
		if stood != 0 {
			s.stood = after(stood)
		}
		return s
	}
	v := judgeTunnels([]sample{
		at(-100, -90, -50, good),
		at(-20, -10, 5000, timedOut), // stood, and froze
		at(-20, -5, 1, broken),
		at(-10, 0, 20, refused), // had not stood: it should have failed over
		at(10, 260, 300, good),
		at(10, 20, 40, broken),
		at(10, 0, 400, timedOut),
	}, brokenAt)
	type counts struct {
		asked, failed, cut int
		kinds              string
		longest            time.Duration
		over249, over250   int
	}
	got := counts{v.asked, v.failed, v.cut, v.kinds, v.longest(), v.over(249 * time.Millisecond), v.over(250 * time.Millisecond)}
	want := counts{7, 3, 2, "(1 × 503, 1 cut off, 1 timed out)", 390 * time.Millisecond, 2, 1}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(counts{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond}, v.before); diff != "" {
		t.Errorf("opening before (-want +got)\n%s", diff)
	}
}

// TestReadInUse reads the two figures, and misses what is missing.
func TestReadInUse(t *testing.T) {
	t.Parallel()
	const profile = "heap profile: 1: 2 [3: 4] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 7\n# HeapAlloc = 1000\n# HeapInuse = 9\n# Stack = 24 / 99\n"
	if got, err := readInUse(profile); err != nil || got != 1024 {
		t.Errorf("got %d, %v, want 1024", got, err)
	}
	if _, err := readInUse(strings.ReplaceAll(profile, "Stack", "Rack")); err == nil {
		t.Error("got no error where the stacks are missing")
	}
}

// TestPoolWithPrice has the price at all proxies but the first.
func TestPoolWithPrice(t *testing.T) {
	t.Parallel()
	r := &rig{}
	if text := r.poolOf("http://c", "a:1", "b:1", "c:1"); strings.Contains(text, "cost_per_gb") {
		t.Errorf("a pool without prices is\n%s", text)
	}
	first, others, _ := strings.Cut(r.poolWithPrice(12, "http://c", "a:1", "b:1", "c:1"), "Proxy-2")
	if strings.Contains(first, "cost_per_gb") || strings.Count(others, "cost_per_gb 12\n") != 2 {
		t.Errorf("the first proxy is\n%s\nthe others\n%s", first, others)
	}
}

// TestToolConfigs leaves no word in capitals in a configuration.
func TestToolConfigs(t *testing.T) {
	t.Parallel()
	for _, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			t.Parallel()
			text := tool.configFor("127.0.0.1:1001", "127.0.0.2:2002")
			for _, word := range []string{"127.0.0.1", "1001", "127.0.0.2", "2002"} {
				if !strings.Contains(text, word) {
					t.Errorf("%s is missing in\n%s", word, text)
				}
			}
			for _, word := range []string{"LISTEN", "HOST", "PORT"} {
				if strings.Contains(text, word) {
					t.Errorf("%s is left in\n%s", word, text)
				}
			}
		})
	}
}
