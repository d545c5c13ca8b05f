package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// memory compares Caddys that do nothing: with five proxies, without them, and
// built without the module. Three of each run at once, and the median counts.
func (r *rig) memory(ctx context.Context) error {
	const each, settle = 3, 15 * time.Second
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	built, without, with := filepath.Join(r.dir, "caddy-built"), filepath.Join(r.dir, "caddy-without"), filepath.Join(r.dir, "caddy-with")
	build := exec.CommandContext(ctx, "go", "build", "-o", built, "github.com/caddyserver/caddy/v2/cmd/caddy")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building Caddy without the module: %w: %s", err, out)
	}
	// How much of a program's file counts as resident depends on how the file
	// was written, so that both are written in the same way.
	for _, file := range []struct{ from, to string }{{r.caddy, with}, {built, without}} {
		text, err := os.ReadFile(file.from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file.to, text, 0o700); err != nil {
			return err
		}
	}
	hello := site{body: "respond hello\n"}
	kinds := []struct {
		name   string
		binary string
		site   site
	}{
		{"Caddy built without the module", without, hello},
		{"Caddy with the module, not configured", with, hello},
		{"Caddy with five idle proxies", with, site{
			pool: r.poolOf("https://"+p.Origin+checkPath, p.Proxies...),
			body: "proxy_pool https://" + p.Origin + "\n",
		}},
	}
	if r.plain {
		kinds = kinds[:2]
	}
	running := make([][]*caddyProcess, len(kinds))
	for range each {
		for i, kind := range kinds {
			c, err := r.startCaddy(ctx, kind.binary, kind.site)
			if err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			defer c.stop()
			running[i] = append(running[i], c)
		}
	}
	progress("memory: waiting %v", settle)
	if err := wait(ctx, settle); err != nil {
		return err
	}
	t := table{header: []string{"idle", "resident", "of it anonymous", "more than the first"}}
	var first int64
	for i, kind := range kinds {
		var all, anonymous []int64
		for _, c := range running[i] {
			a, anon, err := residentBytes(c.pid())
			if err != nil {
				return err
			}
			all, anonymous = append(all, a), append(anonymous, anon)
		}
		resident := median(all)
		if i == 0 {
			first = resident
		}
		more := mib(resident - first)
		if i == 2 {
			more = against(more, resident-first <= 10<<20, "≤ 10 MiB")
		}
		t.add(kind.name, mib(resident), mib(median(anonymous)), more)
	}
	t.write(os.Stdout)
	return nil
}
