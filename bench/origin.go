package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// answerBody is what the origin answers to everything: 300 bytes of JSON.
var answerBody = func() []byte {
	body := []byte(`{"ok":true,"result":{"text":"`)
	const end = `"}}`
	body = append(body, bytes.Repeat([]byte{'x'}, 300-len(body)-len(end))...)
	return append(body, end...)
}()

const loadPath, checkPath = "/load", "/check"

// idHeader numbers the POSTs of a run, so that the origin sees which came twice.
const idHeader = "X-Bench-Id"

// origin is the API behind the proxies. It reads requests by hand, so that
// as little as possible of the machine goes to it.
type origin struct {
	delay   time.Duration
	ln      net.Listener
	handled atomic.Int64 // requests for checkPath

	// carriedBy holds a func(remote string) *tunnel that names the tunnel a
	// request came through by the address it comes from, where somebody asks.
	carriedBy atomic.Value

	mu   sync.Mutex
	seen map[int64]int // POSTs by their id
}

// startOrigin serves on a free port of 127.0.0.1; over TLS unless config is nil.
func startOrigin(config *tls.Config, delay time.Duration) (*origin, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the origin: %w", err)
	}
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	o := &origin{delay: delay, ln: ln, seen: make(map[int64]int)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go o.serve(conn)
		}
	}()
	return o, nil
}

// setCarrier has the origin tell proxies what they carried.
func (o *origin) setCarrier(carriedBy func(remote string) *tunnel) { o.carriedBy.Store(carriedBy) }

func (o *origin) addr() string { return o.ln.Addr().String() }

func (o *origin) close() { _ = o.ln.Close() }

// duplicates is how many POSTs arrived more than once.
func (o *origin) duplicates() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, times := range o.seen {
		if times > 1 {
			n++
		}
	}
	return n
}

func (o *origin) serve(conn net.Conn) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answerBody), answerBody)
	for {
		req, err := readRequest(br)
		if err != nil {
			return
		}
		if req.check {
			o.handled.Add(1)
		} else if o.delay > 0 {
			time.Sleep(o.delay)
		}
		if req.post && req.id > 0 {
			o.mu.Lock()
			o.seen[req.id]++
			o.mu.Unlock()
		}
		if t := o.tunnelOf(conn); t != nil && !req.check {
			t.proxy.carried()
			if t.proxy.currentMode() == modeBreakOff {
				breakOff(conn, answer, t)
				return
			}
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (o *origin) tunnelOf(conn net.Conn) *tunnel {
	carriedBy, ok := o.carriedBy.Load().(func(string) *tunnel)
	if !ok {
		return nil
	}
	return carriedBy(conn.RemoteAddr().String())
}

// breakOff sends an answer's head and a part of its body, gives both the time
// to arrive, and cuts the tunnel.
func breakOff(conn net.Conn, answer []byte, t *tunnel) {
	_, _ = conn.Write(answer[:len(answer)-100])
	time.Sleep(10 * time.Millisecond)
	t.cut(false)
}

// request is what the origin wants to know of one.
type request struct {
	post, check bool
	id          int64
}

// readRequest reads a request with its body, which it drops.
func readRequest(br *bufio.Reader) (req request, err error) {
	line, err := br.ReadSlice('\n')
	if err != nil {
		return req, err
	}
	req.post = bytes.HasPrefix(line, []byte("POST "))
	req.check = bytes.Contains(line, []byte(" "+checkPath))
	body, err := readHead(br, func(name, value []byte) {
		if asciiFold(name, idHeader) {
			req.id, _ = strconv.ParseInt(string(value), 10, 64)
		}
	})
	if err != nil {
		return req, err
	}
	return req, body.drop(br)
}

// bodyLength is how a message says where its body ends.
type bodyLength struct {
	length  int64
	chunked bool
	close   bool // the connection ends after the message
}

// readHead reads a message's fields up to the empty line; each may be nil.
func readHead(br *bufio.Reader, each func(name, value []byte)) (body bodyLength, err error) {
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return body, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			return body, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case asciiFold(name, "Content-Length"):
			if body.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return body, fmt.Errorf("reading Content-Length: %w", err)
			}
		case asciiFold(name, "Transfer-Encoding"):
			body.chunked = asciiFold(value, "chunked")
		case asciiFold(name, "Connection"):
			body.close = asciiFold(value, "close")
		case each != nil:
			each(name, value)
		}
	}
}

func (b bodyLength) drop(br *bufio.Reader) error {
	if !b.chunked {
		_, err := br.Discard(int(b.length))
		return err
	}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("reading a chunk's size: %w", err)
		}
		if _, err := br.Discard(int(size) + 2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// asciiFold is bytes.EqualFold without its care for other alphabets.
func asciiFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != s[i]|0x20 {
			return false
		}
	}
	return true
}

// startHTTPOrigin is the same API on net/http, to compare HTTP/1.1 with HTTP/2
// on one server.
func startHTTPOrigin(config *tls.Config) (addr string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening for the origin: %w", err)
	}
	server := &http.Server{
		TLSConfig: config,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(answerBody)))
			_, _ = w.Write(answerBody)
		}),
	}
	if len(config.NextProtos) == 1 && config.NextProtos[0] == "http/1.1" {
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
	}
	go func() {
		if err := server.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			warn("the net/http origin ended: %v", err)
		}
	}()
	return ln.Addr().String(), nil
}
