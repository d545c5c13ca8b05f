package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// refused opens what cannot be opened, which must not take long.
func refused(t *testing.T, path string, words ...string) {
	t.Helper()
	begin := time.Now()
	store, err := sqlite.Open(t.Context(), path, func(message string) { t.Errorf("notice: %s", message) })
	if err == nil {
		closed(t, store)
		t.Fatal("opened, expected an error")
	}
	wantError(t, err, false, append(words, "opening store", path)...)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("refused after %s", took)
	}
}

func TestNoPlaceForFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	mustWrite(t, file, []byte("x"))
	refused(t, dir, "a directory is in its place")
	refused(t, filepath.Join(file, "proxy_pool.db"), "a file is where a directory should be")
	refused(t, filepath.Join(file, "deeper", "proxy_pool.db"), "a file is where a directory should be")
	refused(t, os.DevNull, "is no file")
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "deep")
	path := filepath.Join(dir, "proxy_pool.db")
	store := openAt(t, path)
	defer closed(t, store)
	writeBatches(t, store, 1, 1)
	for name, want := range map[string]os.FileMode{
		dir: 0o700 | os.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has the mode %s, expected %s", name, info.Mode(), want)
		}
	}
}

// TestPaths opens files with names that mean something in URLs, and through a
// symbolic link.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "100%25.db", "پروکسی.db", "a&b=c;d.db"} {
		path := filepath.Join(dir, name)
		made(t, path, 2)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		store := openAt(t, path)
		if n := lastBatch(t, store); n != 2 {
			t.Errorf("%s: %d batches, expected 2", name, n)
		}
		closed(t, store)
	}
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(filepath.Join(dir, "a b.db"), link); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	store := openAt(t, link)
	defer closed(t, store)
	writeBatches(t, store, 3, 3)
	refused(t, filepath.Join(dir, "a b.db"), "has it open already")
}

// TestOtherPrograms opens SQLite files that are not ours.
func TestOtherPrograms(t *testing.T) {
	path := dbPath(t)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE letters (to_whom TEXT)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	raw := mustRead(t, path)
	refused(t, path, "belongs to another program")
	if !bytes.Equal(mustRead(t, path), raw) {
		t.Error("the file was changed")
	}
}

// TestLockedFile has another program in a transaction, as a shell would be.
func TestLockedFile(t *testing.T) {
	path := dbPath(t)
	store := openAt(t, path)
	defer closed(t, store)
	writeBatches(t, store, 1, 2)

	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shell, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	run := func(statement string) {
		t.Helper()
		if _, err := shell.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("BEGIN EXCLUSIVE")
	begin := time.Now()
	wantError(t, store.Write(t.Context(), batch(3)), false, "writing to store", "another program has locked the file")
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("failed after %s", took)
	}
	if n := lastBatch(t, store); n != 2 {
		t.Errorf("%d batches while the file is locked, expected 2", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin = time.Now()
	wantError(t, store.Write(ctx, batch(3)), false, context.DeadlineExceeded.Error())
	if took := time.Since(begin); took > 900*time.Millisecond {
		t.Errorf("gave up after %s, expected the context's end", took)
	}
	run("ROLLBACK")
	writeBatches(t, store, 3, 4)
	if n := lastBatch(t, store); n != 4 {
		t.Errorf("%d batches, expected 4", n)
	}
}

// TestLockedNewFile has another program in a file that is yet to become a store.
func TestLockedNewFile(t *testing.T) {
	path := dbPath(t)
	mustWrite(t, path, nil)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shell, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shell.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "another program has locked the file")
	shell.Close()
	db.Close()
	made(t, path, 1)
}
