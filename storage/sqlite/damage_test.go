package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

const damagedBatches = 20

// openDamaged opens a file that may be damaged. It returns how many batches the
// store holds, and whether the file was set aside. One that is refused, because
// it seems to be another program's or a newer version's, is left as it is.
func openDamaged(t *testing.T, path string, raw []byte) (batches int64, aside bool, err error) {
	t.Helper()
	var notices []string
	store, err := sqlite.Open(t.Context(), path, func(message string) { notices = append(notices, message) })
	if err != nil {
		if !bytes.Equal(mustRead(t, path), raw) {
			t.Errorf("refused with %v, and changed", err)
		}
		return 0, false, err
	}
	if aside = len(notices) > 0; aside {
		keptAside(t, path, raw)
		if len(notices) != 1 || !strings.Contains(notices[0], damagedFiles(t, path)[0]) {
			t.Errorf("notices %q, expected one that names the file", notices)
		}
	}
	rows, err := store.Log(t.Context(), pool.LogQuery{Limit: 1 << 20})
	if err != nil {
		t.Errorf("reading the log of a file that was not found to be damaged: %v", err)
	}
	batches = int64(len(rows) / rowsPerBatch)
	writeBatches(t, store, damagedBatches+1, damagedBatches+1)
	closed(t, store)
	if n := len(damagedFiles(t, path)); n != len(notices) {
		t.Errorf("%d files were set aside with %d notices", n, len(notices))
	}
	return batches, aside, nil
}

func TestOverwrittenFile(t *testing.T) {
	path := dbPath(t)
	made(t, path, damagedBatches)
	sound := mustRead(t, path)
	outcomes := make(map[string]int)
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		raw := bytes.Clone(sound)
		// Half of them where the most depends on it.
		at := random.IntN(len(raw))
		if seed%2 == 0 {
			at = random.IntN(len(raw)/4096)*4096 + random.IntN(120)
		}
		end := min(at+1+random.IntN(64), len(raw))
		for i := at; i < end; i++ {
			raw[i] = byte(random.Uint32())
		}
		t.Run(fmt.Sprintf("%d to %d", at, end), func(t *testing.T) {
			path := dbPath(t)
			mustWrite(t, path, raw)
			batches, aside, err := openDamaged(t, path, raw)
			switch {
			case err != nil:
				outcomes["refused"]++
				wantError(t, err, false)
				if end <= 60 || at >= 72 {
					t.Errorf("refused with %v, although neither version nor program were overwritten", err)
				}
			case aside:
				outcomes["set aside"]++
				if batches != 0 {
					t.Errorf("%d batches in a new file", batches)
				}
			default:
				outcomes["used"]++
				if batches != damagedBatches {
					t.Errorf("%d batches, expected %d or that the file is set aside", batches, damagedBatches)
				}
			}
		})
	}
	t.Logf("outcomes: %v", outcomes)
	if outcomes["set aside"] < 20 {
		t.Errorf("outcomes %v, expected more damage to be found", outcomes)
	}
}

func TestTruncatedFile(t *testing.T) {
	path := dbPath(t)
	made(t, path, damagedBatches)
	sound := mustRead(t, path)
	lengths := []int{0, 1, 15, 16, 50, 99, 100, 101, 511, 512, 4095, 4096, 4097, len(sound) / 2, len(sound) - 4096, len(sound) - 1}
	for seed := range uint64(10) {
		lengths = append(lengths, rand.New(rand.NewPCG(seed, 2)).IntN(len(sound)))
	}
	for _, length := range lengths {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			path := dbPath(t)
			raw := sound[:length]
			mustWrite(t, path, raw)
			batches, aside, err := openDamaged(t, path, raw)
			if err != nil || batches != 0 || aside == (length == 0) {
				t.Errorf("%d batches, set aside: %t, error: %v", batches, aside, err)
			}
		})
	}
}

func TestGarbageFile(t *testing.T) {
	for name, raw := range map[string][]byte{
		"text":   []byte("this is no database, but a letter to my mother"),
		"zeros":  make([]byte, 20_000),
		"random": bytes.Repeat([]byte{0xde, 0xad, 0xbe, 0xef}, 9000),
		"magic":  append([]byte("SQLite format 3\x00"), bytes.Repeat([]byte{7}, 9000)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := dbPath(t)
			mustWrite(t, path, raw)
			if batches, aside, err := openDamaged(t, path, raw); err != nil || !aside || batches != 0 {
				t.Errorf("%d batches, set aside: %t, error: %v", batches, aside, err)
			}
		})
	}
}

// TestEmptyFileBesideWAL has a file that was emptied: what is left of the books
// is in its -wal file, which SQLite would remove.
func TestEmptyFileBesideWAL(t *testing.T) {
	path := dbPath(t)
	wal := []byte("all that is left")
	mustWrite(t, path, nil)
	mustWrite(t, path+"-wal", wal)
	if _, aside, err := openDamaged(t, path, nil); err != nil || !aside {
		t.Fatalf("set aside: %t, error: %v", aside, err)
	}
	if left := mustRead(t, damagedFiles(t, path)[0]+"-wal"); !bytes.Equal(left, wal) {
		t.Errorf("the -wal file that was set aside holds %q", left)
	}
}

// TestOverwrittenWAL has a -wal file as a crash leaves it, and damage in it. It
// has checksums: what comes after the damage is lost, as at a loss of power.
func TestOverwrittenWAL(t *testing.T) {
	path := dbPath(t)
	store := openAt(t, path)
	writeBatches(t, store, 1, damagedBatches)
	sound, soundWAL := mustRead(t, path), mustRead(t, path+"-wal")
	closed(t, store)
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 3))
		wal := bytes.Clone(soundWAL)
		at := random.IntN(len(wal))
		for i := at; i < min(at+1+random.IntN(64), len(wal)); i++ {
			wal[i] ^= byte(1 + random.IntN(255))
		}
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			path := dbPath(t)
			mustWrite(t, path, sound)
			mustWrite(t, path+"-wal", wal)
			store := openAt(t, path)
			defer closed(t, store)
			last := lastBatch(t, store)
			if last == damagedBatches {
				t.Error("no batch was lost")
			}
			writeBatches(t, store, last+1, last+1)
		})
	}
}

// TestDamageFoundByReading overwrites a large file, that is not checked as a
// whole when it is opened, in the middle. Who reads there must not be alone with
// what he learns.
func TestDamageFoundByReading(t *testing.T) {
	path := dbPath(t)
	store := openAt(t, path)
	large := batch(1)
	for i := range 2000 {
		row := logRow(i)
		row.Path = strings.Repeat("/long", 500)
		large.Log = append(large.Log, row)
	}
	if err := store.Write(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	closed(t, store)
	raw := mustRead(t, path)
	for at := len(raw) / 8; at < len(raw)/2; at++ {
		raw[at] = 0xa5
	}
	mustWrite(t, path, raw)

	store = openAt(t, path)
	_, err := store.Log(t.Context(), pool.LogQuery{Limit: 1 << 20})
	wantError(t, err, true, "damaged")
	err = store.Write(t.Context(), batch(2))
	wantError(t, err, true, "damaged")
	closed(t, store)
	if files := damagedFiles(t, path); len(files) != 1 {
		t.Fatalf("set aside: %v, expected one", files)
	}

	store = openAt(t, path)
	defer closed(t, store)
	writeBatches(t, store, 1, 3)
	if last := lastBatch(t, store); last != 3 {
		t.Errorf("%d batches, expected 3", last)
	}
}

// TestSetAsideTwice damages the file twice within a second.
func TestSetAsideTwice(t *testing.T) {
	path := dbPath(t)
	for n := 1; n <= 3; n++ {
		mustWrite(t, path, fmt.Appendf(nil, "garbage %d", n))
		store, err := sqlite.Open(t.Context(), path, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		closed(t, store)
		if files := damagedFiles(t, path); len(files) != n {
			t.Fatalf("set aside: %v, expected %d", files, n)
		}
	}
}

// TestMovedFile removes, renames and replaces what is in use.
func TestMovedFile(t *testing.T) {
	other := dbPath(t)
	made(t, other, 7)
	for _, test := range []struct {
		name string
		move func(path string) error
		says string
		left int64 // batches that the path holds afterwards
	}{
		{"removed", os.Remove, "removed or renamed", 0},
		{"renamed", func(path string) error { return os.Rename(path, path+".old") }, "removed or renamed", 0},
		{"replaced", func(path string) error {
			raw, err := os.ReadFile(other)
			return errors.Join(err, os.WriteFile(path+".new", raw, 0o600), os.Rename(path+".new", path))
		}, "replaced", 7},
		{"directory removed", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, "removed or renamed", 0},
		{"wal removed", func(path string) error { return os.Remove(path + "-wal") }, "-wal was removed", 3},
		{"all removed", func(path string) error {
			return errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"))
		}, "removed or renamed", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "proxy_pool.db")
			store := openAt(t, path)
			writeBatches(t, store, 1, 3)
			if err := test.move(path); err != nil {
				t.Fatal(err)
			}
			wantError(t, store.Write(t.Context(), batch(4)), true, test.says)
			closed(t, store)
			if files := damagedFiles(t, path); len(files) != 0 {
				t.Errorf("set aside: %v", files)
			}
			if test.name == "renamed" {
				old := openAt(t, path+".old")
				if n := lastBatch(t, old); n != 3 {
					t.Errorf("%d batches in the file that was renamed, expected 3", n)
				}
				closed(t, old)
			}
			store = openAt(t, path)
			defer closed(t, store)
			if n := lastBatch(t, store); n != test.left {
				t.Errorf("%d batches after opening again, expected %d", n, test.left)
			}
			writeBatches(t, store, test.left+1, test.left+1)
		})
	}
}

// TestReplacedWithWAL puts a file with its own -wal in the place of one in use.
func TestReplacedWithWAL(t *testing.T) {
	other := dbPath(t)
	backup := openAt(t, other)
	writeBatches(t, backup, 1, 9)
	raw, wal := mustRead(t, other), mustRead(t, other+"-wal")
	closed(t, backup)

	path := dbPath(t)
	store := openAt(t, path)
	writeBatches(t, store, 1, 3)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, path, raw)
	mustWrite(t, path+"-wal", wal)
	wantError(t, store.Write(context.Background(), batch(4)), true, "replaced")
	closed(t, store)

	store = openAt(t, path)
	defer closed(t, store)
	if n := lastBatch(t, store); n != 9 {
		t.Errorf("%d batches, expected the 9 of the file that was put there", n)
	}
}
