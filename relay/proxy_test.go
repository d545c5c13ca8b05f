package relay_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/relay"
)

// echo serves what says back what it was told, and then that this was all.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// TestThroughProxies: the connections that dial makes are streams, and count
// every byte of the payload, gone past or not.
func TestThroughProxies(t *testing.T) {
	for _, kind := range []proxytest.Kind{proxytest.HTTP, proxytest.HTTPS, proxytest.SOCKS5} {
		t.Run(kind.String(), func(t *testing.T) {
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
			u, err := url.Parse(proxy.URL())
			if err != nil {
				t.Fatal(err)
			}
			d := &dial.Dialer{
				Proxy: dial.Proxy{Scheme: u.Scheme, Addr: u.Host},
				TLS:   &tls.Config{RootCAs: proxytest.CAPool()},
			}
			target, err := d.Tunnel(t.Context(), echo(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			near, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}

			in, out := target.Bytes()
			ended := make(chan relay.End, 1)
			r := relay.New(near.(*net.TCPConn), target)
			go func() { ended <- r.Run(nil) }()
			const size = 4 << 20
			payload := bytes.Repeat([]byte("abcdefg\n"), size/8)
			go func() {
				client.Write(payload)
				client.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%d bytes and %v came back, want %d", len(got), err, size)
			}
			if end := <-ended; end != (relay.End{First: relay.Client}) {
				t.Errorf("ended with %+v, want well", end)
			}
			nowIn, nowOut := target.Bytes()
			in, out = nowIn-in, nowOut-out
			if kind == proxytest.HTTPS {
				if in < size || out < size {
					t.Errorf("%d bytes in and %d out were counted, want TLS on top of %d", in, out, size)
				}
			} else if in != size || out != size {
				t.Errorf("%d bytes in and %d out were counted, want %d", in, out, size)
			}
		})
	}
}
