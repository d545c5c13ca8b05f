package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// TestCommandExit: a script can tell by the exit code what there is.
func TestCommandExit(t *testing.T) {
	p := start(t, setup{Pools: "storage memory\npool main {\nhealth_check off\nproxy P1 http://127.0.0.1:1\n}", Site: "respond ok"})
	steps := []struct {
		args, address, out, errors string
		code                       int
	}{
		{"status", p.Admin, "1 proxy: 1 healthy", "", 0},
		{"status --json", p.Admin, `{"summary":{"total":1`, "", 0},
		{"disable P1", p.Admin, "disabled", "", 0},
		{"status", p.Admin, "Pool main has no usable proxy", "", 2},
		{"status --json", p.Admin, `"disabled":1`, "", 2},
		{"active", p.Admin, "No proxy can be handed out", "", 2},
		{"disable Nope", p.Admin, "", "Error: asking Caddy at " + p.Admin + `: pool "main" has no proxy "Nope"` + "\n", 1},
		{"status", "127.0.0.1:1", "", "connection refused (does it run? --address or --config say where)\n", 1},
		{"nonsense", p.Admin, "", "Error: unknown command", 1},
	}
	for _, step := range steps {
		t.Run(step.args, func(t *testing.T) {
			var out, said bytes.Buffer
			cmd := exec.Command(p.Cmd.Path, append(append([]string{"proxy-pool"}, strings.Fields(step.args)...), "--address", step.address)...)
			cmd.Env, cmd.Stdout, cmd.Stderr = p.Cmd.Env, &out, &said
			err := cmd.Run()
			if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
				t.Fatal(err)
			}
			if cmd.ProcessState.ExitCode() != step.code || !strings.Contains(out.String(), step.out) || !strings.Contains(said.String(), step.errors) ||
				(step.errors == "") != (said.Len() == 0) || strings.Contains(said.String(), "Usage:") || strings.Contains(out.String(), "\x1b") {
				t.Errorf("ended with %d, want %d\n%s\n%s", cmd.ProcessState.ExitCode(), step.code, out.String(), said.String())
			}
		})
	}
}

// TestCommandIntoHead: whoever reads no further ends the command without a word,
// as with other programs, also where it shows the status again and again.
func TestCommandIntoHead(t *testing.T) {
	var pools strings.Builder
	pools.WriteString("storage memory\npool main {\nhealth_check off\n")
	for i := range 2000 { // more than a pipe holds
		fmt.Fprintf(&pools, "proxy P%d http://127.0.0.1:1\n", i)
	}
	p := start(t, setup{Pools: pools.String() + "}", Site: "respond ok"})
	for _, args := range []string{"status", "status --json", "status --watch=100ms", "status --watch=100ms --json"} {
		t.Run(args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, p.Cmd.Path, append(append([]string{"proxy-pool"}, strings.Fields(args)...), "--address", p.Admin)...)
			var said bytes.Buffer
			cmd.Env, cmd.Stderr = p.Cmd.Env, &said
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err == nil {
				_, err = out.Read(make([]byte, 100))
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = out.Close()
			_ = cmd.Wait()
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGPIPE || said.Len() > 0 {
				t.Errorf("ended with %v: %s", cmd.ProcessState, said.String())
			}
		})
	}
}

// TestWatchOnATerminal: the status is drawn in place, outlives a restart of
// Caddy, and Ctrl-C gives the terminal back as it was.
func TestWatchOnATerminal(t *testing.T) {
	pools := setup{Pools: "storage memory\npool main {\nhealth_check off\nproxy A-proxy-with-a-long-name http://127.0.0.1:1\n}", Site: "respond ok"}
	p := start(t, pools)
	terminal := openTerminal(t, 40, 12)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Cmd.Path, "proxy-pool", "status", "--watch=200ms", "--address", p.Admin)
	cmd.Env = slices.Concat(p.Cmd.Env, []string{"TERM=xterm"})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.file, terminal.file, terminal.file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows := func(what, text string) {
		t.Helper()
		if !caddytest.ComesTrue(20*time.Second, func() bool { return strings.Contains(terminal.shown(), text) }) {
			t.Fatalf("it does not show %s, but %q", what, caddytest.Tail([]byte(terminal.shown()), 2000))
		}
		terminal.forget()
	}
	shows("the other screen", "\x1b[?1049h")
	shows("the status in colours, cut to the terminal", "\x1b[32mhealthy\x1b[0m")
	p.Stop()
	shows("that Caddy is lost", "Lost for ")
	again := exec.CommandContext(ctx, p.Cmd.Path, p.Cmd.Args[1:]...)
	again.Dir, again.Env = p.Cmd.Dir, p.Cmd.Env
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = again.Process.Kill()
		_ = again.Wait()
	}()
	shows("the status again", "every 200ms")
	if _, err := terminal.master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	shows("the first screen", "\x1b[?25h\x1b[?1049l")
}

// terminal is one that programs take for real.
type terminal struct {
	master, file *os.File
	mu           sync.Mutex
	text         bytes.Buffer
}

func openTerminal(t *testing.T, width, height uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{master: master, file: file}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			term.mu.Lock()
			term.text.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = file.Close() // the last user of it, so that the read ends
		<-ended
		_ = master.Close()
	})
	return term
}

func (t *terminal) shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func (t *terminal) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Reset()
}
