package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
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
			return reopenError{fmt.Errorf("the file %s was %w while it was in use", s.path+suffix, err)}
		}
	}
	return nil
}

var (
	errRemoved  = errors.New("removed or renamed")
	errReplaced = errors.New("replaced")
)

// stranger reports how a file is not the one that was opened. One that cannot be
// looked at is taken for it: what is in the way of that will be in the way of
// writing too.
func (s *Store) stranger(i int) error {
	now, err := os.Stat(s.path + kept[i])
	if errors.Is(err, fs.ErrNotExist) {
		return errRemoved
	}
	if err == nil && !os.SameFile(now, s.files[i]) {
		return errReplaced
	}
	return nil
}

// leave leaves files that were moved. SQLite neither completes nor removes them,
// because it cannot know what is in their place now. What is in our -wal file is
// written to the file, wherever that is. No -wal file of ours stays where SQLite
// would take it for that of the next file: one that could not be emptied is
// renamed.
func (s *Store) leave(ctx context.Context) error {
	var errs []error
	if s.stranger(0) != nil {
		errs = append(errs, s.restartWAL(ctx))
	}
	errs = append(errs, s.disconnect())
	for i, suffix := range kept[1:] {
		if s.stranger(i+1) == nil {
			errs = append(errs, removeOrphan(s.path+suffix))
		}
	}
	return errors.Join(errs...)
}

func removeOrphan(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, "-wal") && info.Size() > 0 {
		return os.Rename(name, name+".left-"+time.Now().UTC().Format("20060102T150405.000Z"))
	}
	return os.Remove(name)
}
