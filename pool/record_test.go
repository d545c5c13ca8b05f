package pool

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// addressed gives the proxies addresses, whose user part is no part of them.
func addressed(c *Config) {
	c.Location = time.UTC
	for i := range c.Proxies {
		p := &c.Proxies[i]
		p.Address = "http://" + p.Name + ".example.com:3128"
		p.Identity = "http://someone:hunter2@" + p.Name + ".example.com:3128"
	}
}

// collect is what a store would be given, after one was asked for records.
func (w *world) collect() *Batch {
	w.Helper()
	if err := w.Restore("first", nil); err != nil {
		w.Fatal(err)
	}
	b := new(Batch)
	w.state.Collect("main", b, true)
	return b
}

// TestCollectOnlyWhatChanged: of ten thousand proxies a few carry traffic.
func TestCollectOnlyWhatChanged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), addressed)
		changed := func() string {
			b := new(Batch)
			w.state.Collect("main", b, false)
			names := make(map[string]bool)
			for _, r := range b.Records {
				names[r.Proxy] = true
			}
			return strings.Join(slices.Sorted(maps.Keys(names)), " ")
		}
		w.spend("A", 5)
		if got := changed(); got != "" {
			t.Fatalf("collected %q, of which a store may know more", got)
		}
		if w.collect(); changed() != "" {
			t.Fatal("collected twice")
		}
		until := time.Now().Add(time.Hour)
		tests := []struct {
			name string
			do   func()
		}{
			{"bytes", func() { w.route("B").account.Count(0, 1) }},
			{"an attempt", func() { w.route("B").account.attempt(false) }},
			{"an attempt that failed late", func() { w.route("B").account.fail() }},
			{"a success", func() { w.proxy("B").succeeded(time.Now()) }},
			{"a connect", func() { w.connect(w.proxy("B"), true) }},
			{"a failure", func() { w.fail("B", 1) }},
			{"an old failure", func() { w.proxy("B").blame(time.Now().Add(-time.Second), "dial_timeout") }},
			{"a failure of the route", func() { w.failRoute("B", 1) }},
			{"a failing route", func() { w.failRoute("B", 3) }},
			{"that is tried", func() { w.route("B").proving(time.Now(), &w.options) }},
			{"that works", func() { w.proxy("B").routeSucceeded(w.route("B")) }},
			{"a block", func() { w.proxy("B").markBlocked(w.route("B"), until) }},
			{"its end", func() { w.do("B", "unblock") }},
			{"a check", func() { w.check("B", true, 0) }},
			{"a failed check", func() { w.check("B", false, 0) }},
			{"disable", func() { w.do("B", "disable") }},
			{"enable", func() { w.do("B", "enable") }},
			{"mark-down", func() { w.do("B", "mark-down") }},
			{"mark-healthy", func() { w.do("B", "mark-healthy") }},
			{"reset-stats", func() { w.do("B", "reset-stats") }},
			{"an evicted target", func() { w.route("B").forget() }},
			{"another address", func() { w.reload(func(c *Config) { c.Proxies[1].Address = "socks5://b.example.com:1080" }) }},
			{"another identity", func() {
				w.reload(func(c *Config) { c.Proxies[1].Address, c.Proxies[1].Identity = "socks5://b.example.com:1080", "new" })
			}},
		}
		for _, tt := range tests {
			if tt.do(); changed() != "B" {
				t.Errorf("%s is not stored", tt.name)
			}
		}
		w.tick(10 * time.Second)
		if got := changed(); got != "" {
			t.Errorf("%q changed by itself", got)
		}
	})
}

// TestRecordsHoldNoSecret: how a proxy logs in is not in them.
func TestRecordsHoldNoSecret(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		for _, r := range w.collect().Records {
			if s := string(r.State); strings.Contains(s, "hunter2") || strings.Contains(s, "someone") || !strings.Contains(s, r.Proxy+".example.com:3128") {
				t.Errorf("record of %s: %s", r.Proxy, s)
			}
		}
	})
}

// TestUsageOfABatch adds up to the totals of its records.
func TestUsageOfABatch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		sums := make(map[string]Usage)
		for _, c := range b.Usage {
			if c.Pool != "main" || (c.Target != api && c.Target != checkAddr) || c.Quarter != QuarterOf(time.Now()) {
				t.Errorf("%+v", c)
			}
			u := sums[c.Proxy]
			u.Add(c.Usage)
			sums[c.Proxy] = u
		}
		totals := make(map[string]Usage)
		for _, r := range b.Records {
			if r.Pool != "main" {
				t.Errorf("%+v", r)
			}
			totals[r.Proxy] = r.Total
		}
		if diff := cmp.Diff(totals, sums, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-totals +sums):\n%s", diff)
		}
	})
}

// TestUsageBeforeRecords: usage adds up in the store, so that it need not wait
// until a store was asked for the record, which must.
func TestUsageBeforeRecords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), addressed)
		w.spend("A", 5)
		var b Batch
		w.state.Collect("main", &b, true)
		if len(b.Records) != 0 || len(b.Usage) != 1 || b.Usage[0].BytesIn != 5 {
			t.Errorf("%+v", b)
		}
		if err := w.Restore("first", []Record{{Proxy: "A", Total: Usage{BytesIn: 7}, State: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
		b = Batch{}
		w.state.Collect("main", &b, false)
		for _, r := range b.Records {
			if r.Proxy == "A" && r.Total.BytesIn != 12 {
				t.Errorf("%+v", r)
			}
		}
		if len(b.Records) != 2 || len(b.Usage) != 0 {
			t.Errorf("%+v", b)
		}
	})
}

// TestForgottenProxies are found again under their name until they were stored,
// and stored as they are after that.
func TestForgottenProxies(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), addressed)
		w.collect()
		w.spend("A", 5)
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403")
		a, configured := w.proxy("A").State, w.config.Proxies
		for i := range 2 * maxRetired { // which leave no room for those that are in no configuration
			w.state.proxies[fmt.Sprint("other", i)] = newProxyState(time.Now())
		}
		for range 100 { // until A is among them
			w.reload(func(c *Config) { c.Proxies = nil })
			if w.state.forgotten["A"] != nil {
				break
			}
			for name := range w.state.forgotten {
				w.state.proxies[name] = newProxyState(time.Now())
			}
			clear(w.state.forgotten)
		}
		if w.state.forgotten["A"] != a || a.troubled == nil || len(a.troubled) != 0 {
			t.Fatalf("not forgotten, or with %d routes", len(a.troubled))
		}
		w.reload(func(c *Config) { c.Proxies = configured })
		w.spend("A", 7)
		if w.proxy("A").State != a || w.state.forgotten["A"] != nil || w.row("A").BytesIn != 12 {
			t.Errorf("found anew: %+v", w.row("A"))
		}
		w.tick(time.Second)
		w.check("A", true, time.Second)
		if row := w.row("A"); row.Status != StatusHealthy || !row.Usable {
			t.Errorf("%+v", row)
		}
		w.spend("A", 1)
		delete(w.state.proxies, "A")
		w.state.forgotten = map[string]*ProxyState{"A": a}
		var b Batch
		w.state.Collect("main", &b, false)
		if len(b.Records) != 1 || b.Records[0].Total.BytesIn != 13 || w.state.forgotten != nil {
			t.Errorf("%+v", b.Records)
		}
	})
}

// BenchmarkCollect is what the writer asks for twice a second.
func BenchmarkCollect(b *testing.B) {
	for name, busy := range map[string]bool{"idle": false, "busy": true} {
		b.Run(name, func(b *testing.B) {
			pl := manyProxies(10_000)
			if err := pl.Restore("first", nil); err != nil {
				b.Fatal(err)
			}
			target := pl.State().Target(TargetKey{Scheme: "https", Addr: api}, nil)
			pl.State().Collect("main", new(Batch), true)
			b.ReportAllocs()
			for b.Loop() {
				if busy {
					b.StopTimer()
					for _, p := range pl.Proxies() {
						target.route(p).account.Count(1000, 1000)
					}
					b.StartTimer()
				}
				var batch Batch
				pl.State().Collect("main", &batch, false)
				if (len(batch.Records) > 0) != busy {
					b.Fatal(len(batch.Records))
				}
			}
		})
	}
}
