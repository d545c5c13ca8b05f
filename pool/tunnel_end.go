package pool

import "time"

// TunnelEnd says how a tunnel came to its end.
type TunnelEnd struct {
	FromClient, FromTarget int64         // payload bytes
	ClientLast             bool          // the last bytes that moved were the client's
	Quiet                  time.Duration // since anything moved
	Cut                    string        // why it was ended from here, in one word; empty where it was not
	Broke                  string        // how the target's side broke, in one word; empty where it did not
	ClientFirst            bool          // the client was the first to say that it is done
	TargetFirst            bool          // the target's side was
}

// End closes the tunnel, counts how it ended, and completes its trace. What it
// ended by is in the trace's Err, which is empty where all was well. It must be
// called once, when nothing uses the pipe any more.
func (t *Tunnel) End(e TunnelEnd) {
	_ = t.conn.Close()
	t.Trace.Err = e.reason()
	t.Trace.tally(t.conn)
	switch {
	case t.proxy.State.overdrawn() && e.Broke != "":
		t.Trace.Err = reasonBudget
	case !e.incriminates():
		if e.FromTarget > 0 {
			t.proxy.routeSucceeded(t.route)
		}
	case !t.silent.Load():
		t.route.broke()
		t.proxy.suspectRoute(t.route)
	}
	t.route.state.touch()
}

// The ends of tunnels.
const (
	reasonTargetClosed = "target_closed" // before it said anything
)

func (e *TunnelEnd) reason() string {
	switch {
	case e.Cut != "":
		return e.Cut
	case e.Broke != "":
		return e.Broke
	case e.FromTarget == 0 && e.TargetFirst:
		return reasonTargetClosed
	case e.unheard():
		return reasonSilent
	case e.FromTarget == 0:
		return reasonClientGone
	default:
		return "" // a client may well break off when it has what it wanted
	}
}

// unheard reports whether the client gave up waiting for a first answer.
func (e *TunnelEnd) unheard() bool {
	return e.FromTarget == 0 && e.FromClient > 0 && e.Quiet >= maxSilence
}

// incriminates reports whether the end may have been the route's failure: the
// target's side broke while the client waited or bytes came, or never said
// anything. A connection that breaks at rest, or when one side has said its
// farewell, is nobody's failure, nor is one on which the client said nothing.
func (e *TunnelEnd) incriminates() bool {
	switch {
	case e.Cut != "":
		return false
	case e.Broke != "":
		return e.FromTarget == 0 || !e.ClientFirst && !e.TargetFirst && (e.ClientLast || e.Quiet < maxSilence)
	default:
		return e.FromTarget == 0 && e.FromClient > 0 && (e.TargetFirst || e.unheard())
	}
}
