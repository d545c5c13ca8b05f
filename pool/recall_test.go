package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRecalledRoutes: blocks and failing routes hold for targets that are asked
// for after the restart, or were before, whoever they are trusted by.
func TestRecalledRoutes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		w.state.Close()
		w.state = NewState()
		w.reload(nil)
		early := w.state.Target(TargetKey{Scheme: "https", Addr: api, Trust: "early"}, nil)
		quiet := w.state.Target(TargetKey{Scheme: "https", Addr: api, Quiet: true}, nil)
		if err := w.Restore("first", b.Records); err != nil {
			t.Fatal(err)
		}
		late := w.state.Target(TargetKey{Scheme: "https", Addr: api, Trust: "late"}, nil)
		plain := w.state.Target(TargetKey{Scheme: "http", Addr: api}, nil)
		for _, target := range []*Target{early, late, plain, quiet} {
			for _, name := range []string{"blocked", "failing", "both", "plain"} {
				r := target.known(w.proxy(name).State)
				recalled := target != plain && target != quiet && name != "plain"
				if (r != nil) != recalled {
					t.Errorf("%+v of %s: %v", target.key, name, r)
				}
			}
		}
		if got := w.row("both"); len(got.BlockedFor) != 1 || len(got.FailingFor) != 1 {
			t.Errorf("listed more than once: %+v", got)
		}
		// Where a route works again, it is in the list for the other one still.
		w.proxy("failing").routeSucceeded(early.known(w.proxy("failing").State))
		if got := w.row("failing"); len(got.FailingFor) != 1 {
			t.Errorf("%+v", got)
		}
		w.proxy("failing").routeSucceeded(late.known(w.proxy("failing").State))
		if got := w.row("failing"); len(got.FailingFor) != 0 {
			t.Errorf("%+v", got)
		}
		// One that works while it is blocked is not called failing.
		w.proxy("both").routeSucceeded(early.known(w.proxy("both").State))
		w.proxy("both").routeSucceeded(late.known(w.proxy("both").State))
		if got := w.row("both"); len(got.BlockedFor) != 1 || len(got.FailingFor) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestRecalledForNobody: nobody asked for the target since the restart.
func TestRecalledForNobody(t *testing.T) {
	tests := []struct {
		name   string
		do     func(*world)
		events []string
		left   []string // blocked for, failing for
	}{
		{"the blocks end", func(w *world) { w.tick(3 * time.Hour) },
			[]string{"held down>healthy: damping is over", "blocked blocked>healthy: ", "both blocked>healthy: "}, []string{"failing ", "both "}},
		{"unblock", func(w *world) { w.do("blocked", "unblock"); w.do("both", "unblock"); w.do("failing", "unblock") },
			[]string{"blocked blocked>healthy: ", "both blocked>healthy: "}, []string{"failing ", "both "}},
		{"mark-healthy", func(w *world) {
			w.do("blocked", "mark-healthy")
			w.do("both", "mark-healthy")
			w.do("failing", "mark-healthy")
		},
			[]string{"blocked blocked>healthy: ", "both blocked>healthy: "}, nil},
		{"evicted", func(w *world) {
			for i := range maxTargets + 1 {
				w.pass(time.Millisecond)
				w.target(map[bool]string{true: api, false: fmt.Sprint(i, ":443")}[i == 0])
			}
			w.tick(time.Second)
		}, []string{"blocked blocked>healthy: ", "both blocked>healthy: "}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := lived(t)
				w.restart(w.collect(), nil)
				w.events = nil
				tt.do(w)
				slices.SortFunc(w.events, func(a, b Event) int { return strings.Compare(a.Time.String()+a.Proxy, b.Time.String()+b.Proxy) })
				w.wantEvents(tt.events...)
				var left []string
				for _, name := range []string{"blocked", "failing", "both"} {
					row := w.row(name)
					for _, addr := range slices.Concat(row.BlockedFor, row.FailingFor) {
						left = append(left, name+" "+strings.TrimPrefix(addr, api))
					}
				}
				if diff := cmp.Diff(tt.left, left); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
				again := new(Batch)
				w.state.Collect("main", again, false)
				stored := make(map[string]bool)
				for _, r := range again.Records {
					stored[r.Proxy] = true
				}
				if !stored["blocked"] || !stored["both"] {
					t.Errorf("only %v is stored", stored)
				}
			})
		})
	}
}
