package pool

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStoredBeforeAdopted: a process may be killed when it has just taken over
// what was stored, and has written it again.
func TestStoredBeforeAdopted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := lived(t)
		b := w.collect()
		w.restart(b, nil)
		rows := w.rows()
		w.state.Close()
		w.state = NewState()
		w.Pool = New(w.config, w.state)
		if err := w.Restore("first", b.Records); err != nil {
			t.Fatal(err)
		}
		w.restart(w.collect(), nil)
		if diff := cmp.Diff(rows, w.rows()); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}
