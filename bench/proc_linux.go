package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// cpuSet is a bit for each of the first 64 processors.
type cpuSet uint64

func allowedCPUs() (cpuSet, error) {
	var mask [16]uint64
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return 0, fmt.Errorf("asking for the processors: %w", errno)
	}
	return cpuSet(mask[0]), nil
}

// pinThread binds the calling thread, and what it starts, to the processors.
func pinThread(set cpuSet) error {
	mask := [16]uint64{uint64(set)}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); errno != 0 {
		return fmt.Errorf("choosing processors: %w", errno)
	}
	return nil
}

// startOn starts the command on the given processors, or on all where set is 0.
func startOn(cmd *exec.Cmd, set cpuSet) error {
	if set == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := allowedCPUs()
	if err != nil {
		return err
	}
	if err := pinThread(set); err != nil {
		return err
	}
	err = cmd.Start()
	return errors.Join(err, pinThread(own))
}

// clockTick is the unit of the times in /proc/<pid>/stat, USER_HZ, which is
// 100 wherever Go runs on Linux.
const clockTick = 10 * time.Millisecond

// cpuTime is how long the process has run, in user and kernel mode.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may contain spaces.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const utime, stime = 11, 12
	var total time.Duration
	for _, i := range []int{utime, stime} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time: %w", err)
		}
		total += time.Duration(ticks) * clockTick
	}
	return total, nil
}

// machineTime is how long all processors together were busy with programs, or
// taken away by other machines.
func machineTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	const user, nice, system, steal = 1, 2, 3, 8
	var total time.Duration
	for _, i := range []int{user, nice, system, steal} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the machine's processor time: %w", err)
		}
		total += time.Duration(ticks) * clockTick
	}
	return total, nil
}

// residentBytes is the process's resident memory, and the part of it that no
// file backs.
func residentBytes(pid int) (all, anonymous int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			all = kib << 10
		case "RssAnon":
			anonymous = kib << 10
		}
	}
	return all, anonymous, nil
}

// openFiles is how many file descriptors the process has.
func openFiles(pid int) (int, error) {
	entries, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return len(entries), err
}

// mayOpen raises the number of files that this process and those that it starts
// may open, as far as it is allowed to, and returns what it is then.
func mayOpen(files uint64) (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("asking how many files may be open: %w", err)
	}
	if limit.Cur >= files {
		return limit.Cur, nil
	}
	more := syscall.Rlimit{Cur: files, Max: max(files, limit.Max)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
		return files, nil
	}
	more = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more); err != nil {
		return limit.Cur, nil //nolint:nilerr // then it stays as it is
	}
	return limit.Max, nil
}

// isMemory tells whether a directory is in memory, not on a disk.
func isMemory(dir string) (bool, error) {
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return false, fmt.Errorf("looking at the file system of %q: %w", dir, err)
	}
	return fs.Type == tmpfs, nil
}

// fullListener is a socket that listens and whose backlog is full.
type fullListener struct {
	fd      int
	fillers []net.Conn
}

// listenFull listens where connecting then takes for ever.
func listenFull(addr string) (io.Closer, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	l := &fullListener{fd: fd}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}),
		syscall.Listen(fd, 0),
	)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listening without accepting: %w", err)
	}
	for range 8 {
		conn, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if err != nil {
			return l, nil //nolint:nilerr // that nobody can connect is what is wanted
		}
		l.fillers = append(l.fillers, conn)
	}
	_ = l.Close()
	return nil, errors.New("the backlog does not fill up")
}

func (l *fullListener) Close() error {
	for _, conn := range l.fillers {
		_ = conn.Close()
	}
	return syscall.Close(l.fd)
}
