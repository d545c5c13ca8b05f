package upstream

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// server is a proxy that somebody else wrote, with what it needs beside it.
type server struct {
	t    testing.TB
	dir  string // of its files
	addr string
	cmd  *exec.Cmd
	done chan struct{}       // closed when it has ended
	user *syscall.Credential // that it runs as; nil is ours

	behind []*server // that it passes all on to

	// command makes the files for a password, and says how the server is started.
	command func(password string) []string
}

// newServer makes a directory for a server. Some give up root when they start, and
// must find their files all the same.
func newServer(t testing.TB) *server {
	t.Helper()
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o777 | os.ModeSticky} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return &server{t: t, dir: dir, addr: caddytest.FreeAddr(t)}
}

// asNobody is for servers that give up root when they start: as nobody from the
// beginning, they can be dealt with by others who are nobody.
func (s *server) asNobody() {
	if os.Getuid() == 0 {
		s.user = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
}

// file writes a file of the server and returns its path.
func (s *server) file(name, text string) (path string) {
	s.t.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// start starts the server and waits until it listens. It ends with the test.
func (s *server) start(password string) {
	s.t.Helper()
	command := s.command(password)
	logFile, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		s.t.Fatal(err)
	}
	defer logFile.Close()
	_ = logFile.Chmod(0o666) // some open it again
	first := s.cmd == nil
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, logFile, logFile
	cmd.Env = append(caddytest.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	// In a group of its own it is not interrupted with the tests, and does not outlive
	// them all the same. No thread that starts one ends before the process does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.user, Pdeathsig: syscall.SIGKILL}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.cmd, s.done = cmd, done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	if first {
		s.t.Cleanup(func() {
			s.kill()
			if s.t.Failed() {
				s.t.Logf("%s said:\n%s", filepath.Base(command[0]), caddytest.Tail(s.said(), 1<<10))
			}
		})
	}
	if !caddytest.ComesTrue(20*time.Second, func() bool { return s.ended() || s.listens() }) || s.ended() {
		s.t.Fatalf("%v does not start:\n%s", command, caddytest.Tail(s.said(), 4<<10))
	}
}

func (s *server) said() []byte {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return bytes.ToValidUTF8(text, nil)
}

func (s *server) listens() bool {
	conn, err := net.Dial("tcp", s.addr)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// signal sends a signal to the server and the processes that it has started.
func (s *server) signal(signal syscall.Signal) {
	_ = syscall.Kill(-s.cmd.Process.Pid, signal)
}

// stop ends the server as an admin does; it may finish what it has begun.
func (s *server) stop() {
	_ = syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		s.t.Errorf("the server did not stop: %v", s.cmd.Args)
	}
	s.kill()
}

// kill ends the server as the kernel does, with all its processes. Those that it
// has started are then this process's, who buries them.
func (s *server) kill() {
	pids := s.pids()
	s.signal(syscall.SIGKILL)
	<-s.done
	for _, pid := range pids {
		if pid != s.cmd.Process.Pid {
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// starve lets the server open nothing more, whatever it closes: the limit is on
// the number of a descriptor.
func (s *server) starve() {
	s.t.Helper()
	for _, pid := range s.pids() {
		s.limit(pid, "3")
	}
}

// feed ends it.
func (s *server) feed() {
	s.t.Helper()
	for _, pid := range s.pids() {
		s.limit(pid, "1024")
	}
}

// limit does it as the server's own user, which needs no right to do it to others.
func (s *server) limit(pid int, files string) {
	s.t.Helper()
	cmd := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--nofile="+files+":")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	if out, err := cmd.CombinedOutput(); err != nil && syscall.Kill(pid, 0) == nil {
		s.t.Errorf("limiting files: %v: %s", err, out)
	}
}

// pids are the processes of the server: the one that was started and all that
// are in its group.
func (s *server) pids() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if group, err := syscall.Getpgid(pid); err == nil && group == s.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}
