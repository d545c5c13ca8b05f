package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// What the books may cost and how large they may be.
const (
	booksRate   = 0.93 // requests per second, to those without books
	booksPerRow = 200  // bytes on the disk
	booksAnswer = 50 * time.Millisecond
)

// booksWork is what the clients do while the books are kept, with and without.
var booksWork = workload{name: "64 clients", clients: 64, target: booksRate}

// store is what the status tells of the books.
type store struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Dropped int64  `json:"dropped"`
}

func (s store) String() string {
	if s.OK {
		return "ok"
	}
	return s.Error
}

func (c *caddyProcess) store(ctx context.Context) (store, error) {
	var status struct {
		Store store `json:"store"`
	}
	err := c.getJSON(ctx, "/proxy_pool/status", &status)
	return status.Store, err
}

// books measures what it costs to keep the books in a file, how that file grows,
// and how long its answers take once it is large.
func (r *rig) books(ctx context.Context) error {
	if r.plain {
		fmt.Printf("Caddy without the module keeps no books.\n\n")
		return nil
	}
	return r.onItsHalf(ctx, "books", r.measureBooks)
}

func (r *rig) measureBooks(ctx context.Context) error {
	if inMemory, err := isMemory(r.dir); err != nil {
		return err
	} else if inMemory {
		fmt.Printf("The temporary directory is in memory: these are not the figures of a disk. Set TMPDIR to a directory on one.\n\n")
	}
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	if err := r.booksThroughput(ctx, p); err != nil {
		return err
	}
	rows := int64(1_000_000)
	if r.short {
		rows = 100_000
	}
	if err := r.growth(ctx, p, rows); err != nil {
		return err
	}
	return r.month(ctx, p, rows)
}

func (r *rig) booksThroughput(ctx context.Context, p *peers) (err error) {
	one := site{pool: r.poolOf("https://"+p.Origin+checkPath, p.Proxy), body: "proxy_pool https://" + p.Origin + "\n"}
	with := func(options string) site {
		s := one
		s.options = options
		return s
	}
	list := []*variant{
		{name: "`storage memory`", site: one},
		{name: "`storage sqlite`", site: with("storage sqlite books.db\n")},
		{name: "`storage sqlite`, `usage_log on`", site: with("storage sqlite books.db\nusage_log on\n")},
	}
	for _, v := range list {
		if v.caddy, err = r.startCaddy(ctx, r.caddy, v.site); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		defer v.caddy.stop()
		v.runs = make(map[string][]measurement)
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	// A window has several of what comes in bursts: batches that are written, and
	// checkpoints.
	rounds := 5
	t := meter{warmUp: time.Second, window: 4 * time.Second, ours: []int{os.Getpid(), p.pid()}}
	if r.short {
		rounds, t.warmUp, t.window = 3, 300*time.Millisecond, 1500*time.Millisecond
	}
	t.repeats = rounds * len(list) / 2
	for round := range rounds {
		progress("books: round %d of %d", round+1, rounds)
		for i := range list {
			// Each round begins with another one.
			v := list[(i+round)%len(list)]
			m, err := t.measure(ctx, v.caddy.pid(), booksWork.on(v.caddy))
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			v.runs[booksWork.name] = append(v.runs[booksWork.name], m)
		}
	}
	fmt.Printf("The work of the throughput part, with the books in memory and in a file on the disk. Medians of %d interleaved rounds of %v; ratios are medians of those to the first in the same round. Other programs took %.0f %% of the machine.\n\n",
		rounds, t.window, 100*median(t.foreign))
	return printBooks(ctx, list)
}

// printBooks judges the last of the list against the first.
func printBooks(ctx context.Context, list []*variant) error {
	t := table{header: []string{booksWork.name, "requests/s", "ratio", "p50", "p99", "p99 ratio", "CPU µs", "CPU ratio", "failed", "rows dropped", "store"}}
	base := list[0].runs[booksWork.name]
	for i, v := range list {
		runs := v.runs[booksWork.name]
		s, err := v.caddy.store(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		rate := ratioOf(runs, base, perSecond)
		ratio, dropped := fmt.Sprintf("%.3f", rate), fmt.Sprint(s.Dropped)
		if i == len(list)-1 {
			ratio = against(ratio, rate >= booksWork.target, fmt.Sprintf("≥ %.2f", booksWork.target))
			dropped = against(dropped, s.Dropped == 0, "0")
		}
		failed := 0
		for _, run := range runs {
			failed += run.failed
		}
		t.add(v.name, fmt.Sprintf("%.0f", medianOf(runs, perSecond)), ratio, ms(time.Duration(medianOf(runs, p50))), ms(time.Duration(medianOf(runs, p99))),
			fmt.Sprintf("%.2f", ratioOf(runs, base, p99)), fmt.Sprintf("%.1f", medianOf(runs, cpu)/1e3), fmt.Sprintf("%.2f", ratioOf(runs, base, cpu)), failed, dropped, s)
	}
	t.write(os.Stdout)
	var each []string
	last := list[len(list)-1]
	for i, run := range last.runs[booksWork.name] {
		each = append(each, fmt.Sprintf("%.3f", run.perSecond/base[i].perSecond))
	}
	fmt.Printf("The ratio of %s in each round: %s.\n\n", last.name, strings.Join(each, ", "))
	return nil
}
