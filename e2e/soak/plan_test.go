package soak

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// verb is what is done in a step.
type verb string

// Of the verbs, some have an end of their own, which is a step as well.
const (
	failProxy    verb = "fail"           // a proxy, in some mode
	mendProxy    verb = "mend"           // it works again
	spoilLogin   verb = "spoil login"    // reload with a wrong password
	rightLogin   verb = "right login"    // and with the right one
	removeProxy  verb = "remove"         // reload without it
	addProxy     verb = "add"            // and with it
	moveProxy    verb = "move"           // reload with the URL of its other instance
	disableProxy verb = "disable"        // as an admin does
	enableProxy  verb = "enable"         //
	markDown     verb = "mark-down"      //
	markHealthy  verb = "mark-healthy"   //
	unblock      verb = "unblock"        //
	checkProxy   verb = "check"          //
	checkAll     verb = "health-check"   //
	reprice      verb = "reprice"        // reload with other prices
	reoption     verb = "change options" // reload with other options of the pool
	killCaddy    verb = "kill Caddy"     // and start it again
	stopCaddy    verb = "stop Caddy"     // and start it again
	fillDisk     verb = "fill disk"
	emptyDisk    verb = "empty disk"
	closeIdle    verb = "origins close idle connections"
	burst        verb = "burst"      // of clients
	burstOver    verb = "burst over" //
	botFails     verb = "bot fails"  // the Bot API, in some way
	botWorks     verb = "bot works"
	hookFails    verb = "hook fails" // the webhook
	hookWorks    verb = "hook works"
)

// step is one thing that is done at a time of a round. Proxy is -1 where none is
// meant; arg chooses among what the verb has.
type step struct {
	At    time.Duration
	Do    verb
	Proxy int
	Arg   int
}

func (s step) String() string {
	text := fmt.Sprintf("%6.2fs %s", s.At.Seconds(), s.Do)
	if s.Proxy >= 0 {
		text += " " + proxies[s.Proxy].name
	}
	switch s.Do {
	case failProxy:
		text += ": " + failures[s.Arg%len(failures)].name
	case reprice, reoption, burst, botFails:
		text += fmt.Sprintf(" (%d)", s.Arg)
	}
	return text
}

// round is a time of chaos. Through its guardian everything goes well: it works,
// and nobody takes it away.
type round struct {
	Guardian int
	Length   time.Duration
	Steps    []step
}

type plan struct{ rounds []round }

const (
	roundLength = 26 * time.Second
	restLength  = 12 * time.Second // about
)

// newPlan makes a plan of a seed, and of nothing else.
func newPlan(seed uint64, length time.Duration, disk bool) plan {
	var p plan
	for n := range max(1, int(length/(roundLength+restLength))) {
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		d := &drafter{rng: rng, round: round{Guardian: guardians[rng.IntN(len(guardians))], Length: roundLength}}
		d.draft(disk)
		p.rounds = append(p.rounds, d.round)
	}
	return p
}

// drafter drafts one round.
type drafter struct {
	rng *rand.Rand
	round
}

func (d *drafter) draft(disk bool) {
	for proxy := range proxies {
		if proxy != d.Guardian {
			d.trouble(proxy)
		}
	}
	d.steer()
	d.surround()
	// What is held in memory while the disk is full is lost where Caddy ends then,
	// as documented; so Caddy ends early in a round, and the disk fills late.
	if d.rng.IntN(2) == 0 {
		do := killCaddy
		if d.rng.IntN(3) == 0 {
			do = stopCaddy
		}
		d.add(d.between(3*time.Second, 11*time.Second), do, -1, d.rng.IntN(500))
	}
	full, span := d.between(12*time.Second, 15*time.Second), d.between(3*time.Second, 8*time.Second)
	if d.rng.IntN(2) == 0 && disk {
		d.add(full, fillDisk, -1, 0)
		d.add(full+span, emptyDisk, -1, 0)
	}
	slices.SortStableFunc(d.Steps, func(a, b step) int { return cmp.Compare(a.At, b.At) })
}

// trouble lets a proxy fail and recover, again and again.
func (d *drafter) trouble(proxy int) {
	for at := d.between(0, 6*time.Second); at < d.Length-2*time.Second; {
		end := min(at+d.between(700*time.Millisecond, 8*time.Second), d.Length-time.Second)
		arg := d.rng.IntN(1000)
		switch kind := d.rng.IntN(20); {
		case kind < 13:
			d.add(at, failProxy, proxy, arg)
			d.add(end, mendProxy, proxy, arg)
		case kind == 13 && proxies[proxy].login:
			d.add(at, spoilLogin, proxy, arg)
			d.add(end, rightLogin, proxy, arg)
		case kind == 14:
			d.add(at, removeProxy, proxy, arg)
			d.add(end, addProxy, proxy, arg)
		case kind == 15:
			d.add(at, moveProxy, proxy, arg)
		case kind < 18:
			d.add(at, disableProxy, proxy, arg)
			d.add(end, enableProxy, proxy, arg)
		default:
			d.add(at, markDown, proxy, arg)
		}
		at = end + d.between(300*time.Millisecond, 5*time.Second)
	}
}

// steer does what admins do without harm, and changes the configuration.
func (d *drafter) steer() {
	for range 6 {
		do := []verb{checkProxy, checkAll, unblock, markHealthy, reoption, reprice}[d.rng.IntN(6)]
		proxy := -1
		if do == checkProxy || do == unblock || do == markHealthy {
			proxy = d.rng.IntN(len(proxies))
		}
		d.add(d.between(time.Second, d.Length-time.Second), do, proxy, d.rng.IntN(1000))
	}
}

// surround lets those around Caddy come, go and fail.
func (d *drafter) surround() {
	for range 3 {
		d.add(d.between(0, d.Length), closeIdle, -1, 0)
	}
	for _, pair := range [][2]verb{{burst, burstOver}, {botFails, botWorks}, {hookFails, hookWorks}} {
		at := d.between(0, d.Length/2)
		d.add(at, pair[0], -1, d.rng.IntN(1000))
		d.add(at+d.between(time.Second, d.Length/3), pair[1], -1, 0)
	}
}

func (d *drafter) add(at time.Duration, do verb, proxy, arg int) {
	d.Steps = append(d.Steps, step{at.Round(10 * time.Millisecond), do, proxy, arg})
}

func (d *drafter) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.rng.Int64N(int64(to-from)))
}

// TestPlan: the same seed makes the same plan, another one another, and nobody
// touches a guardian.
func TestPlan(t *testing.T) {
	t.Parallel()
	first, again, other := newPlan(7, time.Hour, true), newPlan(7, time.Hour, true), newPlan(8, time.Hour, true)
	if diff := gocmp.Diff(first.rounds, again.rounds); diff != "" {
		t.Errorf("one seed made two plans:\n%s", diff)
	}
	if gocmp.Equal(first.rounds, other.rounds) {
		t.Error("two seeds made one plan")
	}
	harmless := []verb{checkProxy, unblock, markHealthy}
	done := make(map[verb]int)
	for n, r := range first.rounds {
		for _, s := range r.Steps {
			done[s.Do]++
			if s.Proxy == r.Guardian && !slices.Contains(harmless, s.Do) {
				t.Errorf("round %d: %v is done to the guardian", n, s)
			}
			if s.At < 0 || s.At > r.Length+r.Length/3 {
				t.Errorf("round %d: %v is out of time", n, s)
			}
		}
	}
	for _, do := range []verb{
		failProxy, spoilLogin, removeProxy, moveProxy, disableProxy, markDown, checkAll, reprice, reoption,
		killCaddy, stopCaddy, fillDisk, burst, botFails, hookFails,
	} {
		if done[do] == 0 {
			t.Errorf("an hour has no %q", do)
		}
	}
}
