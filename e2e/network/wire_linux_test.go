package network

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// weather is what a wire does to the packets of one direction.
type weather struct {
	delay   time.Duration
	loss    float64       // share of packets that get lost
	rate    int           // bytes a second, 0 for any number
	queue   time.Duration // that packets wait at most for their turn at that rate
	largest int           // packet that passes, 0 for any; nobody is told of the others
	cut     bool          // nothing passes
}

// wire carries packets between two devices.
type wire struct {
	out, in *lane // to the proxy and back

	// A translator of addresses in the middle knows the connections whose first
	// packet it saw; packets of others vanish.
	mu     sync.Mutex
	known  map[uint16]time.Time // by the client's port: when a packet passed last
	forget time.Duration        // connections that were idle for so long; 0 for never
}

// lane is one direction.
type lane struct {
	weather atomic.Pointer[weather]
	random  *rand.Rand // of the one goroutine that reads
	busy    time.Time  // until then the rate is used up; of the same
	queue   chan parcel
	passed  atomic.Int64 // packets
	lost    atomic.Int64
}

type parcel struct {
	due    time.Time
	packet []byte
}

// maxParcels bounds what is under way in one direction.
const maxParcels = 20_000

// newWire connects two devices for the length of the test.
func newWire(t *testing.T, home, away *os.File, seed uint64) *wire {
	w := &wire{known: make(map[uint16]time.Time)}
	w.out, w.in = newLane(seed, 1), newLane(seed, 2)
	done := make(chan struct{})
	var running sync.WaitGroup
	for _, l := range []struct {
		lane     *lane
		from, to *os.File
		port     int // where the client's port is in a packet, behind the IP header
	}{{w.out, home, away, 0}, {w.in, away, home, 2}} {
		running.Go(func() { w.take(l.lane, l.from, l.port) })
		running.Go(func() { l.lane.deliver(l.to, done) })
	}
	t.Cleanup(func() {
		close(done)
		_ = home.Close()
		_ = away.Close()
		running.Wait()
	})
	return w
}

func newLane(seed, stream uint64) *lane {
	l := &lane{random: rand.New(rand.NewPCG(seed, stream)), queue: make(chan parcel, maxParcels)}
	l.weather.Store(new(weather))
	return l
}

// set changes the weather in both directions.
func (w *wire) set(both weather) { w.setWays(both, both) }

func (w *wire) setWays(out, in weather) {
	w.out.weather.Store(&out)
	w.in.weather.Store(&in)
}

// take reads what one side sends, until its device is closed.
func (w *wire) take(l *lane, from io.Reader, port int) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			close(l.queue)
			return
		}
		now := time.Now()
		packet := buffer[:n]
		due, ok := l.pass(packet, now)
		if !ok || !w.translates(packet, port, now) {
			l.lost.Add(1)
			continue
		}
		select {
		case l.queue <- parcel{due, append([]byte(nil), packet...)}:
			l.passed.Add(1)
		default:
			l.lost.Add(1)
		}
	}
}

// pass tells when a packet arrives, if it does.
func (l *lane) pass(packet []byte, now time.Time) (due time.Time, ok bool) {
	w := l.weather.Load()
	lost := l.random.Float64() < w.loss // one number for each packet, whatever the weather
	if lost || w.cut || w.largest > 0 && len(packet) > w.largest {
		return now, false
	}
	due = now
	if w.rate > 0 {
		if l.busy.Before(now) {
			l.busy = now
		}
		if l.busy.Sub(now) > w.queue {
			return now, false
		}
		l.busy = l.busy.Add(time.Duration(len(packet)) * time.Second / time.Duration(w.rate))
		due = l.busy
	}
	return due.Add(w.delay), true
}

// deliver hands each packet over when it is due.
func (l *lane) deliver(to io.Writer, done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for p := range l.queue {
		if left := time.Until(p.due); left > 0 {
			timer.Reset(left)
			select {
			case <-timer.C:
			case <-done:
				return
			}
		}
		_, _ = to.Write(p.packet) // a device whose queue is full drops it, as devices do
	}
}

// translates reports whether a packet is of a connection that is known.
func (w *wire) translates(packet []byte, port int, now time.Time) bool {
	const tcp, flags, syn, ack = 6, 13, 0x02, 0x10
	header := int(packet[0]&0x0f) * 4
	if packet[0]>>4 != 4 || packet[9] != tcp || len(packet) < header+20 {
		return false // of IPv6 there is only what devices say by themselves
	}
	client := binary.BigEndian.Uint16(packet[header+port:])
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.known[client]
	idle := w.forget > 0 && now.Sub(last) > w.forget
	begins := packet[header+flags]&(syn|ack) == syn
	if !begins && (!known || idle) {
		delete(w.known, client)
		return false
	}
	w.known[client] = now
	return true
}

// forgetIdle makes the middle forget connections that are idle for so long.
func (w *wire) forgetIdle(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget = d
}

// forgetAll makes it forget all connections, as one does that restarts.
func (w *wire) forgetAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.known)
}
