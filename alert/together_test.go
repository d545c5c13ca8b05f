package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestManyPoolsDie, as when a server loses its network: they are told of
// together, the first one at once.
func TestManyPoolsDie(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		var pools []*fakePool
		o.settings.Pools = nil
		for i := range 50 {
			p := newFakePool(fmt.Sprint("pool-", i), "VPS", "Own")
			pools, o.settings.Pools = append(pools, p), append(o.settings.Pools, p)
		}
		o.Follow(o.settings)
		all := func(status string) {
			for _, p := range pools {
				o.Event(p.set("VPS", status, "test"))
				o.Event(p.set("Own", status, "test"))
				pass(2 * time.Millisecond)
			}
		}
		all("down")
		pass(time.Minute)
		a.want(t, "pool_down high VPS:healthy-down Own:healthy-down", "pool_down high 20 pools +29")
		all("healthy")
		pass(time.Minute)
		a.want(t, "pool_up normal VPS:down-healthy Own:down-healthy via VPS 60s", "pool_up normal 20 pools +29 60s")
		o.restart()
		pass(time.Hour)
		a.want(t)
	})
}

func TestTogether(t *testing.T) {
	down := func(n int) (alerts []*Alert) {
		for i := range n {
			alerts = append(alerts, &Alert{
				Kind: KindPoolDown, Priority: High, Pool: fmt.Sprint("p", 9-i), Counts: &Counts{Total: 2, Down: 2},
			})
		}
		return alerts
	}
	other := &Alert{Kind: KindStatusChanged, Pool: "x"}
	if got := together(append(down(3), other)); len(got) != 4 {
		t.Errorf("%d alerts of three pools, expected one each", len(got)-1)
	}
	got := together(append([]*Alert{other}, down(4)...))
	if len(got) != 2 || got[1] != other {
		t.Fatalf("%d alerts", len(got))
	}
	if a := got[0]; !slices.Equal(a.Pools, []string{"p6", "p7", "p8", "p9"}) || a.Pool != "" || *a.Counts != (Counts{Total: 8, Down: 8}) || a.Priority != High {
		t.Errorf("%+v", a)
	}
}
