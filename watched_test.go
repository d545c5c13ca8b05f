package proxypool

import (
	"fmt"
	"testing"
)

// TestWatched: what the alerts see of a pool is what the status shows.
func TestWatched(t *testing.T) {
	s := serve(t, "pool main {\nhealth_check off\nproxy A http://127.0.0.1:1 {\ntype vps\n}\nproxy B http://127.0.0.1:2 {\ncost_per_gb 12\n}\nproxy Own direct\n}\n", "")
	w := newWatched(runningApps()[0].pools[0])
	names := ""
	for name, p := range w.Proxies() {
		row := s.row(name)
		if p.Type != row.Type || p.CostPerGB != row.CostPerGB || p.Status != row.Status || p.Active != row.Active || p.Uptime != row.Uptime {
			t.Errorf("%s is %+v, the status shows %+v", name, p, row)
		}
		if again, ok := w.Proxy(name); !ok || again != p {
			t.Errorf("%s by its name is %+v", name, again)
		}
		names += fmt.Sprint(name, p.Place, " ")
	}
	if names != "A0 Own1 B2 " {
		t.Errorf("in the order %q", names)
	}
	if _, ok := w.Proxy("C"); ok {
		t.Error("there is no C")
	}
	carrier := func() string { name, place := w.Carrier(); return fmt.Sprint(name, place) }
	if got := carrier(); got != "A0" {
		t.Errorf("carrier %s", got)
	}
	for _, name := range []string{"A", "Own", "B"} {
		if err := runningApps()[0].pools[0].Proxy(name).Do("disable"); err != nil {
			t.Fatal(err)
		}
	}
	if got := carrier(); got != "0" {
		t.Errorf("carrier %s, expected none", got)
	}
}
