//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// TestProxyModes holds each proxy to what its mode says, as a client that comes
// anew sees it and as one with a standing tunnel does.
func TestProxyModes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode           mode
		anew, standing string // a part of the error; "" for an answer, "timeout" for silence, "cut" for any other error
	}{
		{modeOK, "", ""},
		{modeRefuse, "connection refused", "cut"},
		{modeReset, "connection reset", "cut"},
		{mode407, "Proxy Authentication Required", "cut"},
		{mode502, "Bad Gateway", "cut"},
		{mode403, "Forbidden", "cut"},
		{modeGarbage, "does not look like a TLS handshake", "cut"},
		{modeHang, "timeout", "timeout"},
		{modeSilentTunnel, "timeout", "timeout"},
		{modeFullBacklog, "timeout", "timeout"},
		{modeBreakOff, "unexpected EOF", "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.mode.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := newAuthority(dir); err != nil {
				t.Fatal(err)
			}
			config, err := serverTLS(dir, "http/1.1")
			if err != nil {
				t.Fatal(err)
			}
			o, err := startOrigin(config, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer o.close()
			p, err := startProxy()
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			o.setCarrier(p.find)

			standing, anew := viaProxy(p), viaProxy(p)
			if err := ask(t, standing, o); err != nil {
				t.Fatalf("before it fails: %v", err)
			}
			if err := p.set(test.mode); err != nil {
				t.Fatal(err)
			}
			check(t, "a client with a standing tunnel", ask(t, standing, o), test.standing)
			check(t, "a new client", ask(t, anew, o), test.anew)

			if err := p.set(modeOK); err != nil {
				t.Fatal(err)
			}
			check(t, "a client after it came back", ask(t, viaProxy(p), o), "")
		})
	}
}

func viaProxy(p *proxy) *http.Client {
	return &http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.addr}),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

// ask sends a POST, which net/http does not repeat.
func ask(t *testing.T, client *http.Client, o *origin) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+o.addr()+loadPath, io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

func check(t *testing.T, who string, err error, want string) {
	t.Helper()
	var netErr net.Error
	silent := errors.As(err, &netErr) && netErr.Timeout()
	switch {
	case want == "" && err == nil:
	case want == "timeout" && silent:
	case want == "cut" && err != nil && !silent:
	case want != "" && err != nil && strings.Contains(err.Error(), want):
	default:
		t.Errorf("%s got %v, want %q", who, err, want)
	}
}

// TestLoadSeesFailures answers each request in another way, and expects the
// load to notice.
func TestLoadSeesFailures(t *testing.T) {
	t.Parallel()
	const okHead = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"
	tests := []struct {
		name, answer string
		want         outcome
	}{
		{"whole", okHead + string(answerBody), good},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n" + string(answerBody) + "\r\n0\r\n\r\n", good},
		{"another status", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", refused},
		{"a part of the body", okHead + string(answerBody[:200]), broken},
		{"a part of the head", "HTTP/1.1 200 OK\r\nContent-", broken},
		{"nothing", "", cutOff},
		{"silence", "silence", timedOut},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			done := make(chan struct{})
			defer close(done)
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				if test.answer == "silence" {
					<-done
				}
				_, _ = io.WriteString(conn, test.answer)
				_ = conn.Close()
			}()
			l := &load{addr: ln.Addr().String(), timeout: 200 * time.Millisecond}
			c := connection{load: l}
			defer c.close()
			if _, got := c.do(l.request(nil)); got != test.want {
				t.Errorf("got outcome %d, want %d", got, test.want)
			}
		})
	}
}

// TestOriginCountsDuplicates sends one POST twice and another once.
func TestOriginCountsDuplicates(t *testing.T) {
	o, err := startOrigin(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	l := &load{addr: o.addr(), post: 10, ids: true, timeout: time.Second}
	c := connection{load: l}
	defer c.close()
	first := l.request(nil)
	for _, request := range [][]byte{first, l.request(nil), first} {
		if _, got := c.do(request); got != good {
			t.Fatalf("got outcome %d", got)
		}
	}
	if got := o.duplicates(); got != 1 {
		t.Errorf("the origin saw %d POSTs twice, want 1", got)
	}
}

// TestJudge finds the longest gap, which may be the last, and counts.
func TestJudge(t *testing.T) {
	brokenAt := time.Now()
	at := func(start, end int, o outcome) sample {
		return sample{start: brokenAt.Add(time.Duration(start) * time.Millisecond), end: brokenAt.Add(time.Duration(end) * time.Millisecond), outcome: o, status: 502}
	}
	v := judge([]sample{at(-50, -10, good), at(-5, 400, good), at(400, 450, refused), at(500, 700, good), at(440, 800, cutOff)}, brokenAt, brokenAt.Add(450*time.Millisecond))
	if v.gap != 400*time.Millisecond || v.failed != 2 || v.slowestAfter != 200*time.Millisecond || v.kinds != "(1 × 502, 1 cut off)" {
		t.Errorf("got %+v", v)
	}
	if v = judge([]sample{at(0, 100, good), at(100, 900, timedOut)}, brokenAt, time.Time{}); v.gap != 800*time.Millisecond || v.kinds != "(1 timed out)" {
		t.Errorf("at the end: got %+v, want a gap of 800ms and one that timed out", v)
	}
}

// TestProcessFigures asks for those of this process.
func TestProcessFigures(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil { // uses the processor
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("100 ms of work counted as %v", after-before)
	}
	if all, anonymous, err := residentBytes(os.Getpid()); err != nil || anonymous < 1<<20 || all < anonymous {
		t.Errorf("resident: %d, anonymous: %d, error: %v", all, anonymous, err)
	}
	if n, err := openFiles(os.Getpid()); err != nil || n < 3 {
		t.Errorf("%d files, error: %v", n, err)
	}
}

func TestDivide(t *testing.T) {
	for _, test := range []struct{ all, first, second cpuSet }{{0b11, 0b01, 0b10}, {0b10110, 0b00010, 0b10100}, {0b1111, 0b0011, 0b1100}} {
		if first, second := divide(test.all); first != test.first || second != test.second {
			t.Errorf("divide(%b) = %b, %b, want %b, %b", test.all, first, second, test.first, test.second)
		}
	}
}
