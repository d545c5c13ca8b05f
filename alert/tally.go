package alert

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Tally is what came of the deliveries to the destinations of one kind since the
// process began, tests included.
type Tally struct {
	Kind      string // "telegram": metrics are no place for a chat's id
	Delivered int64
	Failed    int64 // tries that are followed by another
	Dropped   int64 // alerts that were given up
}

// tally counts for a [Tally]. It outlives the sender that counts.
type tally struct{ delivered, failed, dropped atomic.Int64 }

// Tallies tells what came of the deliveries, by the kind of destination in the
// order of their names.
func (d *Desk) Tallies() []Tally {
	kinds := make(map[string]Tally)
	d.mu.Lock()
	for name, t := range d.tallies {
		sum := kinds[kindOf(name)]
		sum.Kind = kindOf(name)
		sum.Delivered += t.delivered.Load()
		sum.Failed += t.failed.Load()
		sum.Dropped += t.dropped.Load()
		kinds[sum.Kind] = sum
	}
	d.mu.Unlock()
	return slices.SortedFunc(maps.Values(kinds), func(a, b Tally) int { return strings.Compare(a.Kind, b.Kind) })
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
