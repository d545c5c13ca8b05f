package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// growthPath has 40 characters.
const growthPath = "/v1/accounts/000123456789/messages/00042"

// growth logs requests the real way, weighs the file, and asks for what is in
// it.
func (r *rig) growth(ctx context.Context, p *peers, requests int64) error {
	c, err := r.startCaddy(ctx, r.caddy, site{
		pool: r.inTurn(p), options: "storage sqlite books.db\nusage_log on\n", body: "proxy_pool https://" + p.Origin + "\n",
	})
	if err != nil {
		return err
	}
	defer c.stop()
	file := filepath.Join(c.dir, "books.db")
	emptyFile, emptyWAL, err := weigh(file)
	if err != nil {
		return err
	}
	progress("books: logging %s requests", thousands(requests))
	began := time.Now()
	l := load{addr: c.front, path: growthPath, clients: booksWork.clients, limit: requests, timeout: clientTimeout}
	v := judge(l.run(ctx), began, time.Time{})
	took := time.Since(began)
	kept, err := c.store(ctx)
	if err != nil {
		return err
	}
	rows, err := c.logged(ctx, requests-kept.Dropped)
	if err != nil {
		return err
	}
	fileBytes, walBytes, err := weigh(file)
	if err != nil {
		return err
	}
	calls := callsSince(began)
	idle, err := c.timeCalls(ctx, calls)
	if err != nil {
		return err
	}
	c.stop()
	stopped, _, err := weigh(file)
	if err != nil {
		return err
	}

	perRow := func(bytes int64) float64 { return float64(bytes-emptyFile-emptyWAL) / float64(max(rows, 1)) }
	failed := v.failed + v.brokenOff
	t := table{header: []string{fmt.Sprintf("%s requests by %d clients, paths of %d characters", thousands(requests), l.clients, len(growthPath)), ""}}
	t.add("requests/s", fmt.Sprintf("%.0f", float64(requests)/took.Seconds()))
	t.add("failed", against(strings.TrimSpace(fmt.Sprint(failed, " ", v.kinds)), failed == 0, "0"))
	t.add("rows in the log", against(thousands(rows), rows == requests, thousands(requests)))
	t.add("rows dropped", against(fmt.Sprint(kept.Dropped), kept.Dropped == 0, "0"))
	t.add("the file, and the -wal file beside it", mib(fileBytes)+", "+mib(walBytes))
	t.add("bytes for a row, both", against(fmt.Sprintf("%.1f", perRow(fileBytes+walBytes)), perRow(fileBytes+walBytes) < booksPerRow, fmt.Sprintf("< %d", booksPerRow)))
	t.add("bytes for a row, once Caddy has ended", fmt.Sprintf("%.1f", perRow(stopped)))
	t.write(os.Stdout)
	fmt.Printf("The answers of the admin endpoint from that file, %d of each.\n\n", timesAsked)
	printTimings(rows, calls, idle, nil)
	return nil
}

// inTurn is a pool whose proxies take turns, so that all come up in the books.
func (r *rig) inTurn(p *peers) string {
	var b strings.Builder
	b.WriteString("pool {\n\torder round_robin\n")
	for i, addr := range p.Proxies {
		fmt.Fprintf(&b, "\tproxy %s http://%s\n", proxyName(i), addr)
	}
	fmt.Fprintf(&b, "\ttls_trust_pool file %s\n\thealth_check {\n\t\turl https://%s%s\n\t}\n}\n", filepath.Join(r.dir, "ca.pem"), p.Origin, checkPath)
	return b.String()
}

func proxyName(i int) string { return fmt.Sprintf("Proxy-%d", i+1) }

// logged is how many rows the usage log has, by the newest ID. It waits some
// seconds until it has as many as it should.
func (c *caddyProcess) logged(ctx context.Context, expected int64) (rows int64, err error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		var newest struct {
			Rows []struct {
				ID int64 `json:"id"`
			} `json:"rows"`
		}
		if err := c.getJSON(ctx, "/proxy_pool/log?limit=1", &newest); err != nil {
			return 0, err
		}
		if len(newest.Rows) > 0 {
			rows = newest.Rows[0].ID
		}
		if rows >= expected || time.Now().After(deadline) {
			return rows, nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return rows, err
		}
	}
}

// weigh is how large the file of a store is, and the -wal file beside it.
func weigh(path string) (file, wal int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	file = info.Size()
	switch info, err := os.Stat(path + "-wal"); {
	case err == nil:
		return file, info.Size(), nil
	case errors.Is(err, fs.ErrNotExist):
		return file, 0, nil
	default:
		return 0, 0, err
	}
}
