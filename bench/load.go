package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// outcome is how a request ended.
type outcome uint8

const (
	good     outcome = iota // 200 and the whole body
	refused                 // another status
	broken                  // the answer began and did not end
	cutOff                  // the connection ended before an answer
	timedOut                // no whole answer within the client's time
	outcomes
)

// sample is one request.
type sample struct {
	start, end time.Time
	stood      time.Time // when its connection stood; zero where it did not, or had stood before
	outcome    outcome
	status     int
}

func (s sample) took() time.Duration { return s.end.Sub(s.start) }

// load is a number of clients, each with one connection and one request at a time.
type load struct {
	addr    string
	path    string // loadPath where empty
	clients int
	limit   int64         // how many requests in all; 0 = until the context ends
	post    int           // size of a POST's body; 0 sends GET
	ids     bool          // number the requests with idHeader
	timeout time.Duration // for one request; 0 sets one for the whole run
	retry   bool          // repeat once on a new connection what was lost on a standing one before any answer
	fresh   bool          // a new connection for each request
	dial    dialFunc      // opens a connection; nil dials addr

	begun   atomic.Int64 // counted where there is a limit
	retried atomic.Int64
	lastID  atomic.Int64
}

// dialFunc opens a connection until the deadline, zero being none, and tells when it
// stood, even where it was lost again before it could be used.
type dialFunc func(deadline time.Time) (conn net.Conn, stood time.Time, err error)

// run sends requests until the context ends, or the limit is reached, and
// returns all that began in it.
func (l *load) run(ctx context.Context) []sample {
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		all []sample
	)
	for range l.clients {
		wg.Go(func() {
			samples := l.client(ctx)
			mu.Lock()
			all = append(all, samples...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return all
}

func (l *load) client(ctx context.Context) []sample {
	c := connection{load: l}
	defer c.close()
	samples := make([]sample, 0, 1<<14)
	request := l.request(nil)
	if deadline, ok := ctx.Deadline(); ok {
		c.deadline = deadline.Add(5 * time.Second)
	}
	for now := time.Now(); ctx.Err() == nil && l.may(); {
		if l.ids {
			request = l.request(request[:0])
		}
		s := sample{start: now}
		c.stood = time.Time{}
		s.status, s.outcome = c.do(request)
		s.end, s.stood = time.Now(), c.stood
		now = s.end
		samples = append(samples, s)
		if l.fresh {
			c.close()
			now = time.Now()
		}
		if s.outcome != good && s.took() < time.Millisecond {
			time.Sleep(time.Millisecond) // do not spin where everything is refused
			now = time.Now()
		}
	}
	return samples
}

// may reports whether there is one more request to send.
func (l *load) may() bool { return l.limit == 0 || l.begun.Add(1) <= l.limit }

func (l *load) request(buf []byte) []byte {
	method := http.MethodGet
	if l.post > 0 {
		method = http.MethodPost
	}
	buf = fmt.Appendf(buf, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: application/json\r\n", method, cmp.Or(l.path, loadPath), l.addr)
	if l.ids {
		buf = append(buf, idHeader+": "...)
		buf = strconv.AppendInt(buf, l.lastID.Add(1), 10)
		buf = append(buf, "\r\n"...)
	}
	if l.post > 0 {
		buf = fmt.Appendf(buf, "Content-Type: text/plain\r\nContent-Length: %d\r\n", l.post)
	}
	buf = append(buf, "\r\n"...)
	return append(buf, bytes.Repeat([]byte{'y'}, l.post)...)
}

// connection is a client's.
type connection struct {
	load     *load
	deadline time.Time
	stood    time.Time // when conn did
	conn     net.Conn
	br       *bufio.Reader
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *connection) do(request []byte) (int, outcome) {
	standing := c.conn != nil
	status, result := c.once(request)
	if result == cutOff && standing && c.load.retry {
		c.load.retried.Add(1)
		status, result = c.once(request)
	}
	return status, result
}

func (c *connection) once(request []byte) (int, outcome) {
	deadline := c.deadline
	if c.load.timeout > 0 {
		deadline = time.Now().Add(c.load.timeout)
	}
	if c.conn == nil {
		if err := c.open(deadline); err != nil {
			if no, is := errors.AsType[refusal](err); is {
				return int(no), refused
			}
			return 0, ended(err, cutOff)
		}
	} else if c.load.timeout > 0 {
		_ = c.conn.SetDeadline(deadline)
	}
	if _, err := c.conn.Write(request); err != nil {
		c.close()
		return 0, ended(err, cutOff)
	}
	line, err := c.br.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		c.close()
		return 0, ended(err, cutOff)
	}
	status, _ := strconv.Atoi(string(line[9:12]))
	body, err := readHead(c.br, nil)
	if err == nil {
		err = body.drop(c.br)
	}
	if err != nil {
		c.close()
		return status, ended(err, broken)
	}
	if body.close {
		c.close()
	}
	if status != http.StatusOK || body.length != int64(len(answerBody)) && !body.chunked {
		return status, refused
	}
	return status, good
}

func (c *connection) open(deadline time.Time) (err error) {
	var conn net.Conn
	if c.load.dial != nil {
		conn, c.stood, err = c.load.dial(deadline)
	} else if conn, err = net.DialTimeout("tcp", c.load.addr, 5*time.Second); err == nil {
		c.stood = time.Now()
		_ = conn.SetDeadline(deadline)
	}
	if err != nil {
		return err
	}
	c.conn, c.br = conn, bufio.NewReader(conn)
	return nil
}

func ended(err error, otherwise outcome) outcome {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return timedOut
	}
	return otherwise
}
