package pool

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMend: what no store gave back in earnest is put right, the rest stays.
func TestMend(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	pl := New(Config{
		Name: "main", Checks: Checks{Interval: time.Minute}, Options: Options{ConnectTimeout: 5 * time.Second},
		Blocks: []BlockRule{{For: 48 * time.Hour}}, Proxies: []ProxyConfig{{Name: "A"}},
	}, NewState())
	past, future := now.Add(-time.Hour).UnixNano(), now.Add(1000*time.Hour).UnixNano()
	route := targetName{"https", api}
	long := strings.Repeat("é", maxWords)
	tests := []struct {
		name string
		in   memory
		want memory // Status is healthy where there is none
	}{
		{"nothing", memory{}, memory{}},
		{"held although up", memory{Held: true}, memory{}},
		{"held", memory{Held: true, Down: true, Status: StatusDown, Reason: "x"}, memory{Held: true, Down: true, Status: StatusDown, Reason: "x"}},
		{"a reason of nothing", memory{Reason: "x", LastError: "y"}, memory{LastError: "y"}},
		{"no status", memory{Status: "well"}, memory{}},
		{"statuses", memory{Status: StatusDegraded}, memory{Status: StatusDegraded}},
		{"long words", memory{LastError: long}, memory{LastError: long[:maxWords]}},
		{"words cut within a character", memory{LastError: "x" + long}, memory{LastError: "x" + long[:maxWords-2]}},
		{"negative", memory{
			Failures: -1, Passes: -1, Relapses: -1, Recovery: -1, Since: -1, UpSince: -1, HeldSince: -1, LastSuccess: -1, LastTraffic: -1,
			LastCheck: -1, ResponseTime: -1, ConnectTime: -1, CheckTimes: [3]time.Duration{-1, -1, -1}, CheckCount: -1,
		}, memory{}},
		{"too much", memory{
			Failures: math.MaxInt32, Passes: math.MaxInt, Relapses: math.MaxInt, Recovery: time.Hour, Since: future, UpSince: future,
			HeldSince: future, LastSuccess: future, LastTraffic: future, LastCheck: future, ResponseTime: math.MaxInt64, ConnectTime: math.MaxInt64,
			CheckTimes: [3]time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64}, CheckCount: math.MaxInt,
		}, memory{
			Failures: maxStreak, Passes: maxStreak, Relapses: maxStreak, Recovery: time.Minute, Since: now.UnixNano(), UpSince: now.UnixNano(),
			HeldSince: now.UnixNano(), LastSuccess: now.UnixNano(), LastTraffic: now.UnixNano(), LastCheck: now.UnixNano(),
			ResponseTime: int64(time.Hour), ConnectTime: int64(time.Hour),
			CheckTimes: [3]time.Duration{time.Hour, time.Hour, time.Hour}, CheckCount: math.MaxInt32,
		}},
		{"in earnest", memory{
			Failures: 7, Passes: 1, Relapses: 3, Recovery: 20 * time.Second, Since: past, UpSince: past, HeldSince: past, LastSuccess: past,
			LastTraffic: past, LastCheck: past, ResponseTime: 5, ConnectTime: 6, CheckTimes: [3]time.Duration{1, 2, 3}, CheckCount: 100_000,
		}, memory{
			Failures: 7, Passes: 1, Relapses: 3, Recovery: 20 * time.Second, Since: past, UpSince: past, HeldSince: past, LastSuccess: past,
			LastTraffic: past, LastCheck: past, ResponseTime: 5, ConnectTime: 6, CheckTimes: [3]time.Duration{1, 2, 3}, CheckCount: 100_000,
		}},
		{"routes that are none", memory{Troubles: []trouble{
			{targetName: route}, {targetName: targetName{"ftp", api}, Failing: true}, {targetName: targetName{"http", ""}, Failing: true},
			{targetName: targetName{"http", strings.Repeat("x", 600)}, Failing: true}, {targetName: route, BlockedUntil: -5, RetryAt: 5},
		}}, memory{Troubles: []trouble{}}},
		{"routes for ever", memory{Troubles: []trouble{
			{targetName: route, BlockedUntil: future, RetryAt: future, Retry: time.Hour}, {targetName: route, Failing: true, RetryAt: -1, Retry: -1},
		}}, memory{Troubles: []trouble{
			{targetName: route, BlockedUntil: now.Add(48 * time.Hour).UnixNano(), RetryAt: now.Add(time.Minute).UnixNano(), Retry: time.Minute},
			{targetName: route, Failing: true},
		}}},
		{"routes in earnest", memory{Troubles: []trouble{
			{targetName: route, BlockedUntil: now.Add(47 * time.Hour).UnixNano(), RetryAt: now.Add(50 * time.Second).UnixNano(), Retry: 40 * time.Second},
			{targetName: targetName{"http", api}, BlockedUntil: past},
		}}, memory{Troubles: []trouble{
			{targetName: route, BlockedUntil: now.Add(47 * time.Hour).UnixNano(), RetryAt: now.Add(50 * time.Second).UnixNano(), Retry: 40 * time.Second},
			{targetName: targetName{"http", api}, BlockedUntil: past},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.Status == "" {
				tt.want.Status = StatusHealthy
			}
			tt.in.mend(pl.Proxy("A"), now)
			if diff := cmp.Diff(tt.want, tt.in, cmp.AllowUnexported(memory{}, trouble{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMendCounters: no more than the totals, no day that is none.
func TestMendCounters(t *testing.T) {
	u := func(n int64) Usage { return Usage{n, n, n, n, Money(n), Money(n), n, time.Duration(n)} }
	tests := []struct{ in, want memory }{
		{memory{Checks: -1, ChecksFailed: -1, Base: totals{u(-1), -1, -1}, Told: told{Percent: -1, Alerts: -1}}, memory{}},
		{
			memory{Checks: math.MaxInt64, ChecksFailed: math.MaxInt64, Base: totals{u(11), math.MaxInt64, math.MaxInt64}, Told: told{Percent: 1000, Alerts: math.MaxInt64}},
			memory{Checks: maxStored, ChecksFailed: maxStored, Base: totals{u(10), maxStored, maxStored}, Told: told{Percent: 100, Alerts: maxStored}},
		},
		{
			memory{Checks: 9, ChecksFailed: 8, Base: totals{u(9), 7, 6}, Told: told{20261123, 80, 202611, 3}, Days: map[date]used{20261123: {5, 6}}},
			memory{Checks: 9, ChecksFailed: 8, Base: totals{u(9), 7, 6}, Told: told{20261123, 80, 202611, 3}, Days: map[date]used{20261123: {5, 6}}},
		},
		{memory{Checks: 5, ChecksFailed: 6, Base: totals{u(0), 7, 8}}, memory{Checks: 5, ChecksFailed: 5, Base: totals{u(0), 5, 5}}},
		{
			memory{Days: map[date]used{20261131: {1, 1}, -20261130: {1, 1}, 0: {1, 1}, 99999999: {1, 1}, 20261130: {-1, math.MaxInt64}}},
			memory{Days: map[date]used{20261130: {0, maxStoredDay}}},
		},
	}
	for i, tt := range tests {
		tt.in.mendCounters(u(10))
		if diff := cmp.Diff(tt.want, tt.in, cmp.AllowUnexported(memory{})); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
	}
	if got := u(-1).within(mostStored()); got != (Usage{}) {
		t.Errorf("%+v", got)
	}
	if got := u(math.MaxInt64).within(mostStored()); got != u(1<<60) {
		t.Errorf("%+v", got)
	}
}

// TestTooMuchIsStored: no more is taken over than is remembered.
func TestTooMuchIsStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), addressed)
		m := memory{Address: "http://A.example.com:3128"}
		for i := range 3 * maxTargets {
			m.Troubles = append(m.Troubles, trouble{targetName: targetName{"https", fmt.Sprint(i, ".example.com:443")}, Failing: true})
		}
		m.Days = make(map[date]used)
		for i := range 2 * maxDays {
			m.Days[dateOf(time.Now().AddDate(0, 0, -i))] = used{Bytes: 1}
		}
		state, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Restore("first", []Record{{Proxy: "A", State: state}}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.row("A").FailingFor); n != maxTargets {
			t.Errorf("failing for %d targets", n)
		}
		if days := w.proxy("A").State.ledger.days; len(days) != maxDays || days[dateOf(time.Now())].Bytes != 1 {
			t.Errorf("%d days", len(days))
		}
	})
}

// FuzzRestore: whatever a store gives back, the pool works, and what it shows and
// stores makes sense.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{}`), int64(0), int64(0))
	f.Add([]byte(`{"address":"http://A.example.com:3128","down":true,"held":true,"status":"down","relapses":9223372036854775807,"check_count":-7,`+
		`"failures":2147483647,"since":9223372036854775807,"checks":-5,"base":{"requests":9,"checks":7},"days":{"20000101":{"bytes":9223372036854775807,"cost":-1},"-1":{}},`+
		`"told":{"period":20000101,"percent":100},"troubles":[{"scheme":"https","addr":"api.example.com:443","failing":true,"retry_at":9223372036854775807,"retry":-9},`+
		`{"scheme":"https","addr":"api.example.com:443","blocked_until":-1}]}`), int64(-1), int64(math.MaxInt64))
	f.Add([]byte(`{"address":"http://A.example.com:3128","status":"odd","check_times":[9223372036854775807,9223372036854775807,1],"check_count":2,"disabled":true}`), int64(5), int64(7))
	f.Add([]byte("\x00"), int64(5), int64(7))
	f.Fuzz(func(t *testing.T, state []byte, requests, bytes int64) {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}}, func(c *Config) {
				addressed(c)
				c.Proxies[0].Budget, c.Proxies[0].TrafficAlert = Budget{Money: Dollars(1e9), Per: PerMonth, Hard: true}, 5<<30
			})
			total := Usage{Requests: requests, Failed: bytes, BytesIn: bytes, BytesOut: requests, Cost: Money(bytes), Saved: Money(requests)}
			_ = w.Restore("first", []Record{{Pool: "main", Proxy: "A", Total: total, State: state}})
			look := func() Row {
				row, now := w.row("A"), time.Now()
				for _, n := range []int64{row.Requests, row.Failed, row.BytesIn, row.BytesOut, int64(row.Cost), int64(row.Saved), int64(row.FailureCount), int64(row.ResponseTime)} {
					if n < 0 {
						t.Fatalf("negative: %+v", row)
					}
				}
				if row.Uptime < 0 || row.Uptime > 100 || row.Budget.Bytes < 0 || row.Budget.Cost < 0 {
					t.Fatalf("%+v, %+v", row, row.Budget)
				}
				for _, at := range []time.Time{row.Since, row.LastCheck, row.LastSuccess} {
					if at.After(now) {
						t.Fatalf("in the future: %+v", row)
					}
				}
				if (row.Status == StatusDown) != w.proxy("A").State.gateHas(gateDown) || (row.Status == StatusBlocked) != (row.BlockedFor != nil && row.Status != StatusDown) {
					t.Fatalf("status %+v", row)
				}
				for _, v := range w.verdicts()[0] {
					if v.Until.After(now.Add(25*time.Hour)) && !strings.HasPrefix(v.Reason, "budget") {
						t.Fatalf("%+v", v)
					}
				}
				return row
			}
			before := look()
			w.get()
			w.fail("A", 1)
			w.check("A", true, time.Second)
			w.tick(2 * time.Second)
			if after := w.row("A"); !after.LastCheck.After(before.LastCheck) {
				t.Fatal("not checked")
			}
			look()
			b := new(Batch)
			w.state.Collect("main", b, true)
			for _, r := range b.Records {
				if !json.Valid(r.State) || r.Total.Failed > r.Total.Requests {
					t.Fatalf("stored as %+v: %s", r, r.State)
				}
			}
			w.pass(25 * time.Hour)
			w.tick(time.Second) // what was blocked is not any more
			w.do("A", "mark-healthy")
			w.do("A", "enable")
			if row := look(); row.Status == StatusDown || row.BlockedFor != nil || row.FailingFor != nil || !row.Active {
				t.Fatalf("not healthy: %+v", row)
			}
		})
	})
}
