package storagetest

import (
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
)

func testReopened(t *testing.T, b *bed) {
	b.reopen()
	b.write(everything(4))
	b.reopen()
	checkEverything(t, b, 4)

	b.write(pool.Batch{Usage: everything(5).Usage})
	b.reopen()
	equal(t, "usage is added to", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}}),
		[]pool.UsageRow{{Pool: "main", Proxy: "one", Target: "api:443", Usage: sum(4, 5)}})
}

func testReopenedBatchAgain(t *testing.T, b *bed) {
	b.write(everything(4))
	b.reopen()
	again := everything(4)
	again.ID = b.batch
	again.Notes[0].Body = nil
	if err := b.store.Write(t.Context(), &again); err != nil {
		t.Fatalf("writing the same batch again: %v", err)
	}
	checkEverything(t, b, 4)
}

// testReopenedIDs removes the whole log before the store is opened again: what
// comes then is no older than what was.
func testReopenedIDs(t *testing.T, b *bed) {
	b.write(everything(1))
	b.write(everything(1))
	log := b.log(pool.LogQuery{Limit: 1})
	b.prune(pool.Expiry{Log: noon.AddDate(1, 0, 0)}, 10, false)
	b.reopen()
	b.write(everything(1))
	if got := b.log(pool.LogQuery{Limit: 1}); got[0].ID <= log[0].ID {
		t.Errorf("the ID %d after %d, expected a rising one", got[0].ID, log[0].ID)
	}
}
