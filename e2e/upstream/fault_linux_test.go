package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// fault is what happens to servers.
type fault struct {
	name       string
	prepare    func(p *patient) // where the fault begins with what is none of it
	begin, end func(p *patient)
	reasons    []string // of the proxy's status, one of them; none where it need not go down
}

// patient is a proxy with a fault, and the one that takes its place.
type patient struct {
	t     *testing.T
	kind  kind
	cheap *server
	dear  *proxytest.Proxy
	api   *api
	caddy *caddy
	load  *load
	bell  *bell
}

var gone = []string{"dial_refused"}

var faults = []fault{
	{name: "stopped", begin: func(p *patient) { p.cheap.stop() }, end: (*patient).revive, reasons: gone},
	{name: "killed", begin: func(p *patient) { p.cheap.kill() }, end: (*patient).revive, reasons: gone},
	{
		name:    "frozen",
		begin:   func(p *patient) { p.cheap.signal(syscall.SIGSTOP) },
		end:     func(p *patient) { p.cheap.signal(syscall.SIGCONT) },
		reasons: []string{"proxy_silent", "dial_timeout", "timeout"},
	},
	{
		name: otherLogin,
		prepare: func(p *patient) {
			p.cheap.stop()
			p.cheap.start(otherPassword)
		},
		begin: (*patient).believed,
		end: func(p *patient) {
			p.cheap.stop()
			p.revive()
		},
		reasons: []string{"proxy_auth"},
	},
	{
		name: hollow,
		begin: func(p *patient) {
			for _, s := range p.cheap.behind {
				s.kill()
			}
		},
		end: func(p *patient) {
			for _, s := range p.cheap.behind {
				s.start("")
			}
		},
		reasons: []string{"proxy_dropped"},
	},
	{name: starved, begin: func(p *patient) { p.cheap.starve() }, end: (*patient).feed},
	{name: "restarted", begin: func(p *patient) {
		p.cheap.stop()
		p.revive()
	}, end: func(*patient) {}},
}

// believed makes the pool try the proxy, whatever it knows of it.
func (p *patient) believed() {
	if err := p.caddy.Act("Cheap", "mark-healthy"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) revive() { p.cheap.start(p.kind.rightPassword()) }

// The faults that not every proxy can have, and the one that need not be noticed.
const (
	otherLogin = "another password"
	hollow     = "all behind it killed"
	starved    = "out of descriptors"
)

// newOnesMove ends what stands, and waits until new connections are made through
// the dear proxy. Those to a proxy may stand all the same: it takes new ones to
// targets for them, or says that it cannot.
func (p *patient) newOnesMove(t *testing.T) {
	t.Helper()
	https := p.api.targets[2].origin.Addr()
	before := p.dear.Connects(https)
	caddytest.Eventually(t, "the dear proxy has the new connections", knownIn, func() bool {
		for _, target := range p.api.targets {
			target.origin.CloseIdle()
		}
		return p.dear.Connects(https) >= before+5
	})
}

// feed gives back what was taken. Squid has by then set the rest of its descriptors
// aside for worse times, and forgets that only in a new process.
func (p *patient) feed() {
	if strings.HasPrefix(p.kind.name, "squid") {
		p.cheap.stop()
		p.revive()
		return
	}
	p.cheap.feed()
}

const (
	recovery = time.Second     // of the pool: the first check of a proxy that is down
	interval = 4 * time.Second // what the waits between them grow to

	// How soon a fault is in the status, and how long after its end the proxy carries
	// again: the longest wait, a check, and as much again for a machine that is busy.
	knownIn = 30 * time.Second
	backIn  = 2*interval + 4*time.Second

	// How long it takes at most until one of the GETs that met the fault is answered:
	// the longest silence, the longest probe of it, and a few moments more.
	noticed = 10 * time.Second
)

// TestFaults: whatever happens to the cheap proxy, apps notice nothing that they
// were not told to expect, the proxy is blamed for what it has, and it carries
// again soon after it works again.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			caddytest.Needs(t, k.needs...)
			p := newPatient(t, k)
			for _, f := range faults {
				if f.name == otherLogin && !k.password || f.name == hollow && p.cheap.behind == nil {
					continue
				}
				t.Run(f.name, func(t *testing.T) { p.suffers(t, f) })
			}
		})
	}
}

func newPatient(t *testing.T, k kind) *patient {
	t.Helper()
	p := &patient{t: t, kind: k, api: newAPI(t), bell: newBell(t)}
	p.cheap = startKind(t, k, p.api.ports())
	p.dear = proxytest.NewProxy(t, proxytest.ProxyConfig{})
	p.caddy = startCaddy(t, p.api, options{
		app:    fmt.Sprintf("alerts {\ncooldown 0\nwebhook %s\n}", p.bell.url),
		pool:   fmt.Sprintf("%s\nproxy Dear %s {\n\tcost_per_gb 12\n}", k.proxy(t, p.cheap), p.dear.URL()),
		checks: fmt.Sprintf("interval %v\nrecovery_interval %v\ntimeout 3s\n", interval, recovery),
	})
	p.load = pressed(t, p.caddy, p.api)
	caddytest.Eventually(t, "the cheap proxy carries", 20*time.Second, func() bool { return p.load.carried("Cheap") })
	return p
}

// suffers takes the proxy through a fault.
func (p *patient) suffers(t *testing.T, f fault) {
	t.Helper()
	p.believed() // what was before has no part in it
	caddytest.Eventually(t, "the cheap proxy carries", 20*time.Second, func() bool { return p.load.carried("Cheap") })
	p.load.told(t)
	if f.prepare != nil {
		f.prepare(p)
		caddytest.Eventually(t, "the proxy is down", knownIn, func() bool {
			changes := p.caddy.eventsSince(t, 0)
			return len(changes) > 0 && strings.HasSuffix(changes[len(changes)-1], " down")
		})
	}
	since := p.caddy.lastEvent(t)
	p.bell.changes(len(p.caddy.eventsSince(t, 0)))

	p.load.began()
	began := time.Now()
	f.begin(p)
	if len(f.reasons) > 0 {
		p.known(t, f)
		// What is over before it was told is not told.
		caddytest.ComesTrue(5*time.Second, func() bool { return p.bell.news() > 0 || f.prepare != nil })
	}
	if f.name == starved {
		p.newOnesMove(t)
	}
	known := time.Since(began)
	p.load.mu.Lock()
	gap := p.load.gap
	p.load.mu.Unlock()

	row := p.caddy.row(t, "Cheap")
	ended := time.Now()
	f.end(p)
	caddytest.Eventually(t, "the cheap proxy carries again", backIn, func() bool { return p.load.carried("Cheap") })
	back := time.Since(ended)
	later, failed := p.load.told(t)
	if gap = max(gap, later); gap > noticed {
		t.Errorf("no GET was answered for %v", gap)
	}
	t.Logf("%-26s %-20s known after %5d ms as %s %q %v, at most %5d ms without an answer, %2d POST failed, back after %5d ms",
		p.kind.name, f.name, known.Milliseconds(), row.Status, row.Reason, row.FailingFor, gap.Milliseconds(), failed, back.Milliseconds())
	if len(f.reasons) > 0 {
		want := []string{"healthy down", "down healthy"}
		if got := p.caddy.eventsSince(t, since); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		// Where it was down before, that it was believed in for a moment is not told.
		if got := p.bell.changes(len(p.caddy.eventsSince(t, 0))); f.prepare == nil && !slices.Equal(got, want) {
			t.Errorf("alerts %q, want %q", got, want)
		}
	}
}

// known waits until the status says what is wrong.
func (p *patient) known(t *testing.T, f fault) {
	t.Helper()
	var row statusRow
	ok := caddytest.ComesTrue(knownIn, func() bool {
		row = p.caddy.row(t, "Cheap")
		return row.Status == "down" && slices.Contains(f.reasons, strings.TrimPrefix(row.Reason, "check: ")) && p.load.carried("Dear")
	})
	if !ok {
		t.Errorf("the proxy is not down because of one of %q: %+v", f.reasons, row)
	}
}

// bell is where alerts go.
type bell struct {
	url   string
	mu    sync.Mutex
	rung  []string
	asked int // how many of them were asked for
}

func newBell(t testing.TB) *bell {
	b := &bell{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var alert struct {
			Changes []struct{ Proxy, From, To string }
		}
		_ = json.NewDecoder(r.Body).Decode(&alert)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range alert.Changes {
			if c.Proxy == "Cheap" {
				b.rung = append(b.rung, c.From+" "+c.To)
			}
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// news is how many changes were told of that nobody asked for yet.
func (b *bell) news() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rung) - b.asked
}

// changes are those of the cheap proxy that were told of since it was asked
// before. It waits for the last of so many.
func (b *bell) changes(all int) (changes []string) {
	caddytest.ComesTrue(3*time.Second, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.rung) >= all
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	changes = slices.Clone(b.rung[b.asked:])
	b.asked = len(b.rung)
	return changes
}

type event struct {
	ID               int64
	Time             string
	From, To, Reason string
}

func (c *caddy) events(t testing.TB) []event {
	t.Helper()
	var answer struct{ Rows []event }
	if err := c.Call(http.MethodGet, "/proxy_pool/events?proxy=Cheap&pool=main", &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Rows
}

func (c *caddy) lastEvent(t testing.TB) (id int64) {
	t.Helper()
	if rows := c.events(t); len(rows) > 0 {
		return rows[0].ID
	}
	return 0
}

// eventsSince are those after one, the oldest first.
func (c *caddy) eventsSince(t testing.TB, id int64) (changes []string) {
	t.Helper()
	for _, e := range slices.Backward(c.events(t)) {
		if e.ID > id && e.Reason != "marked healthy" {
			changes = append(changes, e.From+" "+e.To)
		}
	}
	return changes
}
