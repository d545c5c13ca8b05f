package network

import (
	"testing"
	"time"
)

// giveUp is when clients end tunnels in which nothing moves. What is said in them
// is theirs alone, so that only by their ends it shows that something is wrong: of
// the first, and of those that stand before the probe is overdue.
const giveUp = 4 * time.Second

// TestBrokenMTU: what is larger than a tunnel beneath takes vanishes, and nobody is
// told. Connections stand, small answers pass, and the rest hangs.
func TestBrokenMTU(t *testing.T) {
	t.Parallel()
	narrow := weather{delay: near.delay, largest: 1200}
	for name, ways := range map[string][2]weather{
		"both ways": {narrow, narrow},
		"answers":   {near, narrow},
		"requests":  {narrow, near},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const pause = 50 * time.Millisecond
			w := newWorld(t, terms{cheap: near})
			l := w.put(clients{kind: get, n: 3, pause: pause}, clients{kind: get, n: 3, query: "bytes=100000", pause: pause},
				clients{kind: post, n: 2, pause: pause}, clients{kind: post, n: 2, body: 20_000, pause: pause},
				clients{kind: tunnel, n: 2, pause: pause, patience: giveUp})
			pass(3 * time.Second)
			broken := time.Now()
			w.cheap.wire.setWays(ways[0], ways[1])
			w.eventually("the way through the cheap proxy is known to be bad", 40*time.Second, func() bool { return !w.status()["Cheap"].well() })
			pass(5 * time.Second)
			l.stop()
			t.Logf("%+v", w.status()["Cheap"])
			l.tell(t, "MTU "+name)
			l.noPostTwice(t)
			l.onlyCaughtFail(t, broken, 2*giveUp)
			l.allWithin(t, 6*time.Second, broken.Add(caught))
			l.spares(t)
		})
	}
}
