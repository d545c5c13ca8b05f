package main

import (
	"context"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// throughput measures on one half of the processors.
func (r *rig) throughput(ctx context.Context) error {
	return r.onItsHalf(ctx, "throughput", r.measureThroughput)
}

// onItsHalf moves a part to a process on its half of the processors, where they
// are to be divided, and measures there.
func (r *rig) onItsHalf(ctx context.Context, part string, measure func(context.Context) error) error {
	if r.caddyCPUs == 0 && r.pin {
		all, err := allowedCPUs()
		if err != nil {
			return err
		}
		if bits.OnesCount64(uint64(all)) > 1 {
			return r.moveTo(ctx, part, all)
		}
	}
	return measure(ctx)
}

// cpusVariable tells that process which processors there are.
const cpusVariable = "BENCH_CPUS"

func (r *rig) moveTo(ctx context.Context, part string, all cpuSet) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	caddys, others := divide(all)
	fmt.Printf("%d of the processors for Caddy, %d for all else.\n\n", bits.OnesCount64(uint64(caddys)), bits.OnesCount64(uint64(others)))
	cmd := exec.CommandContext(ctx, self, "-only", part, "-caddy", r.caddy, fmt.Sprintf("-short=%t", r.short), fmt.Sprintf("-plain=%t", r.plain), "-points", r.points)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%x", cpusVariable, uint64(all)))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := startOn(cmd, others); err != nil {
		return err
	}
	return cmd.Wait()
}

// inheritCPUs takes the word of cpusVariable.
func (r *rig) inheritCPUs(word string) error {
	all, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		return fmt.Errorf("reading %s: %w", cpusVariable, err)
	}
	r.caddyCPUs, _ = divide(cpuSet(all))
	return nil
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

func totalCPUs() int {
	if all, err := strconv.ParseUint(os.Getenv(cpusVariable), 16, 64); err == nil {
		return bits.OnesCount64(all)
	}
	return runtime.NumCPU()
}
