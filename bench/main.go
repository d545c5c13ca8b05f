// Command bench measures Caddy with this module from outside: it starts
// origins, proxies and Caddy on loopback, sends requests, breaks proxies, and
// prints what it saw as Markdown, beside Caddy's own reverse_proxy on the same
// work.
//
//	go run ./bench -caddy .build/caddy [-only throughput,failover,...] [-short]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// rig is what all parts share.
type rig struct {
	caddy     string // the binary
	dir       string // certificates, and a directory for each Caddy
	short     bool
	plain     bool
	points    string // file for what is plotted
	modes     []string
	pin       bool
	caddyCPUs cpuSet // 0: any
}

// parts in the order in which they run.
var parts = []struct {
	name string
	run  func(*rig, context.Context) error
}{
	{"throughput", (*rig).throughput},
	{"failover", (*rig).failover},
	{"rivals", (*rig).rivals},
	{"scale", (*rig).scale},
	{"return", (*rig).comeBack},
	{"reload", (*rig).reload},
	{"books", (*rig).books},
	{"alerts", (*rig).alerts},
	{"tunnels", (*rig).tunnels},
	{"dashboards", (*rig).pages},
	{"memory", (*rig).memory},
	{"checks", (*rig).checks},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = part.name
	}
	r := &rig{}
	only := flag.String("only", strings.Join(names, ","), "the parts to run")
	modes := flag.String("modes", "", "failover, tunnels: only proxies that fail in ways whose names contain one of these words")
	flag.BoolVar(&r.pin, "pin", true, "throughput, books, tunnels: give Caddy one half of the processors and all else the other")
	serve := flag.String("serve", "", "for the program itself: serve with the certificates in this directory")
	upstream := flag.String("relay", "", "for the program itself: relay CONNECT to this proxy")
	flag.StringVar(&r.points, "points", "", "rivals, scale: append what is plotted to this file, a line of JSON for each point")
	flag.StringVar(&r.caddy, "caddy", ".build/caddy", "Caddy with this module")
	flag.BoolVar(&r.short, "short", false, "fewer and shorter rounds: a look, not a measurement")
	flag.BoolVar(&r.plain, "plain", false, "Caddy without the module in place of the module: shows what the rig sees where nothing fails over")
	flag.Parse()
	if *serve != "" {
		return servePeers(*serve)
	}
	if *upstream != "" {
		return serveRelay(*upstream)
	}
	r.modes = strings.FieldsFunc(*modes, func(c rune) bool { return c == ',' })
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no part %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if word := os.Getenv(cpusVariable); word != "" {
		if err := r.inheritCPUs(word); err != nil {
			return err
		}
	}
	var err error
	if r.caddy, err = filepath.Abs(r.caddy); err != nil {
		return err
	}
	if r.dir, err = os.MkdirTemp("", "proxypool-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	if err := newAuthority(r.dir); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()

	if r.caddyCPUs != 0 {
		return parts[slices.Index(names, chosen[0])].run(r, ctx)
	}
	return r.runParts(ctx, chosen)
}

func (r *rig) runParts(ctx context.Context, chosen []string) error {
	began := time.Now()
	fmt.Printf("%s, %s/%s, %d processors, %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), began.UTC().Format(time.DateOnly))
	var failed []error
	for _, part := range parts {
		if !slices.Contains(chosen, part.name) || ctx.Err() != nil {
			continue
		}
		fmt.Printf("## %s\n\n", strings.ToUpper(part.name[:1])+part.name[1:])
		if err := part.run(r, ctx); err != nil {
			fmt.Printf("Not measured: %v\n\n", err)
			failed = append(failed, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	fmt.Printf("Took %v.\n", time.Since(began).Round(time.Second))
	return errors.Join(append(failed, ctx.Err())...)
}

// wait pauses, and tells whether there is still time.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func warn(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "  "+format+"\n", args...)
}
