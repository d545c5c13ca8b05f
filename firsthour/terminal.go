package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is one that a program runs in: programs say other things to a file.
type terminal struct {
	ours    *os.File
	command *exec.Cmd
	ended   chan struct{} // all that was said is in said

	mu      sync.Mutex
	said    bytes.Buffer
	changed chan struct{} // something was said since it was looked at
}

// open starts a program in a terminal of its own. input is where it reads from;
// nil is the terminal.
func open(input *os.File, name string, args ...string) (*terminal, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, fmt.Errorf("opening a terminal: %w", err)
	}
	defer theirs.Close()
	t := &terminal{ours: ours, ended: make(chan struct{}), changed: make(chan struct{}, 1)}
	t.command = exec.CommandContext(context.Background(), name, args...) //nolint:gosec // ended by end; what a page shows is what is to be run
	t.command.Stdin, t.command.Stdout, t.command.Stderr = theirs, theirs, theirs
	if input != nil {
		t.command.Stdin = input
	}
	t.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := t.command.Start(); err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go t.listen()
	return t, nil
}

// pair is both ends of a new terminal, as wide as the tables that are shown.
func pair() (ours, theirs *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours = os.NewFile(uintptr(fd), "ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 129}))
	}
	if err == nil {
		theirs, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = ours.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

func (t *terminal) listen() {
	defer close(t.ended)
	piece := make([]byte, 4096)
	for {
		n, err := t.ours.Read(piece)
		t.mu.Lock()
		t.said.Write(piece[:n])
		t.mu.Unlock()
		select {
		case t.changed <- struct{}{}:
		default:
		}
		if err != nil { // as is usual when the program has ended
			return
		}
	}
}

// look is how a terminal makes text bold, or coloured.
var look = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// text is what the program said from some byte on.
func (t *terminal) text(from int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(look.ReplaceAllString(string(t.said.Bytes()[from:]), ""), "\r", "")
}

func (t *terminal) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.said.Len()
}

// await waits until what was said from some byte on is as wanted.
func (t *terminal) await(from int, patience time.Duration, wanted func(text string) bool) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !wanted(t.text(from)) {
		select {
		case <-t.changed:
		case <-t.ended:
			if wanted(t.text(from)) {
				return nil
			}
			return errors.New("the program ended")
		case <-deadline.C:
			return fmt.Errorf("waited for %v", patience)
		}
	}
	return nil
}

// end interrupts the program and all that it started, and waits for it.
func (t *terminal) end(patience time.Duration) error {
	_ = syscall.Kill(-t.command.Process.Pid, syscall.SIGINT)
	hurry := time.AfterFunc(patience, func() { _ = syscall.Kill(-t.command.Process.Pid, syscall.SIGKILL) })
	err := t.command.Wait()
	inTime := hurry.Stop()
	<-t.ended
	_ = t.ours.Close()
	if !inTime {
		return fmt.Errorf("did not end within %v", patience)
	}
	return err
}
