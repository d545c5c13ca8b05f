package soak

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// soak is a run.
type soak struct {
	t       *testing.T
	seed    uint64
	world   *world
	ledger  *ledger
	clients *clients
	shape   shape
	process *caddytest.Process
	send    func()         // the burst away
	errands sync.WaitGroup // what an admin asked for and waits for
	full    string         // the file that fills the disk, empty where none does
	books   *bookkeeper
	rest    restPoint // the first one
	kills   int

	disabled map[string]switched
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	s := &soak{t: t, seed: seed, world: newWorld(t), ledger: newLedger(), shape: firstShape(), send: func() {}, disabled: make(map[string]switched)}
	s.clients = newClients(s.world, s.ledger, seed)
	s.books = newBookkeeper(s)
	t.Cleanup(func() {
		s.clients.running.Wait()
		s.errands.Wait()
		if t.Failed() {
			t.Logf("what was said of the proxies last:\n%s", s.said(60))
			t.Logf("repeat with SOAK_SEED=%d; what was done last:\n%s", seed, s.ledger.story(60))
		}
	})
	s.start()
	return s
}

// start starts Caddy with the present configuration, and lets clients ask it.
func (s *soak) start() {
	s.t.Helper()
	s.process = caddytest.Start(s.t, s.world.setup(s.shape))
	s.books.begin()
	s.clients.process.Store(s.process)
}

// said is what Caddy said of the proxies lately.
func (s *soak) said(most int) string {
	lines := s.process.SaidOf("info", "proxy changed status")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// live lives through a round, and holds Caddy to its promises at its end.
func (s *soak) live(n int, r round) {
	s.t.Helper()
	s.ledger.did("round %d: %s is the guardian", n, proxies[r.Guardian].name)
	s.ready(r.Guardian)
	send := s.clients.come(10)
	began := time.Now()
	for _, step := range r.Steps {
		s.until(began.Add(step.At))
		s.do(step)
		s.books.watch()
		s.sentTwice()
		if s.t.Failed() {
			break
		}
	}
	if !s.t.Failed() {
		s.until(began.Add(r.Length))
	}
	s.send()
	send()
	s.clients.running.Wait()
	s.errands.Wait()
	s.judge()
	s.restAndCheck(n)
}

// until waits, and watches the books meanwhile.
func (s *soak) until(at time.Time) {
	for time.Until(at) > 0 {
		<-time.After(min(time.Until(at), 200*time.Millisecond))
		s.books.watch()
	}
}

// ready makes a proxy one that the pool uses, whatever it thought of it.
func (s *soak) ready(proxy int) {
	s.t.Helper()
	name := proxies[proxy].name
	s.must(s.process.Act(name, "mark-healthy"))
	var row statusRow
	if !caddytest.ComesTrue(10*time.Second, func() bool {
		row = s.books.status().row(name)
		return row.Usable && len(row.FailingFor) == 0
	}) {
		s.t.Errorf("%s works, was marked as healthy, and is not usable: %+v", name, row)
	}
}

func (s *soak) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
	}
}

// do takes a step.
func (s *soak) do(step step) {
	s.t.Helper()
	s.ledger.did("%v", step)
	switch step.Do {
	case failProxy:
		s.mode(step.Proxy, failures[step.Arg%len(failures)].mode)
	case mendProxy:
		s.mend(step.Proxy)
	case spoilLogin, rightLogin, removeProxy, addProxy, moveProxy, reprice, reoption:
		s.reshape(step)
	case disableProxy, enableProxy, markDown, markHealthy, unblock:
		s.act(step)
	case checkProxy, checkAll:
		s.check(step)
	case killCaddy:
		s.restart(step, func() {
			s.kills++
			s.process.Kill()
		})
	case stopCaddy:
		s.restart(step, s.process.Stop)
	case burst:
		s.send = s.clients.come(10 + step.Arg%20)
	case burstOver:
		s.send()
	default:
		s.surroundings(step)
	}
}

// surroundings does something to those around Caddy.
func (s *soak) surroundings(step step) {
	s.t.Helper()
	switch step.Do {
	case fillDisk:
		s.fill()
	case emptyDisk:
		s.must(os.Remove(s.full))
	case closeIdle:
		for _, o := range []*proxytest.Origin{s.world.secure, s.world.plain, s.world.moody} {
			o.CloseIdle()
		}
	case botFails:
		modes := []telegramtest.Mode{
			telegramtest.Hang, telegramtest.TooMany(2), telegramtest.HTMLPage,
			telegramtest.CutBeforeProcessing, telegramtest.Refused(500, "Internal Server Error"),
		}
		s.world.bot.Set(modes[step.Arg%len(modes)])
	case botWorks:
		s.world.bot.Set(telegramtest.Works)
	case hookFails, hookWorks:
		s.world.hook.fails.Store(step.Do == hookFails)
	default:
		s.t.Fatalf("nobody knows how to %s", step.Do)
	}
}

func (s *soak) mode(proxy int, m proxytest.Mode) {
	s.t.Helper()
	for _, p := range s.world.proxies[proxy] {
		s.must(p.SetMode(m))
	}
}

// mend makes a proxy work again as one that was restarted: what came while it
// answered nobody is gone, and so are its connections.
func (s *soak) mend(proxy int) {
	s.t.Helper()
	s.mode(proxy, proxytest.Reset)
	s.mode(proxy, proxytest.Works)
}

// reshape reloads with another configuration.
func (s *soak) reshape(step step) {
	s.t.Helper()
	next := shape{proxies: append([]proxyShape(nil), s.shape.proxies...), options: s.shape.options}
	switch step.Do {
	case spoilLogin, rightLogin:
		next.proxies[step.Proxy].wrongLogin = step.Do == spoilLogin
	case removeProxy, addProxy:
		next.proxies[step.Proxy].gone = step.Do == removeProxy
	case moveProxy:
		next.proxies[step.Proxy].instance ^= 1
	case reoption:
		next.options = step.Arg
	case reprice:
		for i, k := range proxies {
			if !next.proxies[i].gone { // what still runs through one that left goes at its last price
				next.proxies[i].price = k.price * float64(1+(step.Arg+i)%3)
			}
		}
	}
	before := s.books.usage()
	over := s.ledger.begin(&s.ledger.reloads)
	s.must(s.process.Reload(s.world.setup(next)))
	over()
	s.books.repriced(before, s.shape, next)
	s.shape = next
}

// act does to a proxy what an admin does, where it is configured.
func (s *soak) act(step step) {
	s.t.Helper()
	name := proxies[step.Proxy].name
	if s.shape.proxies[step.Proxy].gone {
		return
	}
	s.must(s.process.Act(name, string(step.Do)))
	if step.Do == disableProxy || step.Do == enableProxy {
		s.disabled[name] = switched{off: step.Do == disableProxy, at: time.Now()}
	}
}

// switched is what an admin said last of a proxy, and when.
type switched struct {
	off bool
	at  time.Time
}

// obeyed checks that a process knows what the admin said to the one before, but
// for what a kill may have lost, which is said again.
func (s *soak) obeyed() {
	s.t.Helper()
	status := s.books.status()
	for name, said := range s.disabled {
		row := status.row(name)
		if row.Name == "" || row.Active == !said.off {
			continue
		}
		if !s.books.log.mayLack(&outcome{began: said.at, ended: said.at}) {
			s.t.Errorf("%s: disabled was set to %v at %s, and is forgotten", name, said.off, said.at.Format("15:04:05.000"))
		}
		action := enableProxy
		if said.off {
			action = disableProxy
		}
		s.must(s.process.Act(name, string(action)))
		s.ledger.did("%s %s again, which the kill made Caddy forget", action, name)
	}
}

// check has one proxy checked, or all, and does not wait for it. Caddy may be
// gone, or the proxy, before the answer comes.
func (s *soak) check(step step) {
	path := "/proxy_pool/health-check"
	if step.Do == checkProxy {
		path = "/proxy_pool/proxies/main/" + proxies[step.Proxy].name + "/check"
	}
	p := s.process
	s.errands.Go(func() {
		if err := p.Call("POST", path, nil); err != nil {
			s.ledger.did("checking: %v", err)
		}
	})
}

// restart ends Caddy and starts it again, after a while of step.Arg milliseconds.
func (s *soak) restart(step step, end func()) {
	s.t.Helper()
	back := s.ledger.begin(&s.ledger.away)
	s.clients.process.Store(nil)
	end()
	s.books.ended(step.Do == killCaddy)
	<-time.After(time.Duration(step.Arg) * time.Millisecond)
	s.start()
	s.obeyed()
	back()
	s.ledger.did("Caddy is back")
}

// fill leaves no room on the disk.
func (s *soak) fill() {
	s.t.Helper()
	ballast, err := os.Create(filepath.Join(s.world.dir, "ballast"))
	for err == nil {
		_, err = ballast.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Errorf("filling the disk: %v", err)
	}
	s.full = ballast.Name()
	s.must(ballast.Close())
}
