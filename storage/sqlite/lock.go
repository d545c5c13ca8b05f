package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// takeLock takes a file for this process alone. SQLite would let several write
// to it, but each of them would write its own counters in place of the others'.
// The lock is a file beside it that stays behind, and is free when its holder
// ends, however that ends.
func takeLock(path string) (*flock.Flock, error) {
	if info, err := os.Lstat(path + ".lock"); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("taking its lock: %s.lock is not a file: remove it, or give the store another path", path)
	}
	lock := flock.New(path+".lock", flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("taking its lock: %w", withAdvice(err))
	}
	if !free {
		return nil, inUse(lock.Path())
	}
	// Only for the message to others, so that it may fail.
	_ = os.WriteFile(lock.Path(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return lock, nil
}

// inUse says who holds the lock.
func inUse(lockPath string) error {
	const advice = "stop that one, or give this one a path of its own"
	raw, err := os.ReadFile(lockPath) //nolint:gosec // the path is the admin's
	pid, notPID := strconv.Atoi(strings.TrimSpace(string(raw)))
	switch {
	case err != nil || notPID != nil || pid <= 0:
		return errors.New("another process uses it: " + advice)
	case pid == os.Getpid():
		return errors.New("this process has it open already")
	default:
		return fmt.Errorf("another process uses it (pid %d): %s", pid, advice)
	}
}
