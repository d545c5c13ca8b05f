package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// httpsPort is the port on which everybody speaks TLS.
const httpsPort = 443

// Probe is [Dialer.Tunnel] to learn whether anybody answers at its other end:
// on the port of https it says hello in TLS and waits for an answer, whatever
// certificate that has. Nothing is sent that would have to be kept secret. On
// other ports, where nobody knows what is spoken, it is enough that the tunnel
// stands. What comes back is only fit to be closed.
func (d *Dialer) Probe(ctx context.Context, addr string, proxyReady func()) (*Conn, error) {
	var tunnel *Conn
	err := d.guarded(ctx, addr, func(c *Conn, target hostPort) (err error) {
		tunnel = c
		if err := d.tunnel(ctx, c, target, proxyReady); err != nil || target.port != httpsPort {
			return err
		}
		return c.hello(ctx, target)
	})
	if err != nil {
		return nil, err
	}
	return tunnel, nil
}

// hello greets the target in TLS. An alert is an answer, too.
func (c *Conn) hello(ctx context.Context, target hostPort) error {
	//nolint:gosec // nothing is sent, and any answer will do: those who use the tunnel verify
	secure := tls.Client(c, &tls.Config{ServerName: target.host, InsecureSkipVerify: true, NextProtos: []string{protoHTTP1}})
	err := secure.HandshakeContext(ctx)
	if err == nil || isAnswer(err) {
		return nil
	}
	return stageTargetTLS.fail(ctx, err)
}

// isAnswer reports whether a handshake failed by something that the other side
// said: an alert, or what is no TLS at all.
func isAnswer(err error) bool {
	var notTLS tls.RecordHeaderError
	var alert *net.OpError
	return errors.As(err, &notTLS) || errors.As(err, &alert) && alert.Op == "remote error"
}
