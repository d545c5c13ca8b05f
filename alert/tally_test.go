package alert

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTallies: deliveries are counted by what came of them, over reloads and for
// the destinations that there are.
func TestTallies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := &chat{name: "a 1"}, &chat{name: "b 2", err: errors.New("no")}
		o := newOffice(t, a, b)
		want := func(want ...Tally) {
			t.Helper()
			if diff := cmp.Diff(want, o.Tallies()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		want(Tally{Kind: "a"}, Tally{Kind: "b"})
		o.raise(1)
		want(Tally{Kind: "a", Delivered: 1}, Tally{Kind: "b", Failed: 1})
		b.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		b.set(func(c *chat) { c.err = &RefusedError{errors.New("never")} })
		o.Follow(o.settings)
		o.raise(2)
		pass(time.Minute)
		o.Test(t.Context())
		want(Tally{Kind: "a", Delivered: 3}, Tally{Kind: "b", Delivered: 1, Failed: 1, Dropped: 1})
		o.settings.Destinations = o.settings.Destinations[:1]
		o.Follow(o.settings)
		want(Tally{Kind: "a", Delivered: 3})
	})
}
