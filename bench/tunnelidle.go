package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// idleAim is what a tunnel in which nothing moves may hold of the memory.
const idleAim = 20 << 10

// Files that a process has beside its tunnels', at most, and those of a tunnel:
// two connections, and at the bare relay two pipes, which Go's copying holds
// while it waits.
const (
	otherFiles  = 500
	tunnelFiles = 2
	relayFiles  = 6
)

// idleTunnels opens thousands of tunnels, lets something through each, and weighs
// the front while nothing moves in them.
func (r *rig) idleTunnels(ctx context.Context) error {
	want := 10_000
	if r.short {
		want = 2_000
	}
	files, err := mayOpen(uint64(want*relayFiles + otherFiles))
	if err != nil {
		return err
	}
	spare := int(files) - otherFiles
	n := min(want, spare/tunnelFiles)
	if n < 1 {
		return fmt.Errorf("a process may open only %d files", files)
	}
	if n < want {
		fmt.Printf("A process may open no more than %d files here, so that there are %d idle tunnels, not %d.\n\n", files, n, want)
	}
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	relay, err := r.startRelay(p.Proxy)
	if err != nil {
		return err
	}
	defer relay.child.stop()
	idlers := []idler{{name: bare, addr: relay.Addr, pid: relay.pid(), want: min(n, spare/relayFiles)}}
	if !r.plain {
		c, err := r.startCaddy(ctx, r.caddy, forwardSite(r.poolOf("https://"+p.Origin+checkPath, p.Proxy)))
		if err != nil {
			return err
		}
		defer c.stop()
		idlers = append(idlers, idler{name: ourFront, addr: c.front, pid: c.pid(), want: n, caddy: c})
	}
	t := table{header: []string{"idle tunnels", "opened", "resident before", "more for each", "the same after a GC", "heap and stacks", "files", "goroutines", "of use afterwards"}}
	if err := wait(ctx, frontWarm); err != nil {
		return err
	}
	for _, i := range idlers {
		w, err := i.fill(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
		t.add(w.row(i)...)
	}
	t.write(os.Stdout)
	return nil
}

// filled is a front before and with its idle tunnels.
type filled struct {
	before, with, collected weight
	opened, alive           int
}

func (i idler) fill(ctx context.Context) (f filled, err error) {
	if f.before, err = i.collected(ctx); err != nil {
		return f, err
	}
	progress("tunnels: opening %d", i.want)
	tunnels, err := openIdle(ctx, i.addr, i.want)
	defer func() {
		for _, conn := range tunnels {
			_ = conn.Close()
		}
	}()
	if err != nil {
		return f, fmt.Errorf("opening tunnel %d of %d: %w", len(tunnels)+1, i.want, err)
	}
	f.opened = len(tunnels)
	if err := wait(ctx, 2*time.Second); err != nil {
		return f, err
	}
	if f.with, err = i.weight(ctx); err != nil {
		return f, err
	}
	if f.collected, err = i.collected(ctx); err != nil {
		return f, err
	}
	for _, conn := range tunnels {
		if bounce(conn) == nil {
			f.alive++
		}
	}
	return f, nil
}

func (f filled) row(i idler) []any {
	kib := func(bytes int64) string { return fmt.Sprintf("%.1f KiB", float64(bytes)/float64(f.opened)/(1<<10)) }
	each := func(count int) string { return fmt.Sprintf("%.1f", float64(count)/float64(f.opened)) }
	row := []any{
		i.name, f.opened, mib(f.before.resident), kib(f.with.resident - f.before.resident), "", "",
		each(f.with.files - f.before.files), "", fmt.Sprint(f.alive),
	}
	if i.caddy == nil {
		return row
	}
	judged := func(resident int64) string {
		more := resident - f.before.resident
		return against(kib(more), more <= idleAim*int64(f.opened), "≤ 20 KiB")
	}
	row[3], row[4] = judged(f.with.resident), judged(f.collected.resident)
	row[5], row[7] = kib(f.collected.inUse-f.before.inUse), each(f.with.goroutines-f.before.goroutines)
	row[8] = against(fmt.Sprint(f.alive), f.alive == f.opened, "all")
	return row
}
