package sqlite_test

import (
	"os"
	"testing"

	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// TestSpoiledWhileOpen cuts and overwrites a file between two writes, of which
// SQLite itself, which writes to the -wal file, would know nothing.
func TestSpoiledWhileOpen(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"emptied":     {func(path string) error { return os.Truncate(path, 0) }, "no longer that of a store"},
		"overwritten": {func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) }, "no longer that of a store"},
		"cut":         {func(path string) error { return os.Truncate(path, 3*4096) }, "made shorter"},
	} {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			made(t, path, damagedBatches)
			store := openAt(t, path)
			writeBatches(t, store, damagedBatches+1, damagedBatches+2)
			if err := test.spoil(path); err != nil {
				t.Fatal(err)
			}
			wantError(t, store.Write(t.Context(), batch(damagedBatches+3)), true, test.says)
			closed(t, store)
			store, err := sqlite.Open(t.Context(), path, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if files := damagedFiles(t, path); len(files) != 1 {
				t.Errorf("set aside: %v, expected one", files)
			}
			writeBatches(t, store, 1, 3)
			if last := lastBatch(t, store); last != 3 {
				t.Errorf("%d batches, expected 3", last)
			}
			closed(t, store)
		})
	}
}
