package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// watch looks at what SQLite does not look at while it writes to the -wal file:
// the file itself, most of which it has in memory. Damage there would be found
// much later, and what was written until then would be lost with it.
type watch struct {
	file *os.File // nil before the first look
	size int64    // after our last write
}

// spoiled reports whether somebody else has cut or overwritten the file.
func (w *watch) spoiled(path string) error {
	if w.file == nil {
		// It stays open as long as the store: closing any file would take away
		// the locks that SQLite has on it.
		file, err := os.Open(path) //nolint:gosec // the path is the admin's
		if err != nil {
			return err
		}
		w.file = file
	}
	header := make([]byte, headerSize)
	n, err := w.file.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	info, err := w.file.Stat()
	switch {
	case err != nil:
		return err
	case !soundHeader(header[:n]):
		return fmt.Errorf("its header is no longer that of a store: %w", errDamaged)
	case info.Size() < w.size:
		// Whether it lacks anything shows when it is checked.
		return reopenError{errors.New("it was made shorter while it was in use")}
	}
	return nil
}

// wrote notes how large the file is after a write of ours.
func (w *watch) wrote() {
	if w.file == nil {
		return
	}
	if info, err := w.file.Stat(); err == nil {
		w.size = info.Size()
	}
}

// end must come after SQLite has closed the file.
func (w *watch) end() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
