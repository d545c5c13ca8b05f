package network

import (
	"net/http"
	"testing"
	"time"
)

// TestAllGone: the network at home is gone for a while, and with it all proxies.
// Who asks is told so, and all are back soon after it is.
func TestAllGone(t *testing.T) {
	t.Parallel()
	// Who asks has the proxies checked, at most each recovery_interval, and a check
	// that was under way as the network came back has its own time.
	const outage, soon = 25 * time.Second, 15 * time.Second
	w := newWorld(t, terms{cheap: near})
	l := w.put(everyKind()...)
	pass(3 * time.Second)
	all := []*upstream{w.cheap, w.dear, w.metered}
	gone := time.Now()
	for _, u := range all {
		u.wire.set(weather{cut: true})
	}
	pass(outage)
	for name, r := range w.status() {
		if r.Status != "down" {
			t.Errorf("%s is %s", name, r.Status)
		}
	}
	for _, u := range all {
		u.wire.set(near)
	}
	back := time.Now()
	w.eventually("all proxies are well", outage+10*time.Second, func() bool {
		s := w.status()
		return s["Cheap"].well() && s["Dear"].well() && s["Metered"].well()
	})
	well := time.Now()
	pass(3 * time.Second)
	l.stop()
	l.tell(t, "all gone")
	first := l.result(every).longestWithout(back, well.Add(time.Second))
	t.Logf("at most %v without a good answer once it is back, all well after %v", first, well.Sub(back))
	if first > soon {
		t.Errorf("%v without a good answer once the network is back, want %v at most", first, soon)
	}
	l.noPostTwice(t)
	l.toldSo(t, gone, well)
}

// toldSo checks that what failed was told so by a front, within the time that the
// connects through all proxies take, and only while there was no network.
func (l *load) toldSo(t *testing.T, gone, well time.Time) {
	t.Helper()
	const most = 12 * time.Second
	var wrong []asked
	for _, a := range l.result(every).bad {
		caughtOnes := a.kind != get && a.began.Before(gone.Add(caught)) // see onlyCaughtFail
		told := a.kind == tunnel || a.code == http.StatusBadGateway || a.code == http.StatusServiceUnavailable || a.code == http.StatusGatewayTimeout
		if !caughtOnes && (!told || a.took > most || a.began.After(well) || a.began.Add(a.took).Before(gone)) {
			wrong = append(wrong, a)
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%d requests failed as they should not:%s", len(wrong), some(wrong))
	}
}
