package storagetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
)

func note(name, body string) pool.Note { return pool.Note{Name: name, Body: []byte(body)} }

func testNotes(t *testing.T, b *bed) {
	b.write(pool.Batch{Notes: []pool.Note{note("told/main", `{"n":1}`), note("report", "1"), note("told", "2")}})
	equal(t, "notes", b.notes(), []pool.Note{note("report", "1"), note("told", "2"), note("told/main", `{"n":1}`)})

	b.write(pool.Batch{Notes: []pool.Note{note("told", "3"), note("a", "4")}})
	equal(t, "replaced", b.notes(), []pool.Note{note("a", "4"), note("report", "1"), note("told", "3"), note("told/main", `{"n":1}`)})

	b.write(pool.Batch{Notes: []pool.Note{note("told", ""), {Name: "a"}, note("never", "")}})
	equal(t, "removed", b.notes(), []pool.Note{note("report", "1"), note("told/main", `{"n":1}`)})
}

// testNotesInABatch has the same names several times in a batch.
func testNotesInABatch(t *testing.T, b *bed) {
	b.write(pool.Batch{Notes: []pool.Note{note("a", "1"), note("b", "1"), note("c", ""), note("a", "2"), note("b", ""), note("c", "2")}})
	equal(t, "notes", b.notes(), []pool.Note{note("a", "2"), note("c", "2")})
}

// testOddNotes writes what no decent name or JSON looks like.
func testOddNotes(t *testing.T, b *bed) {
	names := []string{
		"", " ", "a\x00b", "\x00", "a\x00", "a", "\xff\xfe", "broken \xe2\x82 rune", strings.Repeat("ü", 128), strings.Repeat("x", 256),
		"'; DROP TABLE note; --", "%_*?", "line\nbreak", "پروکسی", "Case", "case", "1", "01",
	}
	var batch pool.Batch
	for i, name := range names {
		body := bytes.Repeat([]byte{byte(i), 0xff, 0}, i+1)
		batch.Notes = append(batch.Notes, pool.Note{Name: name, Body: body})
	}
	b.write(batch)
	want := slices.SortedFunc(slices.Values(batch.Notes), func(a, b pool.Note) int { return strings.Compare(a.Name, b.Name) })
	equal(t, "notes", b.notes(), want)

	for i := range batch.Notes {
		batch.Notes[i].Body = nil
	}
	b.write(batch)
	equal(t, "removed", b.notes(), []pool.Note(nil))
}

// testLargeNotes writes bodies of many sizes, up to what a large pool needs, and
// lets them grow and shrink.
func testLargeNotes(t *testing.T, b *bed) {
	note := func(n, size int) pool.Note {
		return pool.Note{Name: fmt.Sprintf("note %d", n), Body: bytes.Repeat(fmt.Appendf(nil, "%07d ", n), size/8)}
	}
	sizes := []int{8, 4000, 4096, 100_000, 1 << 20}
	for round := range sizes {
		var batch pool.Batch
		for n := range sizes {
			batch.Notes = append(batch.Notes, note(n, sizes[(n+round)%len(sizes)]))
		}
		b.write(batch)
		got := b.notes()
		if len(got) != len(sizes) {
			t.Fatalf("%d notes, expected %d", len(got), len(sizes))
		}
		for n, want := range batch.Notes {
			if got[n].Name != want.Name || !bytes.Equal(got[n].Body, want.Body) {
				t.Errorf("round %d: note %q with %d bytes is not %q with %d", round, got[n].Name, len(got[n].Body), want.Name, len(want.Body))
			}
		}
	}
}

// testNotesStay prunes all that has a time.
func testNotesStay(t *testing.T, b *bed) {
	b.write(everything(1))
	later := noon.AddDate(10, 0, 0)
	b.prune(pool.Expiry{Log: later, Usage: later, Events: later, Alerts: later}, 100, false)
	equal(t, "alerts", b.alerts(), []pool.Alert(nil))
	equal(t, "notes", b.notes(), everything(1).Notes)
}

func testNotesReopened(t *testing.T, b *bed) {
	b.write(pool.Batch{Notes: []pool.Note{note("a", "1"), note("b", "1"), note("c", "1")}})
	b.write(pool.Batch{Notes: []pool.Note{note("a", ""), note("b", "2")}})
	b.reopen()
	equal(t, "notes", b.notes(), []pool.Note{note("b", "2"), note("c", "1")})
}
