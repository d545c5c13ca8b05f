package pool

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRestoreIsAdditive, once for each proxy: what a second store knows, or the
// same one later, is known already.
func TestRestoreIsAdditive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}}, addressed)
		w.get()
		w.spend("A", 1<<20)
		b := w.collect()
		once := w.row("A").Usage
		if err := w.Restore("first", b.Records); err != nil { // which are of this process
			t.Fatal(err)
		}
		if diff := cmp.Diff(once, w.row("A").Usage); diff != "" {
			t.Errorf("its own record was added (-want +got):\n%s", diff)
		}
		w.restart(b, nil)
		for _, store := range []string{"first", "second"} {
			if err := w.Restore(store, b.Records); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(once, w.row("A").Usage); diff != "" {
			t.Errorf("restored twice (-want +got):\n%s", diff)
		}
	})
}

// TestLacks says of which stores somebody is still to ask.
func TestLacks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), addressed)
		b := w.collect() // asks the first, which knows nothing
		lacks := func(want bool, store string) {
			t.Helper()
			if got := w.Lacks(store); got != want {
				t.Errorf("lacks what %s knows: %v", store, got)
			}
		}
		lacks(false, "first")
		lacks(true, "second")
		if err := w.Restore("second", b.Records[:1]); err != nil {
			t.Fatal(err)
		}
		lacks(false, "second")
		lacks(true, "third") // knows the other one, maybe
		if err := w.Restore("third", b.Records); err != nil {
			t.Fatal(err)
		}
		lacks(true, "fourth")
		w.reload(func(c *Config) { c.Proxies = append(c.Proxies, ProxyConfig{Name: "C", MaxFailures: 3, Identity: "C"}) })
		lacks(true, "third")
	})
}

// TestAnotherStore: a file that was moved holds what the process knows already,
// and another one has a history of its own, which is not to be written over.
func TestAnotherStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		was := newWorld(t, named("A"), nil)
		was.get()
		was.spend("A", 1<<20)
		records := was.collect().Records
		before := records[0].Total
		if before.Requests == 0 {
			t.Fatal("nothing was counted")
		}
		w := newWorld(t, named("A"), nil)
		restore := func(store string, records []Record) Usage {
			if err := w.Restore(store, records); err != nil {
				t.Fatal(err)
			}
			return w.proxy("A").State.ledger.totals()
		}
		if diff := cmp.Diff(before, restore("first", records)); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, restore("moved", records)); diff != "" {
			t.Errorf("a file that was moved (-want +got):\n%s", diff)
		}
		for i := range records {
			records[i].State = regexp.MustCompile(`"lineage":"[^"]*"`).ReplaceAll(records[i].State, []byte(`"lineage":"other"`))
		}
		twice := before
		twice.Add(before)
		if diff := cmp.Diff(twice, restore("foreign", records)); diff != "" {
			t.Errorf("a file of its own (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(twice, restore("foreign", records)); diff != "" {
			t.Errorf("the same again (-want +got):\n%s", diff)
		}
	})
}

// TestLateRestore: traffic flowed before the store could be opened. Counters add
// up, and what was learned since holds.
func TestLateRestore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		before := make(map[string]Usage)
		for _, r := range b.Records {
			before[r.Proxy] = r.Total
		}
		w.state.Close()
		w.state = NewState()
		w.reload(nil)
		w.events = nil
		for _, p := range w.Pool.Proxies() {
			w.route(p.Name).countAttempt(OutcomeOK)
			w.spend(p.Name, 5)
		}
		w.do("disabled", "disable")
		w.do("disabled", "enable")
		w.do("plain", "reset-stats")
		w.spend("plain", 7)
		if err := w.Restore("first", b.Records); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.Pool.Proxies() {
			got := p.State.ledger.totals()
			want := before[p.Name]
			want.Requests++
			want.BytesIn += 5
			if p.Name == "plain" {
				want.BytesIn += 7
			}
			got.Cost, got.Saved, want.Cost, want.Saved = 0, 0, 0, 0 // a byte costs nano-dollars
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.Name, diff)
			}
			if row := p.Snapshot(); row.Status != StatusHealthy || !row.Active || row.BlockedFor != nil || row.FailingFor != nil || row.FailureCount != 0 {
				t.Errorf("%s: health is of before: %+v", p.Name, row)
			}
		}
		if row := w.row("plain"); row.Requests != 0 || row.BytesIn != 7 || row.Uptime != 100 {
			t.Errorf("reset-stats was undone: %+v", row)
		}
		w.check("plain", false, time.Second)
		if row := w.row("plain"); row.Uptime != 0 {
			t.Errorf("one check failed since reset-stats, of %v %%", row.Uptime)
		}
		if row := w.row("reset"); row.Requests != 1 || row.BytesIn != 77+5 {
			t.Errorf("reset-stats of before was undone: %+v", row)
		}
		if row := w.row("metered"); row.Usable || !row.Budget.Spent {
			t.Errorf("the budget was spent: %+v", row)
		}
		w.wantEvents()
	})
}

// TestLateRestoreDisables what nobody enabled since.
func TestLateRestoreDisables(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		w.state.Close()
		w.state = NewState()
		w.reload(nil)
		w.route("disabled").countAttempt(OutcomeOK)
		if err := w.Restore("first", b.Records); err != nil {
			t.Fatal(err)
		}
		if w.row("disabled").Active {
			t.Error("enabled again")
		}
		w.do("disabled", "enable")
		if !w.row("disabled").Usable {
			t.Error("not enabled")
		}
	})
}

// TestLearnedSince: what is a sign of life, so that the health of before is of
// no use.
func TestLearnedSince(t *testing.T) {
	signs := map[string]func(*world){
		"an attempt": func(w *world) { w.route("A").countAttempt(OutcomeProxyFailed) },
		"a check":    func(w *world) { w.check("A", true, time.Second) },
		"mark-down":  func(w *world) { w.do("A", "mark-down"); w.do("A", "disable") },
	}
	for name, sign := range signs {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, named("A B"), addressed)
			w.fail("A", 2)
			b := w.collect()
			w.state.Close()
			w.state = NewState()
			w.reload(nil)
			sign(w)
			if err := w.Restore("first", b.Records); err != nil {
				t.Fatal(err)
			}
			if row := w.row("A"); row.FailureCount != 0 {
				t.Errorf("after %s there are %d failures of before", name, row.FailureCount)
			}
		})
	}
}
