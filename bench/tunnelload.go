package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// refusal is another status than 200 in answer to a CONNECT.
type refusal int

func (r refusal) Error() string { return "CONNECT was answered with " + strconv.Itoa(int(r)) }

// passage is how a client with HTTPS_PROXY set reaches a target: CONNECT at the
// proxy, and in the tunnel TLS or nothing more.
type passage struct {
	proxy, target string
	tls           *tls.Config // nil: none
}

// dial is a dialFunc. The connection stands when the client is told 200.
func (p passage) dial(deadline time.Time) (net.Conn, time.Time, error) {
	var stood time.Time
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.Dial("tcp", p.proxy)
	if err != nil {
		return nil, stood, err
	}
	_ = conn.SetDeadline(deadline)
	if err := connect(conn, p.target); err != nil {
		_ = conn.Close()
		return nil, stood, err
	}
	stood = time.Now()
	if p.tls == nil {
		return conn, stood, nil
	}
	secure := tls.Client(conn, p.tls)
	if err := secure.Handshake(); err != nil {
		_ = conn.Close()
		return nil, stood, err
	}
	return secure, stood, nil
}

// connect asks for a tunnel to a target that waits for the client to speak.
func connect(conn net.Conn, target string) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target); err != nil {
		return err
	}
	br := bufio.NewReaderSize(conn, 1<<10)
	line, err := br.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading the answer to CONNECT: %w", err)
	}
	if len(line) < 12 {
		return fmt.Errorf("reading the answer to CONNECT: %q is no status line", line)
	}
	if status, _ := strconv.Atoi(string(line[9:12])); status != 200 {
		return refusal(status)
	}
	if _, err := readHead(br, nil); err != nil {
		return fmt.Errorf("reading the answer to CONNECT: %w", err)
	}
	if br.Buffered() > 0 {
		return errors.New("the tunnel speaks first")
	}
	return nil
}

// clientTLS trusts the authority in the rig's directory and resumes nothing:
// each handshake is a whole one.
func (r *rig) clientTLS() (*tls.Config, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, nil
}

// bulk moves bytes one way through some tunnels to endTarget, as fast as they go.
// Each chunk is a sample.
type bulk struct {
	proxy   string
	tunnels int
	upload  bool
}

const chunk = 256 << 10

func (b *bulk) run(ctx context.Context) []sample {
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		all []sample
	)
	for range b.tunnels {
		wg.Go(func() {
			samples := b.move(ctx)
			mu.Lock()
			all = append(all, samples...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return all
}

func (b *bulk) move(ctx context.Context) (samples []sample) {
	deadline, _ := ctx.Deadline()
	began := time.Now()
	conn, _, err := passage{proxy: b.proxy, target: endTarget}.dial(deadline.Add(time.Second))
	if err != nil {
		return []sample{{start: began, end: time.Now(), outcome: cutOff}}
	}
	defer conn.Close()
	buf := make([]byte, chunk)
	buf[0] = endSource
	if b.upload {
		buf[0] = endSink
	}
	_, err = conn.Write(buf[:1])
	for now := time.Now(); err == nil && ctx.Err() == nil; {
		s := sample{start: now}
		if b.upload {
			_, err = conn.Write(buf)
		} else {
			_, err = io.ReadFull(conn, buf)
		}
		if err != nil {
			s.outcome = broken
		}
		s.end = time.Now()
		now = s.end
		samples = append(samples, s)
	}
	return samples
}
