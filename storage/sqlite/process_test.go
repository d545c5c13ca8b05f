//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary is also a process of its own that uses a store. It says what
// it does, line by line, and ends when its input does.
const (
	childPath = "PROXY_POOL_TEST_PATH"
	childFrom = "PROXY_POOL_TEST_FROM"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		os.Exit(child(path))
	}
	code := m.Run()
	removeMillion()
	os.Exit(code)
}

// child opens a store and writes batches for ever, unless it is to write none.
func child(path string) int {
	store, err := openStore(path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	from, err := strconv.ParseInt(os.Getenv(childFrom), 10, 64)
	if err != nil {
		_, _ = os.Stdin.Read(make([]byte, 1))
		return 0 // without closing
	}
	for id := from; ; id++ {
		if err := store.Write(context.Background(), batch(id)); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(id)
	}
}

// process is a child that was started.
type process struct {
	*exec.Cmd
	lines *bufio.Scanner
}

// startChild starts one, which opens the store before this returns.
func startChild(t *testing.T, path, from string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path, childFrom+"="+from)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // stays open as long as this process
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	if line := p.line(); line != "open" {
		t.Fatalf("the other process says %q", line)
	}
	return p
}

func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill() {
	if p.ProcessState == nil {
		_ = p.Process.Kill()
		for p.lines.Scan() {
		}
		_ = p.Wait()
	}
}

func TestTwoProcesses(t *testing.T) {
	path := dbPath(t)
	other := startChild(t, path, "")
	begin := time.Now()
	refused(t, path, fmt.Sprintf("another process uses it (pid %d)", other.Process.Pid), "a path of its own")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("refused after %s", took)
	}
	other.kill()
	made(t, path, 3)
}

// TestKill kills a process that writes, at moments that are not its choice. Each
// batch whose writing had returned is there afterwards, and no part of one.
func TestKill(t *testing.T) {
	rounds := 10
	if n, err := strconv.Atoi(os.Getenv("PROXY_POOL_TEST_KILLS")); err == nil {
		rounds = n
	}
	path := dbPath(t)
	var last int64
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range rounds {
		writer := startChild(t, path, fmt.Sprint(last+1))
		written := last
		deadline := time.Now().Add(time.Duration(random.IntN(150)) * time.Millisecond)
		timer := time.AfterFunc(time.Until(deadline), func() { _ = writer.Process.Kill() })
		for writer.lines.Scan() {
			id, err := strconv.ParseInt(writer.lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the other process says %q", writer.lines.Text())
			}
			written = id
		}
		timer.Stop()
		writer.kill()

		store := openAt(t, path)
		if last = lastBatch(t, store); last < written || last > written+1 {
			t.Errorf("%d batches, expected the %d that were written, and at most one more", last, written)
		}
		closed(t, store)
	}
	if files := damagedFiles(t, path); len(files) != 0 {
		t.Errorf("set aside: %v", files)
	}
	t.Logf("%d batches in %d rounds", last, rounds)
}

// TestKillAtBirth kills a process while it makes its file.
func TestKillAtBirth(t *testing.T) {
	for i := range 15 {
		path := filepath.Join(t.TempDir(), "proxy_pool.db")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childPath+"="+path, childFrom+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(i)*4*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the other process ended with %v", err)
		}
		store := openAt(t, path)
		last := lastBatch(t, store)
		writeBatches(t, store, last+1, last+1)
		closed(t, store)
	}
}
