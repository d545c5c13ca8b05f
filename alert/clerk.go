package alert

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxNotes bounds how many notes are remembered of pools that are configured no
// more.
const maxNotes = 256

// compareEvery is how often the pools are compared with what is known of them
// from events, and how often what changed is stored where nothing was told: of
// many proxies that is much.
const compareEvery = time.Minute

// clerk is the goroutine of the desk that goes by the rules. What is here
// belongs to it alone.
type clerk struct {
	*Desk
	settings Settings
	rules    map[string]*rules
	recalled map[string]bool   // pools whose note was taken over
	notes    map[string][]byte // of pools that are not configured now
	followed []string          // the names of the destinations
	quiet    time.Time         // until when nothing more is told of pools
	compared time.Time         // when the pools were compared with what is known
	report   reporting
}

func newClerk(d *Desk) *clerk {
	return &clerk{
		Desk: d, rules: make(map[string]*rules), recalled: make(map[string]bool), notes: make(map[string][]byte),
		report: reporting{made: make(chan *Alert, 1)},
	}
}

// run looks until the desk is closed.
func (c *clerk) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		c.takeIn()
		c.look(ctx, time.Now().UTC())
		timer.Reset(c.pause(time.Now()))
		select {
		case <-timer.C:
		case <-c.wake:
		case a := <-c.report.made:
			c.reported(a)
		case <-c.stop:
			c.takeIn() // nobody tells of a budget twice
			c.post(nil, c.unwritten(true))
			return
		}
	}
}

// pause is how long nothing is due.
func (c *clerk) pause(now time.Time) time.Duration {
	pause := lookEvery
	for _, r := range c.rules {
		if due := r.due(); !due.IsZero() {
			pause = min(pause, max(due.Sub(now), time.Millisecond))
		}
	}
	if within(now, c.quiet, tellEvery) {
		pause = max(pause, c.quiet.Sub(now))
	}
	return pause
}

// takeIn takes over what was handed to the desk.
func (c *clerk) takeIn() {
	c.mu.Lock()
	wanted, events, lost, alerts, kept := c.wanted, c.events, c.lost, c.alerts, c.kept
	c.wanted, c.events, c.lost, c.alerts, c.kept = nil, nil, false, nil, nil
	c.mu.Unlock()
	for _, k := range kept {
		c.recall(k)
	}
	if wanted != nil {
		c.follow(wanted)
	}
	now := time.Now().UTC()
	for _, e := range events {
		if r, ok := c.rules[e.Pool]; ok {
			r.event(now, e)
		}
	}
	if lost || wanted != nil || len(kept) > 0 || !within(now, c.compared.Add(compareEvery), compareEvery) {
		c.compared = now
		for _, p := range c.settings.Pools {
			c.rules[p.Name()].compare(now, p)
		}
		c.post(nil, c.unwritten(true))
	}
	for _, a := range alerts {
		a.Carrier = c.carrier(a.Pool)
	}
	c.post(alerts, nil)
}

// carrier is the proxy that the pool's traffic goes through now.
func (c *clerk) carrier(pool string) string {
	for _, p := range c.settings.Pools {
		if p.Name() == pool {
			name, _ := p.Carrier()
			return name
		}
	}
	return ""
}

// follow goes by other settings from now on. Rules of pools that left keep what
// they know as a note.
func (c *clerk) follow(s *Settings) {
	c.settings = *s
	c.handOver()
	before := c.rules
	c.rules = make(map[string]*rules, len(s.Pools))
	for _, p := range s.Pools {
		name := p.Name()
		r, ok := before[name]
		if !ok {
			r = newRules()
		}
		c.rules[name] = r
		c.recallPool(name)
		delete(before, name)
	}
	left := make(map[string][]byte, len(before))
	for name, r := range before {
		delete(c.recalled, name)
		left[notePool+name] = note(r)
	}
	maps.Copy(c.notes, left)
	for name := range c.notes {
		if len(c.notes) <= maxNotes {
			break
		}
		delete(c.notes, name)
		left[name] = nil // the store forgets it, too
	}
	c.post(nil, left)
}

// handOver gives what waits for destinations that left the configuration to those
// of the same kind that came in their place: an admin who corrects the number of
// a chat wants to read what could not be told.
func (c *clerk) handOver() {
	names := c.names()
	if slices.Equal(names, c.followed) {
		return
	}
	came := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(c.followed, name) })
	for _, left := range c.followed {
		if slices.Contains(names, left) {
			continue
		}
		i := slices.IndexFunc(came, func(name string) bool { return kindOf(name) == kindOf(left) })
		if i < 0 {
			continue
		}
		if n := c.outbox.move(left, came[i]); n > 0 && c.settings.Hooks.Moved != nil {
			c.settings.Hooks.Moved(left, came[i], n)
		}
		came = slices.Delete(came, i, i+1)
	}
	c.followed = names
	c.post(nil, map[string][]byte{noteNames: note(names)})
}

// kindOf is the first word of a destination's name: "telegram" of "telegram 4711".
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, " ")
	return kind
}

// recall takes over the notes of a store. Where the process knows better, the
// store is told.
func (c *clerk) recall(k Kept) {
	for name, body := range k.Notes {
		pool, ok := strings.CutPrefix(name, notePool)
		if _, known := c.notes[name]; ok && !known && !c.recalled[pool] {
			c.notes[name] = body
		}
	}
	for name, r := range c.rules {
		c.recallPool(name)
		r.dirty = true
	}
	if c.followed == nil {
		_ = json.Unmarshal(k.Notes[noteNames], &c.followed) // where it is spoiled nothing is handed over
	} else {
		c.post(nil, map[string][]byte{noteNames: note(c.followed)})
	}
	c.report.recall(k.Notes[noteReport])
	if !c.report.Told.IsZero() {
		c.post(nil, map[string][]byte{noteReport: note(&c.report)})
	}
}

// recallPool takes over what was told of a pool before, once.
func (c *clerk) recallPool(name string) {
	body, ok := c.notes[notePool+name]
	if !ok || c.recalled[name] {
		return
	}
	c.recalled[name] = true
	delete(c.notes, notePool+name)
	before := new(rules)
	if json.Unmarshal(body, before) == nil {
		c.rules[name].recall(before)
	}
}

// look has the rules of each pool look at it, and posts what they tell together
// with what they note.
func (c *clerk) look(ctx context.Context, now time.Time) {
	if !within(now, c.quiet, tellEvery) {
		c.lookAtPools(now)
	}
	c.lookForReport(ctx, now)
	for name, n := range c.outbox.expire(now, c.names()) {
		c.settings.Hooks.dropped(name, n, "not delivered within a day")
	}
}

func (c *clerk) lookAtPools(now time.Time) {
	var alerts []*Alert
	for _, p := range c.settings.Pools {
		told, edges := c.rules[p.Name()].look(now, p, c.settings.Cooldown, len(c.settings.Destinations) > 0)
		alerts = append(alerts, told...)
		for _, e := range edges {
			if c.settings.Hooks.Edge != nil {
				c.settings.Hooks.Edge(e)
			}
		}
	}
	if len(alerts) > 0 {
		c.quiet = now.Add(tellEvery)
	}
	c.post(together(alerts), c.unwritten(false))
}

// unwritten are the notes of the pools about which something was told, or all
// that are not up to date.
func (c *clerk) unwritten(all bool) map[string][]byte {
	notes := make(map[string][]byte)
	for name, r := range c.rules {
		if r.dirty || all && r.stale {
			notes[notePool+name] = note(r)
			r.dirty, r.stale = false, false
		}
	}
	return notes
}

// post puts alerts into the outbox for every destination.
func (c *clerk) post(alerts []*Alert, notes map[string][]byte) {
	if len(alerts)+len(notes) == 0 {
		return
	}
	for name, n := range c.outbox.post(alerts, c.names(), notes) {
		c.settings.Hooks.dropped(name, n, "too many wait")
	}
}

// names are those of the destinations.
func (c *clerk) names() []string {
	names := make([]string, len(c.settings.Destinations))
	for i, d := range c.settings.Destinations {
		names[i] = d.Name()
	}
	return names
}
