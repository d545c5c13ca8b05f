package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// openIdle opens tunnels until there are that many or one fails, and returns
// those that stand.
func openIdle(ctx context.Context, proxy string, want int) (tunnels []net.Conn, err error) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	// next reports whether one more is to be opened; asked tells of those before.
	asked := 0
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return err == nil && asked <= want && ctx.Err() == nil
	}
	for range loadClients {
		wg.Go(func() {
			for next() {
				conn, failed := openOne(proxy)
				mu.Lock()
				if conn != nil {
					tunnels = append(tunnels, conn)
				}
				if failed != nil && err == nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return tunnels, err
}

// openOne opens a tunnel in which a kilobyte has gone both ways.
func openOne(proxy string) (net.Conn, error) {
	conn, _, err := passage{proxy: proxy, target: endTarget}.dial(time.Now().Add(clientTimeout))
	if err != nil {
		return nil, err
	}
	if err := bounce(conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("using a new tunnel: %w", err)
	}
	return conn, nil
}

// bounce sends a kilobyte to endEcho and expects it back.
func bounce(conn net.Conn) error {
	sent := bytes.Repeat([]byte{endEcho}, 1<<10)
	_ = conn.SetDeadline(time.Now().Add(clientTimeout))
	if _, err := conn.Write(sent); err != nil {
		return err
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errors.New("what came back is something else")
	}
	return nil
}
