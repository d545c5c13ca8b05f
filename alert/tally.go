package alert

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Tally is what came of the deliveries to one destination since the process
// began, tests included.
type Tally struct {
	Name      string // of the destination
	Delivered int64
	Failed    int64 // tries that are followed by another
	Dropped   int64 // alerts that were given up
}

// tally counts for a [Tally]. It outlives the sender that counts.
type tally struct{ delivered, failed, dropped atomic.Int64 }

// Tallies tells what came of the deliveries, by destination in the order of
// their names.
func (d *Desk) Tallies() []Tally {
	d.mu.Lock()
	list := make([]Tally, 0, len(d.tallies))
	for name, t := range d.tallies {
		list = append(list, Tally{name, t.delivered.Load(), t.failed.Load(), t.dropped.Load()})
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b Tally) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// countFor makes the tallies those of the settings' destinations, with what was
// counted of them before, and has them count what is dropped. d.mu is held.
func (d *Desk) countFor(s *Settings) {
	tallies := make(map[string]*tally, len(s.Destinations))
	for _, destination := range s.Destinations {
		name := destination.Name()
		if tallies[name] = d.tallies[name]; tallies[name] == nil {
			tallies[name] = new(tally)
		}
	}
	d.tallies = tallies
	tell := s.Hooks.Dropped
	s.Hooks.Dropped = func(name string, alerts int, why string) {
		if t := tallies[name]; t != nil {
			t.dropped.Add(int64(alerts))
		}
		if tell != nil {
			tell(name, alerts, why)
		}
	}
}
