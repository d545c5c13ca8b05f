package upstream

import (
	"bufio"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// target is one way in which APIs are there.
type target struct {
	name   string
	origin *proxytest.Origin
}

// api answers like all the APIs that there are.
type api struct {
	targets []target
	mux     *http.ServeMux

	mu    sync.Mutex
	acked map[string]chan struct{} // of a stream of events: the client has the last one
}

func newAPI(t testing.TB) *api {
	t.Helper()
	a := &api{mux: http.NewServeMux(), acked: make(map[string]chan struct{})}
	a.mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	a.mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	a.mux.HandleFunc("GET /large/{bytes}", a.large)
	a.mux.HandleFunc("POST /upload", a.upload)
	a.mux.HandleFunc("GET /events/{id}", a.events)
	a.mux.HandleFunc("GET /poll/{seconds}", a.poll)
	a.mux.HandleFunc("GET /websocket", a.websocket)
	for _, config := range []proxytest.OriginConfig{{}, {IPv6: true}, {TLS: true}, {TLS: true, IPv6: true}} {
		name := "http"
		if config.TLS {
			name = "https"
		}
		if config.IPv6 {
			name += "6"
		}
		config.Handler = a.mux
		a.targets = append(a.targets, target{name, proxytest.NewOrigin(t, config)})
	}
	return a
}

// ports are those of all targets.
func (a *api) ports() (ports []string) {
	for _, target := range a.targets {
		ports = append(ports, target.origin.Port())
	}
	return ports
}

// noise is n bytes that are the same each time, and nothing can shorten.
func noise(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte([]byte("what is carried here is but noise"))), n)
}

// sum is the hash of what is read, in hexadecimal.
func sum(r io.Reader) (string, error) {
	hash := sha256.New()
	_, err := io.Copy(hash, r)
	return hex.EncodeToString(hash.Sum(nil)), err
}

func (a *api) large(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.ParseInt(r.PathValue("bytes"), 10, 64)
	w.Header().Set("Content-Length", r.PathValue("bytes"))
	_, _ = io.Copy(w, noise(n))
}

func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	got, err := sum(r.Body)
	if err == nil {
		_, _ = io.WriteString(w, got)
	}
}

const events = 5

// events sends one when the client has the one before.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	acked := a.ack(r.PathValue("id"))
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range events {
		_, _ = fmt.Fprintf(w, "data: event %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-acked:
		case <-r.Context().Done():
			return
		}
	}
}

// ack is where the client says that it has an event.
func (a *api) ack(id string) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acked[id] == nil {
		a.acked[id] = make(chan struct{}, events)
	}
	return a.acked[id]
}

func (a *api) poll(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.PathValue("seconds"))
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
		_, _ = io.WriteString(w, "nothing new")
	case <-r.Context().Done():
	}
}

// websocket gives back every message, as RFC 6455 has them.
func (a *api) websocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "no upgrade", http.StatusUpgradeRequired)
		return
	}
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Sec-WebSocket-Accept", accepts(r.Header.Get("Sec-WebSocket-Key")))
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		message, err := readFrame(both.Reader)
		if err != nil || writeFrame(conn, message, false) != nil {
			return
		}
	}
}

// accepts is the answer to a key, RFC 6455, section 4.2.2.
func accepts(key string) string {
	hash := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(hash[:])
}

// writeFrame writes a message below 126 bytes; those of clients are masked.
func writeFrame(w io.Writer, message []byte, masked bool) error {
	frame := []byte{0x81, byte(len(message))}
	if masked {
		mask := []byte{1, 2, 3, 4}
		frame[1] |= 0x80
		frame = append(frame, mask...)
		for i, b := range message {
			frame = append(frame, b^mask[i%4])
		}
	} else {
		frame = append(frame, message...)
	}
	_, err := w.Write(frame)
	return err
}

func readFrame(r *bufio.Reader) (message []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return nil, err
		}
	}
	message = make([]byte, head[1]&0x7f)
	_, err = io.ReadFull(r, message)
	for i := range message {
		message[i] ^= mask[i%4]
	}
	return message, err
}
