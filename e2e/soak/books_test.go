package soak

import (
	"fmt"
	"math"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// maxLag is how much of its traffic a killed process may forget, and as much more
// as this machine stood still.
const maxLag = time.Second

// bookkeeper compares what Caddy says that it did with what the world saw.
type bookkeeper struct {
	*soak
	stalls *stalls

	// What usage has that the metrics of this process have not, and the status not
	// since a reset-stats: what came before.
	beforeMetrics, beforeStatus byKey

	snapshots []snapshot // of the last seconds
	mustKnow  byKey      // of the status, after a kill
	bills     map[string]*bill
	lost      map[string]int64 // bytes that kills may have lost, by proxy
	roundings int              // of sums of money
	log       logbook
}

// snapshot is what was known and what had crossed the proxies at a time.
type snapshot struct {
	at      time.Time // before it was asked for
	status  byKey
	crossed []int64 // bytes, by proxy
}

func newBookkeeper(s *soak) *bookkeeper {
	b := &bookkeeper{
		soak: s, stalls: watchStalls(s.t), beforeStatus: make(byKey),
		bills: make(map[string]*bill), lost: make(map[string]int64), log: newLogbook(s),
	}
	for _, k := range proxies {
		b.bills[k.name] = &bill{price: k.price}
	}
	return b
}

// begin is the beginning of a process, before anybody asks it.
func (b *bookkeeper) begin() {
	b.t.Helper()
	b.roundings++
	b.snapshots = nil
	f := b.figures()
	b.remembers(f)
	b.beforeMetrics = make(byKey)
	for name, u := range f.byProxy {
		b.beforeMetrics[name] = u.Minus(f.metrics[name])
	}
	b.log.begin()
}

// status asks for the status.
func (b *bookkeeper) status() (s statusAnswer) {
	b.t.Helper()
	b.must(b.process.Call("GET", "/proxy_pool/status", &s))
	return s
}

// usage asks for the usage of each proxy.
func (b *bookkeeper) usage() byKey {
	b.t.Helper()
	rows, err := usageBy(b.process, "proxy")
	b.must(err)
	return rows
}

// watch looks at the status now and then. Nothing that is counted there is ever
// taken back.
func (b *bookkeeper) watch() {
	b.t.Helper()
	n := len(b.snapshots)
	if n > 0 && time.Since(b.snapshots[n-1].at) < 150*time.Millisecond {
		return
	}
	now := snapshot{at: time.Now(), status: make(byKey)}
	for i := range proxies {
		in, out := b.world.traffic(i)
		now.crossed = append(now.crossed, in+out)
	}
	for _, r := range b.status().Proxies {
		now.status[r.Name] = r.counted()
		if n == 0 {
			continue
		}
		if before, known := b.snapshots[n-1].status[r.Name]; known && !r.counted().AtLeast(before) {
			b.t.Errorf("%s: the status went back from %+v to %+v", r.Name, before, r.counted())
		}
	}
	b.snapshots = append(b.snapshots, now)
	if n > 60 {
		b.snapshots = b.snapshots[n-60:]
	}
}

// ended notes what of the last moments a kill may have lost.
func (b *bookkeeper) ended(killed bool) {
	if !killed {
		b.mustKnow = b.snapshots[len(b.snapshots)-1].status
		return
	}
	now := time.Now()
	from := now.Add(-maxLag - b.stalls.since(now.Add(-2*maxLag)))
	b.log.lost = append(b.log.lost, span{from, now})
	known := snapshot{crossed: make([]int64, len(proxies))}
	for _, s := range b.snapshots {
		if s.at.Before(from) {
			known = s
		}
	}
	for i, k := range proxies {
		in, out := b.world.traffic(i)
		b.lost[k.name] += in + out - known.crossed[i]
	}
	b.mustKnow = known.status
}

// figures are the books by all calls, while nothing moves.
type figures struct {
	byProxy, byTarget, byHour, byDay byKey
	status, metrics                  byKey
	ok                               map[string]int64 // attempts that went well, of this process
	traffic                          byKey            // what the proxies counted
}

// figures reads the books. Checks go on meanwhile, so it reads until nothing
// moved in between.
func (b *bookkeeper) figures() (f figures) {
	b.t.Helper()
	var err error
	steady := caddytest.ComesTrue(30*time.Second, func() bool {
		f, err = b.read()
		if err != nil {
			return false
		}
		again, traffic := b.usage(), b.counted()
		return cmp.Equal(f.byProxy, again) && cmp.Equal(f.traffic, traffic)
	})
	if b.must(err); !steady && err == nil {
		b.t.Error("the books do not come to rest within 30 s")
	}
	return f
}

func (b *bookkeeper) read() (f figures, err error) {
	f.traffic = b.counted()
	if f.byProxy, err = usageBy(b.process, "proxy"); err != nil {
		return f, err
	}
	for by, into := range map[string]*byKey{"target": &f.byTarget, "hour": &f.byHour, "day": &f.byDay} {
		if *into, err = usageBy(b.process, by); err != nil {
			return f, err
		}
	}
	var s statusAnswer
	if err := b.process.Call("GET", "/proxy_pool/status", &s); err != nil {
		return f, err
	}
	f.status = make(byKey)
	for _, r := range s.Proxies {
		f.status[r.Name] = r.counted()
	}
	f.metrics, f.ok, err = metrics(b.process)
	return f, err
}

// counted is what the proxies counted.
func (b *bookkeeper) counted() byKey {
	rows := make(byKey)
	for i, k := range proxies {
		in, out := b.world.traffic(i)
		rows[k.name] = used{In: in, Out: out}
	}
	return rows
}

// balance checks that all calls tell the same, and that it is what happened.
func (b *bookkeeper) balance() figures {
	b.t.Helper()
	f := b.figures()
	all := f.byProxy.sum()
	for by, rows := range map[string]byKey{"target": f.byTarget, "hour": f.byHour, "day": f.byDay} {
		if got := rows.sum(); got != all {
			b.t.Errorf("usage by %s is %+v in all, by proxy %+v", by, got, all)
		}
	}
	for _, k := range proxies {
		u := f.byProxy[k.name]
		// Sums of money are rounded once by each.
		if got := u.Minus(b.beforeMetrics[k.name]).Minus(f.metrics[k.name]); !near(got, 2) {
			b.t.Errorf("%s: usage has %+v more than the metrics", k.name, got)
		}
		whole := used{Requests: u.Requests, Failed: u.Failed, In: u.Bytes(), Cost: u.Cost}
		if got := whole.Minus(b.beforeStatus[k.name]).Minus(f.status[k.name]); !near(got, 2) {
			b.t.Errorf("%s: usage has %+v more than the status", k.name, got)
		}
		b.billed(k.name, u)
		b.crossed(k.name, u, f.traffic[k.name])
	}
	return f
}

// near reports whether there is no difference, but for so many nano-dollars.
func near(u used, nanos int64) bool {
	return max(u.Cost, -u.Cost) <= nanos && u.Minus(used{Cost: u.Cost}) == used{}
}

// crossed checks bytes in the direction in which they may differ: what a proxy has
// read was written by Caddy, and what Caddy has read was written by the proxy.
// What was under way on a connection that broke was counted by its sender alone,
// and what a kill lost by the proxies alone.
func (b *bookkeeper) crossed(name string, u, counted used) {
	b.t.Helper()
	if u.In > counted.In {
		b.t.Errorf("%s: the books have %d bytes in, the proxy sent %d", name, u.In, counted.In)
	}
	if missing := counted.Out - u.Out; missing > b.lost[name] {
		b.t.Errorf("%s: the books lack %d of %d bytes out; kills explain %d", name, missing, counted.Out, b.lost[name])
	}
}

// remembers checks that a process has what must have outlived the one before.
func (b *bookkeeper) remembers(f figures) {
	b.t.Helper()
	for name, before := range b.mustKnow {
		if now, configured := f.status[name]; configured && !now.AtLeast(before) {
			b.t.Errorf("%s: after the end of a process %+v is left of %+v, which was known in time", name, now, before)
		}
	}
	b.mustKnow = nil
}

// resetStats resets the row of a proxy in the status, and nothing else.
func (b *bookkeeper) resetStats(name string) {
	b.t.Helper()
	before := b.figures().byProxy[name]
	b.must(b.process.Act(name, "reset-stats"))
	f := b.figures()
	after := f.byProxy[name]
	whole := used{Requests: after.Requests, Failed: after.Failed, In: after.Bytes(), Cost: after.Cost}
	b.beforeStatus[name] = whole.Minus(f.status[name])
	if low, high := before.Bytes(), after.Bytes(); b.beforeStatus[name].In < low || b.beforeStatus[name].In > high || !after.AtLeast(before) {
		b.t.Errorf("%s: reset-stats made %+v of %+v, and %+v of the status", name, after, before, f.status[name])
	}
	b.snapshots = nil
}

// exact checks that while the proxies carried what they were asked for, and no
// connection broke, each byte was booked, but for the farewells that nobody waits
// for where connections are closed.
func (b *bookkeeper) exact(before, after figures, conns map[string]int64) {
	b.t.Helper()
	// The close_notify of the target and HTTP/2's GOAWAY, each in TLS with an https://
	// proxy, and the proxy's own close_notify.
	const farewell = 160
	for _, k := range proxies {
		missing := after.traffic[k.name].Minus(before.traffic[k.name]).Minus(after.byProxy[k.name].Minus(before.byProxy[k.name]))
		if most := farewell * conns[k.name]; missing.Out != 0 || missing.In < 0 || missing.In > most {
			b.t.Errorf("%s: the books lack %d bytes in and %d out of a calm time; allowed are %d and 0", k.name, missing.In, missing.Out, most)
		}
		if failed := after.byProxy[k.name].Failed - before.byProxy[k.name].Failed; failed > 0 {
			b.t.Errorf("%s: %d attempts failed in a calm time", k.name, failed)
		}
	}
}

func (f figures) String() string {
	all := f.byProxy.sum()
	return fmt.Sprintf("%d attempts (%d failed), %.1f MB, $%.4f", all.Requests, all.Failed, float64(all.Bytes())/(1<<20), float64(all.Cost)/math.Pow10(9))
}
