package pool

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// restart goes on with a state of which nothing is known but what was stored.
func (w *world) restart(b *Batch, change func(*Config)) {
	w.Helper()
	w.state.Close()
	w.state = NewState()
	w.reload(change)
	if err := w.Restore("first", b.Records); err != nil {
		w.Fatal(err)
	}
}

// rows are all rows, without what they are rows of.
func (w *world) rows() []Row {
	var rows []Row
	for _, p := range w.Pool.Proxies() {
		row := p.Snapshot()
		row.Proxy, row.NextCheck = nil, time.Time{} // planned anew
		rows = append(rows, row)
	}
	return rows
}

// verdicts are what explain says, for two targets.
func (w *world) verdicts() [][]Verdict {
	now := time.Now()
	return [][]Verdict{
		w.Explain(TargetKey{Scheme: "https", Addr: api}, now),
		w.Explain(TargetKey{Scheme: "https", Addr: "other.example.com:443"}, now),
	}
}

// lived is a pool of which all is known that can be.
func lived(t *testing.T) *world {
	t.Helper()
	specs := named("down held disabled blocked failing both slow metered reset plain")
	specs[7].cost = 5
	w := newWorld(t, specs, func(c *Config) {
		addressed(c)
		c.Proxies[7].Budget, c.Proxies[7].TrafficAlert = Budget{Money: Dollars(0.01), Per: PerMonth, Hard: true}, 1<<20
	})
	for _, p := range w.Pool.Proxies() {
		w.check(p.Name, true, 100*time.Millisecond)
		w.proxy(p.Name).succeeded(time.Now())
		w.route(p.Name).countAttempt([]Outcome{OutcomeProxyFailed, OutcomeOK}[p.place%2])
		w.spend(p.Name, 1000+p.place)
		p.State.connectTime.observe(time.Duration(p.place+1) * time.Millisecond)
	}
	w.pass(time.Millisecond)
	w.proxy("plain").succeeded(time.Now())
	w.check("plain", false, time.Second) // while its traffic flows
	w.fail("down", 4)
	w.fail("plain", 2)
	w.do("disabled", "disable")
	w.proxy("blocked").block(w.route("blocked"), time.Now().Add(time.Hour), "403")
	w.failRoute("failing", 4)
	w.failRoute("both", 3)
	w.proxy("both").block(w.route("both"), time.Now().Add(2*time.Hour), "403")
	for range 4 {
		w.check("slow", true, 3*time.Second)
	}
	w.check("slow", false, time.Second)
	w.spend("metered", 10<<20)
	w.do("reset", "reset-stats")
	w.spend("reset", 77)
	w.check("reset", true, time.Second)
	w.relapse("held")
	w.relapse("held")
	w.Pool.Tick(time.Now())
	w.wantOrder("slow reset plain held")
	return w
}

// TestRestartKeepsWhatIsKnown: rows, what explain says and the order are as
// before, and so is what is collected then.
func TestRestartKeepsWhatIsKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		rows, verdicts := w.rows(), w.verdicts()
		due := w.proxy("metered").CheckDue()
		w.events = nil
		w.restart(b, nil)
		if diff := cmp.Diff(rows, w.rows()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
		down := verdicts[0][0]
		for _, v := range verdicts {
			v[0] = w.verdicts()[0][0]
		}
		if diff := cmp.Diff(verdicts, w.verdicts()); diff != "" {
			t.Errorf("explain (-before +after):\n%s", diff)
		}
		if v := w.verdicts()[0][0]; v.Reason != down.Reason || v.Until.After(time.Now()) {
			t.Errorf("what was down is not checked at once: %+v", v)
		}
		w.wantOrder("slow reset plain held")
		for _, name := range []string{"slow", "plain"} {
			if got := w.proxy(name).State.degraded.Load(); got != (name == "slow") {
				t.Errorf("%s: degraded %v", name, got)
			}
		}
		w.proxy("metered").PlanCheck(time.Now())
		if got := w.proxy("metered").CheckDue(); got != due || due == 0 {
			t.Errorf("the metered check is due %v, was %v", time.Unix(0, got), time.Unix(0, due))
		}
		again := new(Batch)
		w.state.Collect("main", again, true)
		records := func(b *Batch) map[string]any {
			known := make(map[string]any)
			for _, r := range b.Records {
				var m map[string]any
				if err := json.Unmarshal(r.State, &m); err != nil {
					t.Fatal(err)
				}
				delete(m, "troubles") // in no particular order
				known[r.Proxy] = []any{r.Total, m}
			}
			return known
		}
		if diff := cmp.Diff(records(b), records(again)); diff != "" {
			t.Errorf("records (-before +after):\n%s", diff)
		}
		if len(again.Usage) != 0 {
			t.Errorf("usage is stored twice: %+v", again.Usage)
		}
		w.wantEvents()
	})
}

// TestLifeGoesOnAfterARestart where it was: damping, streaks, blocks, averages.
func TestLifeGoesOnAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		w.restart(w.collect(), nil)
		w.events = nil
		w.fail("plain", 1)
		w.wantStatus("plain", StatusDown)
		if r := w.route("failing"); r.retry != 10*time.Second || !r.failing.Load() {
			t.Errorf("failing %v, probed after %v", r.failing.Load(), r.retry)
		}
		if r := w.route("both"); !r.blocked(time.Now().UnixNano()) || !r.failing.Load() {
			t.Error("both is not both")
		}
		if got := w.proxy("blocked").State.connectTime.value(); got != 4*time.Millisecond {
			t.Errorf("connects usually take %v", got)
		}
		w.tick(time.Minute)
		w.wantEvents("plain healthy>down: dial_refused", "held down>healthy: damping is over")
		w.tick(time.Hour)
		w.wantEvents("blocked blocked>healthy: ")
		w.check("slow", true, 3*time.Second)
		w.check("slow", true, time.Millisecond)
		w.wantStatus("slow", StatusDegraded)
		w.check("slow", true, time.Millisecond)
		w.wantStatus("slow", StatusHealthy)
		w.check("down", true, time.Second)
		w.wantStatus("down", StatusHealthy)
	})
}

// TestAnotherAddress: health and blocks are of the old one, counters and the
// admin's word are of the name.
func TestAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		usage := make(map[string]Usage)
		for _, p := range w.Pool.Proxies() {
			usage[p.Name] = p.Snapshot().Usage
		}
		b := w.collect()
		w.events = nil
		w.restart(b, func(c *Config) {
			for i := range c.Proxies {
				c.Proxies[i].Address += "0"
			}
		})
		for _, p := range w.Pool.Proxies() {
			row := p.Snapshot()
			if row.Status != StatusHealthy || row.BlockedFor != nil || row.FailingFor != nil || row.FailureCount != 0 || row.ResponseTime != 0 || !row.LastCheck.IsZero() {
				t.Errorf("%s: health is of the old address: %+v", p.Name, row)
			}
			if diff := cmp.Diff(usage[p.Name], row.Usage); diff != "" {
				t.Errorf("%s: usage (-want +got):\n%s", p.Name, diff)
			}
			if row.Active == (p.Name == "disabled") || (row.Usable != row.Active && p.Name != "metered") {
				t.Errorf("%s: %+v", p.Name, row)
			}
		}
		w.wantEvents()
	})
}

// TestDamagedRecords: what can be read is restored, and counters are no part of
// what may be damaged.
func TestDamagedRecords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		damaged := map[string]string{"down": `{"address":`, "disabled": "", "held": `{"address":"http://held.example.com:3128","down":true,"disabled":true,"checks":"many"}`}
		for i := range b.Records {
			if state, ok := damaged[b.Records[i].Proxy]; ok {
				b.Records[i].State = []byte(state)
			}
		}
		w.state.Close()
		w.state = NewState()
		w.reload(nil)
		err := w.Restore("first", append(b.Records, Record{Pool: "main", Proxy: "gone", State: []byte("{")}))
		for name := range damaged {
			if err == nil || !strings.Contains(err.Error(), "main/"+name) {
				t.Errorf("the error does not name %s: %v", name, err)
			}
			if row := w.row(name); row.Status != StatusHealthy || !row.Usable || row.Requests != 1 || row.BytesIn < 1000 {
				t.Errorf("%s: %+v", name, row)
			}
		}
		if err != nil && strings.Contains(err.Error(), "gone") {
			t.Errorf("of a proxy that is in no configuration: %v", err)
		}
		w.wantStatus("blocked", StatusBlocked)
		w.wantStatus("slow", StatusDegraded)
		if w.Lacks("first") {
			t.Error("it is asked again and again")
		}
	})
}

// TestBudgetsAreToldOnce, also where a restart lies between.
func TestBudgetsAreToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var told []string
		w := newWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}}, func(c *Config) {
			addressed(c)
			c.Proxies[0].Budget, c.Proxies[0].TrafficAlert = Budget{Bytes: 10 << 20, Per: PerDay}, 5<<20
			c.OnBudget = func(e BudgetEvent) {
				told = append(told, fmt.Sprintf("%s/%s %s %d %d", e.Pool, e.Proxy, e.Kind, e.Percent, e.Threshold>>20))
			}
		})
		w.spend("A", 9<<20)
		want := []string{"main/A budget 80 0", "main/A traffic_alert 0 5"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		told = nil
		for range 2 {
			w.restart(w.collect(), nil)
			w.tick(2 * time.Second)
		}
		if told != nil {
			t.Errorf("told again: %v", told)
		}
		w.spend("A", 1<<20)
		if diff := cmp.Diff([]string{"main/A budget 100 0", "main/A traffic_alert 0 10"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		b := w.collect()
		w.pass(24 * time.Hour)
		told = nil
		w.restart(b, nil)
		w.spend("A", 8<<20)
		if diff := cmp.Diff([]string{"main/A budget 80 0", "main/A traffic_alert 0 15"}, told); diff != "" {
			t.Errorf("told the next day (-want +got):\n%s", diff)
		}
	})
}
