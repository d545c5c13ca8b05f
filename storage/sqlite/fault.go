package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/caddy-proxypool/proxypool/pool"
)

// errDamaged is what the error of a damaged file wraps. It is one of those on
// which the store must be opened again.
var errDamaged error = reopenError{errors.New("the file is damaged")}

// reopenError makes of an error one on which the store must be opened again.
type reopenError struct{ error }

func (e reopenError) Unwrap() error      { return e.error }
func (reopenError) Is(target error) bool { return target == pool.ErrReopen }

// leftUndone reports whether the file cannot be read before somebody who may
// write has undone what a process left half done: it ended while the file was
// made.
func leftUndone(err error) bool {
	var fault *driver.Error
	return errors.As(err, &fault) && fault.Code() == codes.SQLITE_READONLY_ROLLBACK
}

// explain says of an error what to do about it, and which are damage.
func explain(err error) error {
	var fault *driver.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sql.ErrConnDone):
		return reopenError{err}
	case !errors.As(err, &fault):
		return withAdvice(err)
	}
	switch fault.Code() & 0xff {
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", errDamaged, err)
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fmt.Errorf("another program has locked the file: end its transaction, or that program: %w", err)
	case codes.SQLITE_FULL:
		return fmt.Errorf("the disk is full: make room on it: %w", err)
	case codes.SQLITE_READONLY, codes.SQLITE_PERM:
		return fmt.Errorf("the file cannot be written to: let the user that Caddy runs as write to it and to its directory: %w", err)
	case codes.SQLITE_CANTOPEN:
		return fmt.Errorf("a file cannot be opened: let the user that Caddy runs as write to the directory: %w", err)
	case codes.SQLITE_ERROR, codes.SQLITE_MISUSE:
		return reopenError{fmt.Errorf("the file is not as this program made it: if it stays so, move it away, and a new one is begun: %w", err)}
	case codes.SQLITE_IOERR:
		return fmt.Errorf("the disk cannot be read or written: make sure that it works and is not full: %w", err)
	default:
		return err
	}
}

// withAdvice says what to do about an error of the file system.
func withAdvice(err error) error {
	var advice string
	switch {
	case errors.Is(err, syscall.EROFS):
		advice = "it is mounted read-only: mount it for writing, or give the store another path"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "the disk is full: make room on it"
	case errors.Is(err, syscall.ENOTDIR):
		advice = "a file is where a directory should be: remove it, or give the store another path"
	case errors.Is(err, fs.ErrPermission):
		advice = "let the user that Caddy runs as write there, or give the store another path"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}
