package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	driver "modernc.org/sqlite"

	"github.com/caddy-proxypool/proxypool/pool"
)

// kept are the suffixes of the files that are there as long as a store is open.
var kept = []string{"", "-wal", "-shm"}

// statFiles looks at the files of an open store.
func statFiles(path string) ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, len(kept))
	for i, suffix := range kept {
		info, err := os.Stat(path + suffix)
		if err != nil {
			return nil, err
		}
		infos[i] = info
	}
	return infos, nil
}

// moved reports whether one of the files was removed, renamed or replaced. What
// is written then would go where nobody finds it.
func (s *Store) moved() error {
	for i, suffix := range kept {
		err := s.stranger(i)
		if err != nil {
			return fmt.Errorf("the file %s was %w while it was in use: %w", s.path+suffix, err, pool.ErrReopen)
		}
	}
	return nil
}

var (
	errRemoved  = errors.New("removed or renamed")
	errReplaced = errors.New("replaced")
)

// stranger reports whether a file is not the one that was opened. One that
// cannot be looked at is taken for it, because the reason is somewhere else.
func (s *Store) stranger(i int) error {
	now, err := os.Stat(s.path + kept[i])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errRemoved
	case err == nil && !os.SameFile(now, s.files[i]):
		return errReplaced
	default:
		return nil
	}
}

// keepStrangers makes SQLite leave the -wal and -shm files where they are when
// it closes, if one is not ours: it would remove those of another store that was
// put in the place of this one.
func (s *Store) keepStrangers() error {
	if s.stranger(1) == nil && s.stranger(2) == nil {
		return nil
	}
	return s.conn.Raw(func(conn any) error {
		_, err := conn.(driver.FileControl).FileControlPersistWAL("main", 1)
		return err
	})
}

// removeOrphan renames a -wal file of ours that is still there although the file
// it belongs to is not: SQLite would take it for that of the next.
func (s *Store) removeOrphan() error {
	if s.stranger(0) == nil || s.stranger(1) != nil {
		return nil
	}
	name := s.path + "-wal"
	return os.Rename(name, fmt.Sprintf("%s.left-%s", name, time.Now().UTC().Format("20060102T150405.000Z")))
}
