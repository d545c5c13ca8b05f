package relay

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen soon.
const patience = 20 * time.Second

// eventually waits for what another goroutine is about to bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !ok(); <-tick.C {
		if time.Since(began) > patience {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// pair returns two ends of a TCP connection. In a test they hold little, or the
// kernel would give a busy one 32 MiB.
func pair(tb testing.TB) (near, far *net.TCPConn) {
	tb.Helper()
	a, b := pairOn(tb, "tcp", "127.0.0.1:0")
	near, far = a.(*net.TCPConn), b.(*net.TCPConn)
	if _, measures := tb.(*testing.B); !measures {
		if err := errors.Join(near.SetReadBuffer(1<<20), far.SetReadBuffer(1<<20)); err != nil {
			tb.Fatal(err)
		}
	}
	return near, far
}

func pairOn(tb testing.TB, network, addr string) (near, far net.Conn) {
	tb.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial(network, l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

var serverTLS = sync.OnceValue(func() *tls.Config {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Clone()
})

// securePair returns two ends of TLS; the near one is the server.
func securePair(tb testing.TB) (near, far *tls.Conn) {
	tb.Helper()
	a, b := pair(tb)
	server := tls.Server(a, &tls.Config{Certificates: serverTLS().Certificates})
	far = tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := errors.Join(far.Handshake(), <-shaken); err != nil {
		tb.Fatal(err)
	}
	return server, far
}

var errSpent = errors.New("budget is spent")

// upstream is a target that counts what crosses its connection, as the
// connection to a proxy does, and allows so much of it.
type upstream struct {
	*net.TCPConn
	prefix  []byte // read early
	in, out atomic.Int64
	limit   atomic.Int64 // 0: none
}

func (u *upstream) Read(p []byte) (int, error) {
	if len(u.prefix) > 0 {
		n := copy(p, u.prefix)
		u.prefix = u.prefix[n:]
		return n, nil
	}
	n, err := u.TCPConn.Read(p)
	return n, cmp.Or(u.Count(n, 0), err)
}

func (u *upstream) Write(p []byte) (int, error) {
	n, err := u.TCPConn.Write(p)
	return n, cmp.Or(u.Count(0, n), err)
}

func (u *upstream) NetConn() net.Conn { return u.TCPConn }
func (u *upstream) Bare() bool        { return len(u.prefix) == 0 }

func (u *upstream) Count(in, out int) error {
	n, limit := u.in.Add(int64(in))+u.out.Add(int64(out)), u.limit.Load()
	if limit > 0 && n >= limit {
		u.TCPConn.Close()
		return errSpent
	}
	return nil
}

// opaque hides what a stream is, which can be aborted.
type opaque struct {
	Stream
	tcp *net.TCPConn
}

func (o opaque) Abort() {
	o.tcp.SetLinger(0)
	o.tcp.Close()
}

// far is who talks through the tunnel.
type far interface {
	net.Conn
	CloseWrite() error
}

// rig is a tunnel, with who talks through it.
type rig struct {
	*Relay
	client, origin far
	meter          *upstream // nil where the target does not count
	prefix         []byte
	ended          chan End
}

func (r *rig) start(early []byte) {
	r.ended = make(chan End, 1)
	go func() { r.ended <- r.Run(early) }()
}

// end waits for the end of the tunnel.
func (r *rig) end(t testing.TB) End {
	t.Helper()
	select {
	case end := <-r.ended:
		return end
	case <-time.After(patience):
		t.Fatal("the tunnel does not end")
		return End{}
	}
}

// paths are the ways that bytes take through a relay.
var paths = []struct {
	name string
	make func(testing.TB) *rig
}{
	{"tcp", func(tb testing.TB) *rig {
		near, client := pair(tb)
		return rigOn(tb, near, client, nil)
	}},
	{"unix client", func(tb testing.TB) *rig {
		near, client := pairOn(tb, "unix", filepath.Join(tb.TempDir(), "s"))
		return rigOn(tb, near.(Stream), client.(far), nil)
	}},
	{"tls client", func(tb testing.TB) *rig {
		near, client := securePair(tb)
		return rigOn(tb, near, client, nil)
	}},
	{"prefix", func(tb testing.TB) *rig {
		near, client := pair(tb)
		return rigOn(tb, near, client, []byte("what the proxy sent along"))
	}},
	{"opaque client", func(tb testing.TB) *rig {
		near, client := pair(tb)
		return rigOn(tb, opaque{near, near}, client, nil)
	}},
	{"tls proxy", func(tb testing.TB) *rig {
		near, client := pair(tb)
		server, target := securePair(tb)
		return &rig{Relay: New(near, target), client: client, origin: server}
	}},
}

// bare are the paths on which the bytes are those of sockets.
var bare = []string{"tcp", "unix client", "prefix"}

func rigOn(tb testing.TB, near Stream, client far, prefix []byte) *rig {
	target, origin := pair(tb)
	meter := &upstream{TCPConn: target, prefix: prefix}
	return &rig{Relay: New(near, meter), client: client, origin: origin, meter: meter, prefix: prefix}
}

// noise returns n bytes that look like no others.
func noise(n int, seed uint64) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(p)
	return p
}

// sendInPieces writes p in pieces of up to most bytes.
func sendInPieces(w io.Writer, p []byte, most int) error {
	for len(p) > 0 {
		n := min(len(p), 1+rand.IntN(most))
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
