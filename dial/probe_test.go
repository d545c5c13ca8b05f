package dial_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestProbe: whether anybody answers behind a tunnel, be it with a certificate
// that nobody trusts, or with something that is no TLS.
func TestProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(net.Conn)
		port   string
		want   string // reason of the failure
	}{
		"something that is no TLS": {func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.com\r\n"); _, _ = io.Copy(io.Discard, c) }, "443", ""},
		"an alert":                 {func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}); _, _ = io.Copy(io.Discard, c) }, "443", ""},
		"nothing, and the end":     {func(net.Conn) {}, "443", dial.ReasonTargetReset},
		"nothing, for ever":        {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "443", dial.ReasonTargetTLSTimeout},
		"nothing, on another port": {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "5222", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						_, _ = c.Read(make([]byte, 4096))
						tc.answer(c)
					}()
				}
			}()
			addr := "host.example:" + tc.port
			p := proxytest.NewProxy(t, proxytest.ProxyConfig{Hosts: map[string]string{addr: ln.Addr().String()}})
			d := dial.Dialer{Proxy: dial.Proxy{Scheme: "http", Addr: p.Addr()}}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			c, err := d.Probe(ctx, addr, nil)
			if err == nil {
				_ = c.Close()
			}
			got := ""
			if failed, ok := errors.AsType[*dial.Error](err); ok {
				got = failed.Reason
				if failed.ProxyFault() {
					t.Error("the proxy is to blame for what the target did")
				}
			}
			if got != tc.want {
				t.Errorf("probe ended with %q (%v), want %q", got, err, tc.want)
			}
		})
	}
}
