package soak

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// tunnel opens a tunnel, and asks a few things in it. Once it stands, whatever
// breaks it is the client's to bear.
func (c *client) tunnel(o *outcome, p *caddytest.Process) {
	conn, err := net.DialTimeout("tcp", p.Front, patience)
	if err != nil {
		o.err = err
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	target := c.world.secure.Addr()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		o.err = err
		return
	}
	if o.status = resp.StatusCode; o.status != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		o.err = fmt.Errorf("%s: %s", resp.Status, text)
		return
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: proxytest.CAPool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	br = bufio.NewReader(secure)
	for n := range 1 + c.rng.IntN(4) {
		if o.err = c.inTunnel(secure, br, fmt.Sprintf("%s-%d", o.id, n)); o.err != nil {
			return
		}
	}
	_ = secure.Close()
}

// inTunnel sends a request once, come what may.
func (c *client) inTunnel(conn net.Conn, br *bufio.Reader, id string) error {
	body := textOf(id, smallBody)
	_, err := fmt.Fprintf(conn, "POST /echo/%s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
		id, c.world.secure.Addr(), proxytest.RequestIDHeader, id, len(body), body)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(resp.Body)
	if err == nil && string(got) != body {
		err = &wrongAnswer{fmt.Sprintf("%d bytes in place of %d: %.60q", len(got), len(body), got)}
	}
	return err
}

// upgrade echoes over a connection that became something else.
func (c *client) upgrade(o *outcome, p *caddytest.Process) {
	addr := strings.TrimPrefix(p.URL, "http://")
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		o.err = err
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	o.path = "/" + o.front + "/up/" + o.id
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n%s: %s\r\n\r\n",
		o.path, addr, proxytest.RequestIDHeader, o.id)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		o.err = err
		return
	}
	if o.status = resp.StatusCode; o.status != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		o.err = fmt.Errorf("%s: %s", resp.Status, text)
		return
	}
	for n := range 1 + c.rng.IntN(4) {
		text := textOf(fmt.Sprint(o.id, n), 5_000)
		if _, o.err = io.WriteString(conn, text); o.err != nil {
			return
		}
		got := make([]byte, len(text))
		if _, o.err = io.ReadFull(br, got); o.err != nil {
			return
		}
		if string(got) != text {
			o.err = &wrongAnswer{fmt.Sprintf("%.60q", got)}
			return
		}
	}
}
