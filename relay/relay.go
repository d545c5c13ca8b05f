// Package relay carries the bytes of one tunnel between a client and a target
// until both have said all they had to say. Where both ends are plain sockets
// the bytes do not pass through the program, on systems that can do that, and
// a tunnel in which nothing moves holds no buffer.
package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Stream is one end of a tunnel. Close must end a Read and a Write that are in
// progress, and may be called more than once. CloseWrite tells the other side
// that nothing more will be written; a stream that cannot do that returns an
// error that is [errors.ErrUnsupported].
//
// A stream may have further methods that are used where they are there:
//
//   - NetConn() net.Conn, the connection beneath. It is what gets reset where
//     the end must not look like a clean one.
//   - Bare() bool, which says that the bytes of the stream are those of
//     NetConn, so that Read and Write may be gone past from now on. It is not
//     called while something reads.
//   - Count(in, out int) error, which is told of every byte that went past Read
//     and Write, in small parts and as they move. An error ends the tunnel, and
//     is the stream's.
//   - Abort(), which is called instead of Close where the end must not look
//     like a clean one.
//
// A [net.TCPConn] and a [net.UnixConn] are streams, and bare; a
// [crypto/tls.Conn] is a stream.
type Stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Side is one of those who can end a tunnel.
type Side uint8

// The sides of a tunnel.
const (
	Nobody Side = iota
	Client
	Target
	Cutter // who called Cut
)

func (s Side) String() string {
	switch s {
	case Client:
		return "client"
	case Target:
		return "target"
	case Cutter:
		return "cutter"
	default:
		return "nobody"
	}
}

// End is how a tunnel ended.
type End struct {
	// First is who said first that it has nothing more to send. Nobody where
	// none did.
	First Side
	// By is who broke the tunnel. Nobody where both ended well.
	By Side
	// Err says how By broke it. Nil where nobody did.
	Err error
}

// Activity is what has happened in a tunnel so far.
type Activity struct {
	FromClient, FromTarget int64     // bytes that were passed on
	Began                  time.Time // when the relay was made
	LastMove               time.Time // when bytes were last passed on; Began where none were
	ClientLast             bool      // the last ones were the client's
	Held                   bool      // somebody does not take at once what was sent
}

// errCut stands for a cause that was not given.
var errCut = errors.New("tunnel was cut")

// Relay carries one tunnel.
type Relay struct {
	client, target peer
	up, down       flow // from the client, from the target
	began          time.Time
	answered       func()
	upOver         chan struct{} // closed when up has ended

	running sync.WaitGroup
	closing sync.Once

	mu     sync.Mutex
	end    End
	over   bool // end is what it will be
	gently bool // a cut looks like a clean end
}

// New returns a relay between two streams, which are its own from then on.
func New(client, target Stream) *Relay {
	r := &Relay{began: time.Now(), upOver: make(chan struct{})}
	r.client.init(Client, client)
	r.target.init(Target, target)
	r.up = flow{relay: r, src: &r.client, dst: &r.target}
	r.down = flow{relay: r, src: &r.target, dst: &r.client}
	return r
}

// OnAnswer has f called once, when the target's first byte has come and before
// it is passed on. It must be called before Run. The bytes wait for f.
func (r *Relay) OnAnswer(f func()) { r.answered = f }

// Run carries bytes until both sides have said all or one has broken the
// tunnel. Both streams are closed when it returns, and nothing of it runs any
// more. Early is what the client had sent already; it is sent to the target
// first. When one side says that it has nothing more to send, the other is told
// and may go on for as long as it likes. A client whose stream cannot be told may
// go on for as long as what it sends keeps moving. A tunnel that was broken does
// not look like one that ended well: who has not got all is left with a reset
// connection, where its stream knows such a thing.
//
// Run must be called once.
func (r *Relay) Run(early []byte) End {
	// Now, because nothing reads yet; what reads an end asks again later.
	r.client.reading()
	r.target.reading()

	r.running.Go(r.down.run)
	r.up.early = early
	r.up.run()
	close(r.upOver)
	r.running.Wait()

	r.finish()
	return r.end
}

// Cut breaks the tunnel: Run returns soon, with the cause. It may be called at
// any time, and concurrently; the first call counts, and none does after the
// tunnel has ended otherwise. Both streams are closed when it returns.
func (r *Relay) Cut(cause error) {
	if cause == nil {
		cause = errCut
	}
	r.fail(Cutter, cause)
}

// Retire is Cut for a tunnel at rest, in which nobody waits for anything: both
// sides see a clean end. Where one of them has not taken all that was sent, the
// tunnel is not at rest, and Retire is Cut.
func (r *Relay) Retire(cause error) {
	r.mu.Lock()
	r.gently = true
	r.mu.Unlock()
	r.Cut(cause)
}

// Activity may be called at any time, and concurrently.
func (r *Relay) Activity() Activity {
	up, down := r.up.last.Load(), r.down.last.Load()
	return Activity{
		FromClient: r.up.moved.Load(),
		FromTarget: r.down.moved.Load(),
		Began:      r.began,
		LastMove:   r.began.Add(time.Duration(max(up, down))),
		ClientLast: up > down,
		Held:       r.held(),
	}
}

// held reports whether there is something that was read and not yet written.
func (r *Relay) held() bool { return r.up.held.Load() || r.down.held.Load() }

// ended notes that a side said that it has nothing more to send, and reports
// whether the tunnel is over by that, as the other has said so before. What is
// seen after the tunnel was broken is a consequence of that.
func (r *Relay) ended(side Side) (over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end.By != Nobody {
		return false
	}
	if r.end.First == Nobody {
		r.end.First = side
	}
	return r.end.First != side
}

// fail notes who broke the tunnel and closes both streams. The first to be
// named is who did it: what follows are the consequences.
func (r *Relay) fail(by Side, err error) {
	r.mu.Lock()
	if !r.over && (r.end.By == Nobody || r.explains(by, err)) {
		r.end.By, r.end.Err = by, err
	}
	r.mu.Unlock()
	r.close()
}

// explains reports whether err says more than what is known: a stream can be
// closed by itself, and then whoever only sees it closed may be the first to
// say so, before who knows the reason.
func (r *Relay) explains(by Side, err error) bool {
	return by == r.end.By && by != Cutter &&
		errors.Is(r.end.Err, net.ErrClosed) && !errors.Is(err, net.ErrClosed)
}

// lastWords is how long a client that cannot be told that the target has said all
// may pause. It may be waiting for nothing but that, though with TLS in the tunnel
// it has learned of the end there.
const lastWords = time.Second

// hearOut waits until the client has said all, or pauses.
func (r *Relay) hearOut() {
	ticker := time.NewTicker(lastWords)
	defer ticker.Stop()
	for moved := r.up.moved.Load(); ; {
		select {
		case <-r.upOver:
			return
		case <-ticker.C:
		}
		now := r.up.moved.Load()
		if now == moved {
			return
		}
		moved = now
	}
}

// finish closes both streams, and lets nothing be said about the end any more.
func (r *Relay) finish() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.close()
}

// close closes both streams, once, and returns when they are.
func (r *Relay) close() {
	r.closing.Do(func() {
		r.mu.Lock()
		well := r.gently && r.end.By == Cutter && !r.held()
		r.mu.Unlock()
		r.client.close(well || r.down.complete.Load())
		r.target.close(well || r.up.complete.Load())
	})
}
