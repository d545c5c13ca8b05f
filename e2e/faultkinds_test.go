package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// lockFile locks the file as another program does in a transaction.
func lockFile(t *testing.T, w *world) (end func()) {
	t.Helper()
	db := w.openFile("mode=rw")
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
	}
	if err != nil {
		t.Fatalf("locking the file: %v", err)
	}
	return func() {
		_ = conn.Close()
		_ = db.Close()
	}
}

func directoryInPlace(t *testing.T, w *world) (end func()) {
	t.Helper()
	if err := os.MkdirAll(w.file, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() { w.must(os.Remove(w.file)) }
}

// moveAndDirectory moves the files away and puts a directory in their place.
func moveAndDirectory(t *testing.T, w *world) (end func()) {
	t.Helper()
	w.rename(w.file, w.file+".moved")
	w.must(os.Mkdir(w.file, 0o700))
	return func() {
		w.must(os.Remove(w.file))
		w.rename(w.file+".moved", w.file)
	}
}

// rename renames the file and what SQLite keeps beside it.
func (w *world) rename(from, to string) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
}

// newerVersion makes the file that of a program of the future.
func newerVersion(t *testing.T, w *world) (end func()) {
	t.Helper()
	set := func(sql string) {
		db := w.openFile("mode=rw")
		_, err := db.Exec(sql)
		w.must(err)
		w.must(db.Close())
	}
	var version int
	db := w.openFile("mode=rw")
	w.must(db.QueryRow("PRAGMA user_version").Scan(&version))
	w.must(db.Close())
	set("PRAGMA user_version = 1000")
	return func() { set(fmt.Sprintf("PRAGMA user_version = %d", version)) }
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
