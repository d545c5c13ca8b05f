package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// weight is what a process holds.
type weight struct {
	resident   int64
	inUse      int64 // heap and stacks, right after a garbage collection
	files      int
	goroutines int
}

// idler is a front that gets idle tunnels.
type idler struct {
	name  string
	addr  string
	pid   int
	want  int
	caddy *caddyProcess // nil: nobody to ask for goroutines and a garbage collection
}

func (i idler) weight(ctx context.Context) (w weight, err error) {
	if w.resident, _, err = residentBytes(i.pid); err != nil {
		return w, err
	}
	if w.files, err = openFiles(i.pid); err != nil || i.caddy == nil {
		return w, err
	}
	w.goroutines, err = i.caddy.goroutines(ctx)
	return w, err
}

// collected is the weight some time after a garbage collection.
func (i idler) collected(ctx context.Context) (w weight, err error) {
	if i.caddy == nil {
		return i.weight(ctx)
	}
	inUse, err := i.caddy.collect(ctx)
	if err != nil {
		return w, err
	}
	// What was freed goes back to the system bit by bit.
	if err := wait(ctx, 3*time.Second); err != nil {
		return w, err
	}
	w, err = i.weight(ctx)
	w.inUse = inUse
	return w, err
}

// collect runs a garbage collection and returns the bytes in heap and stacks.
func (c *caddyProcess) collect(ctx context.Context) (inUse int64, err error) {
	text, err := c.get(ctx, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	return readInUse(string(text))
}

// readInUse reads a heap profile as text.
func readInUse(profile string) (inUse int64, err error) {
	found := 0
	for line := range strings.Lines(profile) {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "# "), " = ")
		if name != "HeapAlloc" && name != "Stack" {
			continue
		}
		var n int64
		if _, err := fmt.Sscan(value, &n); err != nil {
			return 0, fmt.Errorf("reading %s of the heap profile: %w", name, err)
		}
		inUse += n
		found++
	}
	if found != 2 {
		return 0, fmt.Errorf("reading the heap profile: %d of two figures are there", found)
	}
	return inUse, nil
}
