package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// bareRelay is what the forward front is measured against: the least that a
// CONNECT proxy in Go which goes through another one has to do. One upstream, no
// choice, no count, no limit. It runs in a process of its own, as Caddy does.
type bareRelay struct {
	Addr string

	child
}

// serveRelay is the program of that process.
func serveRelay(upstream string) error {
	ln, err := listenRelay(upstream)
	if err != nil {
		return err
	}
	defer ln.Close()
	return announce(bareRelay{Addr: ln.Addr().String()})
}

// startRelay starts that process where Caddy runs.
func (r *rig) startRelay(upstream string) (*bareRelay, error) {
	relay := &bareRelay{}
	var err error
	if relay.child, err = startSelf(r.caddyCPUs, relay, "-relay", upstream); err != nil {
		return nil, fmt.Errorf("starting the bare relay: %w", err)
	}
	return relay, nil
}

// listenRelay relays in the background until the listener is closed.
func listenRelay(upstream string) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the bare relay: %w", err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go relay(conn.(*net.TCPConn), upstream)
		}
	}()
	return ln, nil
}

func relay(client *net.TCPConn, upstream string) {
	defer client.Close()
	fromClient := bufio.NewReader(client)
	req, err := http.ReadRequest(fromClient)
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	proxy, fromProxy, status := connectThrough(upstream, req)
	if proxy != nil {
		defer proxy.Close()
	}
	if status != http.StatusOK {
		_, _ = fmt.Fprintf(client, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status))
		return
	}
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var upload sync.WaitGroup
	upload.Go(func() { pour(proxy, client, fromClient) })
	pour(client, proxy, fromProxy)
	upload.Wait()
}

// connectThrough asks the upstream proxy for the same tunnel. Where that cannot
// be asked the status is 502.
func connectThrough(upstream string, req *http.Request) (proxy *net.TCPConn, fromProxy *bufio.Reader, status int) {
	conn, err := net.DialTimeout("tcp", upstream, 5*time.Second)
	if err != nil {
		return nil, nil, http.StatusBadGateway
	}
	proxy, fromProxy = conn.(*net.TCPConn), bufio.NewReader(conn)
	if _, err := fmt.Fprintf(proxy, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", req.Host); err != nil {
		return proxy, fromProxy, http.StatusBadGateway
	}
	resp, err := http.ReadResponse(fromProxy, req) //nolint:bodyclose // what follows is the tunnel, or of no interest
	if err != nil {
		return proxy, fromProxy, http.StatusBadGateway
	}
	return proxy, fromProxy, resp.StatusCode
}

// pour copies what was read ahead and then the connection itself, which the
// kernel can do alone, and passes the end on.
func pour(to, from *net.TCPConn, ahead *bufio.Reader) {
	if _, err := io.CopyN(to, ahead, int64(ahead.Buffered())); err == nil {
		_, _ = io.Copy(to, from)
	}
	_ = to.CloseWrite()
}
