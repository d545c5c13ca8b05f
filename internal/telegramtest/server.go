// Package telegramtest has a Bot API: a real HTTP server that speaks its JSON,
// remembers what it was sent, and can be made to fail in every way that
// Telegram, or something on the way to it, does.
package telegramtest

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

const (
	// Token is that of the server's only bot.
	Token = "123456789:TEST-aBcDeFgHiJkLmNoPqRsTuVwXyZ0_12"

	// Username is the bot's name.
	Username = "ProxyPoolTestBot"

	botID = 123456789
)

// Option says what a server is like.
type Option func(*Server)

// TLS is https, with a certificate that [proxytest.CAPool] trusts.
func TLS() Option { return func(s *Server) { s.tls = true } }

// On serves on a listener that the caller made, in place of any port of
// 127.0.0.1.
func On(listener net.Listener) Option { return func(s *Server) { s.listener = listener } }

// Strict answers 429 where messages come faster than Telegram allows: one a second
// in a chat, 20 a minute in a group or channel.
func Strict() Option { return func(s *Server) { s.strict = true } }

// Server is a Bot API with one bot. Its methods are safe for concurrent use.
type Server struct {
	tls, strict bool
	server      *http.Server
	stop        context.CancelFunc
	running     sync.WaitGroup
	addr        net.Addr

	mu       sync.Mutex
	listener net.Listener
	modes    []*mode
	calls    map[string]int
	changed  chan struct{} // closed, and made anew, when something came or was set
	chats    map[string]int64
	messages []Message
	lastID   int
	files    [][]byte // that were sent

	updates  []update
	lastMade int64         // the number of the latest update
	poll     chan struct{} // closed where another poll takes over
}

// NewServer starts a server for the length of a test.
func NewServer(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s, err := Start(options...)
	if err != nil {
		tb.Fatalf("starting Bot API: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start starts a server that the caller closes.
func Start(options ...Option) (*Server, error) {
	s := &Server{
		calls: make(map[string]int), chats: make(map[string]int64), changed: make(chan struct{}),
	}
	for _, option := range options {
		option(s)
	}
	if s.listener == nil {
		var err error
		if s.listener, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return nil, err
		}
	}
	s.addr = s.listener.Addr()
	// Polls that wait end with the server.
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.server = &http.Server{
		Handler: s, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return running },
	}
	if s.tls {
		s.server.TLSConfig = proxytest.ServerTLS("http/1.1")
	}
	s.serve(s.listener)
	return s, nil
}

func (s *Server) serve(listener net.Listener) {
	s.running.Go(func() {
		if s.tls {
			_ = s.server.ServeTLS(listener, "", "")
			return
		}
		_ = s.server.Serve(listener)
	})
}

// Close closes the server with its connections and waits for its handlers.
func (s *Server) Close() {
	s.stop()
	_ = s.server.Close()
	s.running.Wait()
}

// Refuse listens no more, so that connections are refused. Those that stand go
// on.
func (s *Server) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.listener.Close()
}

// Reopen listens again, on the same port.
func (s *Server) Reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := new(net.ListenConfig).Listen(context.Background(), s.addr.Network(), s.addr.String())
	if err != nil {
		return err
	}
	s.listener = listener
	s.serve(listener)
	return nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr.String() }

// URL is what api_url is set to.
func (s *Server) URL() string {
	if s.tls {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// Calls is how many calls of a method came, such as "sendMessage", in any mode
// that reads as much.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// changedLocked wakes everybody who waits for something.
func (s *Server) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Done()
	if s.download(w, r) {
		return
	}
	token, method, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	if !found || !strings.HasPrefix(r.URL.Path, "/bot") {
		write(w, fault(http.StatusNotFound, "Not Found"))
		return
	}
	mode := s.count(method)
	if mode.answerEarly(w) {
		return
	}
	parameters, err := parametersOf(r)
	switch {
	case mode.answer(w, r):
		return
	case token != Token && wellFormed.MatchString(token):
		write(w, fault(http.StatusUnauthorized, "Unauthorized"))
		return
	case token != Token:
		write(w, fault(http.StatusNotFound, "Not Found"))
		return
	case err != nil:
		write(w, fault(http.StatusBadRequest, "Bad Request: can't parse the parameters"))
		return
	}
	result := s.call(r, method, parameters)
	if mode.behaviour == cutAfterProcessing {
		cut(w)
		return
	}
	write(w, result)
}

func (s *Server) call(r *http.Request, method string, p parameters) answer {
	switch method {
	case "getMe":
		return answer{OK: true, Result: map[string]any{
			"id": botID, "is_bot": true, "first_name": "Proxy pool", "username": Username,
		}}
	case "sendMessage":
		return s.sendMessage(p)
	case "getUpdates":
		return s.getUpdates(r.Context(), p)
	case "deleteWebhook":
		return answer{OK: true, Result: true}
	case "sendDocument":
		return s.sendDocument(r, p)
	case "getFile":
		return s.getFile(p)
	}
	return fault(http.StatusNotFound, "Not Found: method not found")
}

// answer is what every answer is in.
type answer struct {
	OK          bool           `json:"ok"`
	Result      any            `json:"result,omitempty"`
	ErrorCode   int            `json:"error_code,omitempty"`
	Description string         `json:"description,omitempty"`
	Parameters  map[string]any `json:"parameters,omitempty"`
}

func fault(code int, description string) answer {
	return answer{ErrorCode: code, Description: description}
}

func tooMany(seconds int) answer {
	a := fault(http.StatusTooManyRequests, "Too Many Requests: retry after "+itoa(seconds))
	a.Parameters = map[string]any{"retry_after": seconds}
	return a
}

func write(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	if !a.OK {
		w.WriteHeader(a.ErrorCode)
	}
	_ = json.NewEncoder(w).Encode(a)
}
