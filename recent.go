package proxypool

import "time"

// recent is a map of bounded size that forgets: what was not asked for in a
// while, and, where it grows too large, what was not asked for the longest. It
// keeps two generations, so that forgetting costs nothing. Not safe for
// concurrent use.
type recent[K comparable, V any] struct {
	keep  time.Duration // at least, and at most twice as long
	limit int           // of each generation

	turned     time.Time
	young, old map[K]V
}

func (r *recent[K, V]) get(key K, now time.Time) (V, bool) {
	r.turn(now)
	if v, found := r.young[key]; found {
		return v, true
	}
	v, found := r.old[key]
	if found {
		r.put(key, v, now)
	}
	return v, found
}

func (r *recent[K, V]) put(key K, v V, now time.Time) {
	r.turn(now)
	r.young[key] = v
}

// turn makes the young generation the old one when it is old or full.
func (r *recent[K, V]) turn(now time.Time) {
	age := now.Sub(r.turned)
	switch {
	case age >= 2*r.keep:
		r.old = nil
	case age >= r.keep, len(r.young) >= r.limit:
		r.old = r.young
	default:
		return
	}
	r.young, r.turned = make(map[K]V), now
}
