package alert

import "time"

// flapChanges is how many changes within one cooldown make a topic a flapping
// one: it went, came back, and did so again.
const flapChanges = 4

// everyState is the key of [topic.Quiet] that holds for all states.
const everyState = "*"

// topic is one thing whose state the admin is told: the status of a proxy, or
// whether a pool is usable. Each state is told at most once in a cooldown; when
// a cooldown is over, the present state is told where it differs from what was
// told last. The zero value is a topic in its normal state, of which nothing was
// told. What is exported is stored.
type topic struct {
	Told     string               `json:"told,omitempty"`     // empty: the normal state
	Since    time.Time            `json:"since,omitzero"`     // since when it was so
	Quiet    map[string]time.Time `json:"quiet,omitempty"`    // by state: not told again before
	Window   time.Time            `json:"window,omitzero"`    // until when changes are counted
	Changes  int                  `json:"changes,omitempty"`  // so far in it
	Flapping bool                 `json:"flapping,omitempty"` // was told of, and goes on

	normal string
	is     string
	since  time.Time // when it became so
	reason string
}

// news is what there is to tell of a topic.
type news int

const (
	nothing  news = iota
	newState      // it differs from what was told
	newFlaps      // it kept changing during a cooldown
)

func newTopic(normal string) *topic { return &topic{normal: normal, is: normal} }

func (t *topic) told() string {
	if t.Told == "" {
		return t.normal
	}
	return t.Told
}

// become notes the present state, and reports whether it is another one.
func (t *topic) become(now time.Time, state, reason string) bool {
	if t.is == state {
		return false
	}
	t.is, t.since, t.reason = state, now, reason
	t.Changes++
	return true
}

// look returns what there is to tell, and closes a window that is over.
func (t *topic) look(now time.Time, cooldown time.Duration) news {
	if !t.Window.IsZero() && !within(now, t.Window, cooldown) {
		flaps := t.Changes >= flapChanges && cooldown > 0
		if flaps && !t.Flapping {
			return newFlaps
		}
		t.Window, t.Changes, t.Flapping = time.Time{}, 0, flaps
		if flaps {
			t.Window = now.Add(cooldown)
		}
	}
	switch {
	case t.isNews(now, cooldown):
		return newState
	case t.is == t.told() && t.Window.IsZero():
		t.Changes = 0
	}
	return nothing // for now
}

// isNews reports whether the present state differs from what was told, and may
// be told.
func (t *topic) isNews(now time.Time, cooldown time.Duration) bool {
	return t.is != t.told() && !within(now, t.Quiet[t.is], cooldown) && !within(now, t.Quiet[everyState], cooldown)
}

// differs is look for a topic whose flapping is no news of its own: it reports
// whether the present state is to be told.
func (t *topic) differs(now time.Time, cooldown time.Duration) bool {
	switch t.look(now, cooldown) {
	case newState:
		return true
	case newFlaps:
		t.Flapping = true
		t.Window, t.Changes = now.Add(cooldown), 0
		return t.is != t.told()
	default:
		return false
	}
}

// tell notes that the present state was told. Of one that is known to flap, no
// other is told either for a while.
func (t *topic) tell(now time.Time, cooldown time.Duration) {
	if t.Flapping {
		t.hush(now, everyState, cooldown)
	}
	t.hush(now, t.is, cooldown)
	t.Told, t.Since = t.is, t.since
	if t.Window.IsZero() {
		t.Window, t.Changes = now.Add(cooldown), 1 // those before are of a time without a window
	}
}

// tellFlaps notes that the flapping was told, and with it the present state.
func (t *topic) tellFlaps(now time.Time, cooldown time.Duration) {
	t.hush(now, everyState, cooldown)
	t.Told, t.Since, t.Flapping = t.is, t.since, true
	t.Window, t.Changes = now.Add(cooldown), 0
}

// hush keeps a state from being told for the length of the cooldown.
func (t *topic) hush(now time.Time, state string, cooldown time.Duration) {
	for s, until := range t.Quiet {
		if !now.Before(until) {
			delete(t.Quiet, s)
		}
	}
	if cooldown <= 0 {
		return
	}
	if t.Quiet == nil {
		t.Quiet = make(map[string]time.Time)
	}
	t.Quiet[state] = now.Add(cooldown)
}

// within reports whether a cooldown, or any other wait of a known length, that
// ends at some time still runs. One that would run for longer than it lasts does
// not: the configuration, or the clock, is another one now.
func within(now, end time.Time, length time.Duration) bool {
	return now.Before(end) && end.Sub(now) <= length
}

// atRest reports whether nothing would be lost if the topic was forgotten.
func (t *topic) atRest(now time.Time) bool {
	for _, until := range t.Quiet {
		if now.Before(until) {
			return false
		}
	}
	return t.is == t.normal && t.told() == t.normal && t.Window.IsZero() && !t.Flapping
}

// recall takes over what was told before the process began, where nothing was
// told since. Until somebody looks, things are as they were told to be.
func (t *topic) recall(before *topic) {
	if t.Told != "" || !t.Window.IsZero() {
		return
	}
	t.Told, t.Since, t.Quiet, t.Window, t.Flapping = before.Told, before.Since, before.Quiet, before.Window, before.Flapping
	t.Changes += before.Changes
	if t.since.IsZero() {
		t.is = t.told()
	}
}
