package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// suffixes are those of the files that SQLite keeps beside a file.
var suffixes = []string{"", "-wal", "-shm", "-journal"}

// maxChecked is the size up to which a file is checked as a whole when it is
// opened. That takes about a tenth of a second.
const maxChecked = 4 << 20

// maxAside is how many damaged files are kept. A disk that goes on damaging them
// is not to be filled with them.
const maxAside = 16

// setAside renames a damaged file, and what SQLite keeps beside it, and returns
// the new name. What has that name already is kept.
func setAside(path string, now time.Time) (string, error) {
	if kept, err := filepath.Glob(path + ".damaged-*Z"); err == nil && len(kept) >= maxAside {
		return "", fmt.Errorf("%d damaged files are beside it already: make sure that the disk works, and move those away", len(kept))
	}
	base := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
	aside := base
	for n := 2; anyExists(aside); n++ {
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	for _, suffix := range suffixes {
		err := os.Rename(path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("setting the damaged file aside: %w", withAdvice(err))
		}
	}
	return aside, nil
}

func anyExists(path string) bool {
	for _, suffix := range suffixes {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// checkHeader looks at what SQLite itself takes on trust or takes for a property
// of the file, such as that it may not be written to. Where there is a -wal file,
// it may hold the real header, and SQLite decides.
func checkHeader(path string) error {
	wal, err := os.Stat(path + "-wal")
	walEmpty := err != nil || wal.Size() == 0
	header, size, err := readHeader(path)
	switch {
	case err != nil:
		return withAdvice(err)
	case size == 0 && !walEmpty:
		return fmt.Errorf("it is empty, although there is a -wal file: %w", errDamaged)
	case size > 0 && walEmpty && !soundHeader(header):
		return fmt.Errorf("its header is not that of a store: %w", errDamaged)
	case size > 0 && walEmpty && size%pageSize(header) != 0:
		return fmt.Errorf("its last page is cut short: %w", errDamaged)
	}
	return nil
}

// headerSize is what the header of a SQLite file takes.
const headerSize = 100

func readHeader(path string) (header []byte, size int64, err error) {
	f, err := os.Open(path) //nolint:gosec // the path is the admin's
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	header, err = io.ReadAll(io.LimitReader(f, headerSize))
	return header, info.Size(), err
}

// soundHeader checks the fields that are the same in all our files, by the
// description of SQLite's file format. What is some other SQLite file is not
// damaged.
func soundHeader(h []byte) bool {
	if len(h) < headerSize || !bytes.HasPrefix(h, []byte("SQLite format 3\x00")) {
		return false
	}
	page := pageSize(h)
	if page < 512 || page&(page-1) != 0 {
		return false
	}
	if binary.BigEndian.Uint32(h[68:]) != applicationID {
		return true // perhaps another program's
	}
	return h[18] >= 1 && h[18] <= 2 && h[19] == h[18] && // rollback journal or WAL
		h[21] == 64 && h[22] == 32 && h[23] == 32 && // fractions of a page
		binary.BigEndian.Uint32(h[44:]) <= 4 && // schema format
		binary.BigEndian.Uint32(h[56:]) <= 1 // UTF-8, or nothing in it yet
}

// pageSize is the size of the pages, as a header says.
func pageSize(h []byte) int64 {
	if size := int64(binary.BigEndian.Uint16(h[16:])); size != 1 {
		return size
	}
	return 1 << 16
}

// ends are what is looked at of each table in a large file: its root and its
// end, and those of its indexes. Each has three numbers.
var ends = []struct {
	since int // the version that has the table
	query string
}{
	{1, "SELECT max(id), (SELECT max(time) FROM log), (SELECT max(proxy_id) FROM log) FROM log"},
	{1, "SELECT max(route_id), (SELECT max(quarter) FROM usage), 0 FROM usage"},
	{1, "SELECT max(id), (SELECT max(time) FROM event), (SELECT max(proxy_id) FROM event) FROM event"},
	{1, "SELECT max(id), (SELECT max(time) FROM alert), 0 FROM alert"},
	{1, "SELECT max(id), (SELECT max(seen) FROM target), 0 FROM target"},
	{1, "SELECT max(proxy_id), (SELECT sum(length(pool) + length(name)) FROM proxy), (SELECT max(id) FROM route) FROM record"},
	{2, "SELECT max(rowid), (SELECT sum(length(name)) FROM note), 0 FROM note"},
}

// checkContent finds what damage it can in a short time: all of it in a small
// file, in a large one that of the roots of the tables and of their ends, which
// is where writing goes on. The file may be of an earlier version.
func checkContent(ctx context.Context, conn *sql.Conn, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() <= maxChecked {
		return checkAll(ctx, conn)
	}
	version, err := intPragma(ctx, conn, "user_version")
	if err != nil {
		return err
	}
	for _, end := range ends {
		if end.since > version {
			continue
		}
		var numbers [3]sql.NullInt64
		if err := conn.QueryRowContext(ctx, end.query).Scan(&numbers[0], &numbers[1], &numbers[2]); err != nil {
			return err
		}
	}
	return nil
}

func checkAll(ctx context.Context, conn *sql.Conn) error {
	var verdict string
	if err := conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	return nil
}
