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
	"math/bits"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
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
	modes     []string
	caddyCPUs cpuSet // 0: any
}

// parts in the order in which they run.
var parts = []struct {
	name string
	run  func(*rig, context.Context) error
}{
	{"throughput", (*rig).throughput},
	{"failover", (*rig).failover},
	{"return", (*rig).comeBack},
	{"reload", (*rig).reload},
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
	modes := flag.String("modes", "", "failover: only proxies that fail in ways whose names contain one of these words")
	pin := flag.Bool("pin", true, "give Caddy one half of the processors and all else the other")
	serve := flag.String("serve", "", "for the program itself: serve with the certificates in this directory")
	flag.StringVar(&r.caddy, "caddy", ".build/caddy", "Caddy with this module")
	flag.BoolVar(&r.short, "short", false, "fewer and shorter rounds: a look, not a measurement")
	flag.BoolVar(&r.plain, "plain", false, "Caddy without the module in place of the module: shows what the rig sees where nothing fails over")
	flag.Parse()
	if *serve != "" {
		return servePeers(*serve)
	}
	r.modes = strings.FieldsFunc(*modes, func(c rune) bool { return c == ',' })
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no part %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if err := r.choosePlace(*pin); err != nil {
		return err
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
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()

	began := time.Now()
	fmt.Printf("%s, %s/%s, %d processors%s, %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, totalCPUs(), r.place(), began.UTC().Format(time.DateOnly))
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

// The program starts itself again to move to its half of the processors, and
// leaves word here of which there were.
const cpusVariable = "BENCH_CPUS"

// choosePlace divides the processors between Caddy and all else.
func (r *rig) choosePlace(pin bool) error {
	if word := os.Getenv(cpusVariable); word != "" {
		all, err := strconv.ParseUint(word, 16, 64)
		r.caddyCPUs, _ = divide(cpuSet(all))
		return err
	}
	all, err := allowedCPUs()
	if err != nil {
		return err
	}
	if !pin || bits.OnesCount64(uint64(all)) < 2 {
		return nil
	}
	_, others := divide(all)
	return restartOn(others, append(os.Environ(), fmt.Sprintf("%s=%x", cpusVariable, uint64(all))))
}

// divide gives the lower half of the processors to the first.
func divide(all cpuSet) (first, second cpuSet) {
	half := bits.OnesCount64(uint64(all)) / 2
	for i := range 64 {
		if bit := all & (1 << i); bit != 0 {
			if bits.OnesCount64(uint64(first)) < half {
				first |= bit
			} else {
				second |= bit
			}
		}
	}
	return first, second
}

func (r *rig) place() string {
	if r.caddyCPUs == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of them for Caddy alone)", bits.OnesCount64(uint64(r.caddyCPUs)))
}

func totalCPUs() int {
	if all, err := strconv.ParseUint(os.Getenv(cpusVariable), 16, 64); err == nil {
		return bits.OnesCount64(all)
	}
	return runtime.NumCPU()
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
