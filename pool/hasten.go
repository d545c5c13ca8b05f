package pool

import "time"

// hastened is how many proxies are checked early at once: those that a request
// would be sent through first.
const hastened = 8

// hasten has the first of the proxies that are down checked now, because a request
// found none to use. After a network was away for long, the next checks may be an
// interval off, and nobody should wait for that when it is back. It happens at most
// once in a recovery interval, and to those alone that would not be checked within one.
func (pl *Pool) hasten(now time.Time) {
	last := pl.hastenedAt.Load()
	if now.UnixNano()-last < int64(pl.Checks.RecoveryInterval) || !pl.hastenedAt.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	left := hastened
	for _, p := range pl.proxies {
		if !p.State.gateHas(gateDown) || !p.Checkable() {
			continue
		}
		if due := p.State.nextCheck.Load(); due > now.Add(pl.Checks.RecoveryInterval).UnixNano() {
			p.State.nextCheck.CompareAndSwap(due, now.UnixNano())
		}
		if left--; left == 0 {
			return
		}
	}
}
