package dial_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/caddy-proxypool/proxypool/dial"
)

// TestForbidden dials a name of two addresses, of which some are refused: the
// dial is a forbidden one only where no address was left to try.
//
// It is not parallel, as it replaces the resolver of the whole program.
func TestForbidden(t *testing.T) {
	const first, second = "127.0.0.1", "127.0.0.2"
	resolveTo(t, first, second)
	tests := []struct {
		name      string
		refused   []string
		listening string
		wants     string // the reason; empty where the dial succeeds
		forbidden bool
	}{
		{"all refused", []string{first, second}, first, dial.ReasonNotAllowed, true},
		{"first refused", []string{first}, second, "", false},
		{"second refused", []string{second}, first, "", false},
		{"first refused, second closed", []string{first}, first, dial.ReasonDialFailed, false},
		{"second refused, first closed", []string{second}, second, dial.ReasonDialRefused, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := net.Listen("tcp", test.listening+":0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := dialerFor(t, nil)
			d.Control = func(_, address string, _ syscall.RawConn) error {
				if host, _, _ := net.SplitHostPort(address); slices.Contains(test.refused, host) {
					return &dial.Error{Reason: dial.ReasonNotAllowed, Err: errors.New("address " + host + " is not allowed")}
				}
				return nil
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			c, err := d.Tunnel(t.Context(), net.JoinHostPort("several.test", port), nil)
			if test.wants == "" {
				if err != nil {
					t.Fatalf("the address that is allowed was not dialled: %v", err)
				}
				c.Close()
				return
			}
			if err == nil {
				c.Close()
				t.Fatal("connected, to an address that is refused or where nobody listens")
			}
			e := asError(t, err)
			if e.Reason != test.wants || e.Forbidden() != test.forbidden || e.ProxyFault() {
				t.Errorf("got %s, forbidden %v, proxy's fault %v (%v)", e.Reason, e.Forbidden(), e.ProxyFault(), e)
			}
		})
	}
}

// resolveTo makes every name resolve to these IPv4 addresses.
func resolveTo(t *testing.T, addrs ...string) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		net.DefaultResolver = before
		server.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := answerDNS(buf[:n], addrs); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
}

// answerDNS answers a question for A records with the addresses, and any other
// with nothing.
func answerDNS(query []byte, addrs []string) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		for _, addr := range addrs {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
				Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(addr).To4())},
			})
		}
	}
	return m.Pack()
}
