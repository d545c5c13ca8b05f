package proxypool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recordingProxy is an upstream proxy that notes what it is asked for, answers
// requests, and lets tunnels end at once.
type recordingProxy struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newRecordingProxy(tb testing.TB) *recordingProxy {
	tb.Helper()
	p := new(recordingProxy)
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	tb.Cleanup(p.Close)
	return p
}

func (p *recordingProxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI+" host "+r.Host)
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	_ = conn.Close()
}

// take returns what was asked for since the last call.
func (p *recordingProxy) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// mayAsk are the hosts that the fronts of FuzzFronts may ask a proxy for.
func mayAsk(asked string) bool {
	words := strings.Fields(asked)
	if len(words) != 4 {
		return false
	}
	if words[0] == http.MethodConnect {
		return words[1] == words[3] && slices.ContainsFunc([]string{":80", ":443"}, func(port string) bool { return allowedHost(words[1], port) })
	}
	rest, absolute := strings.CutPrefix(words[1], "http://")
	end := strings.IndexAny(rest+"/", "/?")
	host := rest[:end]
	if !strings.Contains(host, ":") {
		host += ":80"
	}
	return absolute && (allowedHost(host, ":80") || allowedHost(host, ":443")) && strings.TrimSuffix(words[3], ":80") == strings.TrimSuffix(rest[:end], ":80")
}

func allowedHost(addr, port string) bool {
	host, ok := strings.CutSuffix(addr, port)
	sub, below := strings.CutSuffix(host, ".below.test")
	return ok && (host == "allowed.test" || below && sub != "")
}

// http2Preface is how a client begins that speaks HTTP/2 without TLS, which Caddy
// answers in kind.
const http2Preface = "PRI * HTTP/2.0\r\n"

// FuzzFronts says anything to the fronts. Whatever it is, nothing is asked for
// that is not allowed, and what comes back is HTTP, or nothing.
func FuzzFronts(f *testing.F) {
	proxy := newRecordingProxy(f)
	pool := fmt.Sprintf("pool main {\n\thealth_check off\n\tconnect_timeout 2s\n\tproxy P %s\n}\n", proxy.URL)
	s := serve(f, pool, ":{port} {\n\tbind 127.0.0.1\n\tproxy_pool_forward {\n\t\tallow allowed.test *.below.test\n\t}\n\tproxy_pool http://allowed.test\n}\n")
	for _, seed := range []string{
		"CONNECT allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01",
		"CONNECT a.below.test:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n",
		"GET http://allowed.test/x?y HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"GET http://allowed.test@evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
		"GET http://evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
		"GET //evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: evil.test\r\nConnection: keep-alive, Host\r\n\r\nGET http://below.test HTTP/1.1\r\nHost: below.test\r\n\r\n",
		"POST http://a.below.test/ HTTP/1.1\r\nHost: a.below.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: evil.test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
		"GET http:evil.test HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD http://ALLOWED.test.:80/%2F/..//?a=%zz HTTP/1.1\r\nHost: x\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
		"\x05\x01\x00", "\x16\x03\x01\x00\x05hello", "GET http://allowed.test:443/ HTTP/1.1\r\nHost: y\r\nVia: 1.1 pp-x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	for _, reaches := range []string{"CONNECT allowed.test:443 HTTP/1.1", "GET http://a.below.test/ HTTP/1.1", "GET / HTTP/1.1"} {
		exchange(f, s, []byte(reaches+"\r\nHost: x\r\nConnection: close\r\n\r\n"), 10*time.Second)
		if asked := proxy.take(); len(asked) != 1 || !mayAsk(asked[0]) {
			f.Fatalf("%q made the proxy be asked for %q", reaches, asked)
		}
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		answer := exchange(t, s, said, 50*time.Millisecond)
		for _, asked := range proxy.take() {
			if !mayAsk(asked) {
				t.Errorf("%q made a proxy be asked for %q", said, asked)
			}
		}
		if len(answer) == 0 || bytes.Contains(said, []byte(http2Preface)) {
			return
		}
		method, _, _ := strings.Cut(string(said), " ")
		if _, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), &http.Request{Method: method}); err != nil {
			t.Errorf("%q is answered by %.200q: %v", said, answer, err)
		}
	})
}

// exchange says something on a connection of its own, and returns all that comes
// back. Once nothing more came for a while it ends its side: at an earlier end the
// server would take the client for gone.
func exchange(tb testing.TB, s *server, said []byte, while time.Duration) []byte {
	tb.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	const patience = 20 * time.Second // more than the server takes for anything
	_ = conn.SetDeadline(time.Now().Add(while))
	_, _ = conn.Write(said) // may be refused before it was said
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return answer
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	_ = conn.(*net.TCPConn).CloseWrite()
	rest, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		tb.Fatalf("%q: no end after %v", said, patience)
	}
	return append(answer, rest...)
}
