package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// The login of the forward fronts. The name is no secret.
const appName, appPassword = "app", "p@ss:w/rd-of-the-app"

// forwarding is the setup with a forward front beside its site.
func forwarding(s setup, options string) setup {
	s.Forward = fmt.Sprintf("\tlog\n\tproxy_pool_forward {\n\t\tallow *\n\t\tbasic_auth %s %s\n%s\n\t}", appName, appPassword, options)
	return s
}

func login(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(appName+":"+password))
}

// tunneler opens tunnels as clients do that have the front as their proxy.
type tunneler struct {
	front  string
	opened atomic.Int64
}

// dial opens a tunnel. When Caddy reloads, it closes connections that it has not
// accepted yet: clients ask again where nothing of an answer came.
func (d *tunneler) dial(ctx context.Context, target string) (net.Conn, error) {
	var conn net.Conn
	var err error
	for range 5 {
		var answered bool
		if conn, answered, err = d.dialOnce(ctx, target); err == nil {
			d.opened.Add(1)
		}
		if answered {
			break
		}
	}
	return conn, err
}

func (d *tunneler) dialOnce(ctx context.Context, target string) (conn net.Conn, answered bool, err error) {
	if conn, err = new(net.Dialer).DialContext(ctx, "tcp", d.front); err != nil {
		return nil, false, err
	}
	_, err = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: %s\r\n\r\n", target, login(appPassword))
	r := bufio.NewReader(conn)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	}
	switch {
	case err != nil:
		_ = conn.Close()
		return nil, false, err
	case resp.StatusCode != http.StatusOK:
		_ = conn.Close()
		return nil, true, fmt.Errorf("CONNECT %s: %s", target, resp.Status)
	case r.Buffered() > 0:
		_ = conn.Close()
		return nil, true, errors.New("the tunnel begins with something that the target did not say")
	}
	return conn, true, nil
}

// transport reaches the test's origins through tunnels, one for each client at a
// time, which are kept for the next request or not.
func (d *tunneler) transport(clients int, keep bool) *http.Transport {
	config := &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12}
	return &http.Transport{
		MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients, DisableKeepAlives: !keep,
		DialTLSContext: func(ctx context.Context, _, target string) (net.Conn, error) {
			conn, err := d.dial(ctx, target)
			if err != nil {
				return nil, err
			}
			named := config.Clone()
			named.ServerName, _, _ = net.SplitHostPort(target)
			secure := tls.Client(conn, named)
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, err
			}
			return secure, nil
		},
	}
}

// openStream opens a tunnel in a stream of HTTP/2 without TLS.
func openStream(t *testing.T, front, target string) io.ReadWriteCloser {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	r, w := io.Pipe()
	req := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Scheme: "http", Host: front}, Host: target, Body: r,
		Header: http.Header{"Proxy-Authorization": {login(appPassword)}},
	}
	resp, err := transport.RoundTrip(req.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("CONNECT over HTTP/2: %v", err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Fatalf("CONNECT %s over HTTP/2: %s over %s", target, resp.Status, resp.Proto)
	}
	return &stream{resp.Body, w}
}

// stream is what is heard and said in a stream of HTTP/2.
type stream struct {
	io.ReadCloser
	w *io.PipeWriter
}

func (s *stream) Write(b []byte) (int, error) { return s.w.Write(b) }

func (s *stream) Close() error { return errors.Join(s.w.Close(), s.ReadCloser.Close()) }

// newEcho is a target that says back what it is told.
func newEcho(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

// echoes says something and reads it back.
func echoes(tunnel io.ReadWriter) error {
	want := []byte("are you still there?")
	if _, err := tunnel.Write(want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(tunnel, got); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("heard %q: %w", got, err)
	}
	return nil
}

// endsWithin reads until the tunnel's end, and fails where it does not come.
func endsWithin(t *testing.T, tunnel io.Reader, within time.Duration) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, tunnel)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(within):
		t.Errorf("the tunnel did not end within %v", within)
	}
}

// askWrong is the whole answer to CONNECT with a wrong password.
func askWrong(t *testing.T, front, password string) string {
	t.Helper()
	conn, err := net.Dial("tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: %s\r\n\r\n", login(password)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
