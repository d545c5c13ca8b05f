package storagetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
)

// testCancelled asks for everything when nobody waits for it any more.
func testCancelled(t *testing.T, b *bed) {
	b.write(everything(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	batch := everything(5)
	batch.ID = 1000
	_, more := b.store.Prune(ctx, pool.Expiry{Log: noon.AddDate(1, 0, 0)}, 10)
	_, records := b.store.Records(ctx, "main")
	_, usage := b.store.Usage(ctx, pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}})
	_, log := b.store.Log(ctx, pool.LogQuery{Limit: 10})
	_, events := b.store.Events(ctx, pool.EventQuery{Limit: 10})
	_, alerts := b.store.Alerts(ctx)
	for what, err := range map[string]error{
		"Write": b.store.Write(ctx, &batch), "Prune": more, "Records": records,
		"Usage": usage, "Log": log, "Events": events, "Alerts": alerts,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, expected the context's", what, err)
		}
	}
	checkEverything(t, b, 1)
	b.write(pool.Batch{})
}

// testConcurrent reads while batches are written. Each holds a row and a
// request, and is seen whole or not at all.
func testConcurrent(t *testing.T, b *bed) {
	const batches = 60
	done := make(chan struct{})
	ctx := t.Context()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				if !readAll(ctx, t, b.store) {
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range batches {
		b.write(everything(1))
		if n%20 == 19 {
			b.prune(pool.Expiry{Events: noon}, 5, false)
		}
	}
	close(done)
	readers.Wait()
	if n := len(b.log(pool.LogQuery{Limit: 1000})); n != batches {
		t.Errorf("%d rows in the log, expected %d", n, batches)
	}
}

// readAll reads of each kind, and checks what is read later against what was
// read before.
func readAll(ctx context.Context, t *testing.T, store pool.Store) bool {
	log, err := store.Log(ctx, pool.LogQuery{Pool: "main", Limit: 1000})
	if err != nil {
		t.Errorf("reading the log: %v", err)
		return false
	}
	usage, err := store.Usage(ctx, pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}})
	if err != nil {
		t.Errorf("reading usage: %v", err)
		return false
	}
	var requests int64
	for _, u := range usage {
		requests += u.Requests
	}
	events, err := store.Events(ctx, pool.EventQuery{Limit: 1000})
	if err != nil {
		t.Errorf("reading events: %v", err)
		return false
	}
	alerts, err := store.Alerts(ctx)
	if err != nil {
		t.Errorf("reading alerts: %v", err)
		return false
	}
	if _, err := store.Records(ctx, "main"); err != nil {
		t.Errorf("reading records: %v", err)
		return false
	}
	if int64(len(log)) > requests || requests > int64(len(events)) || len(events) > len(alerts) {
		t.Errorf("batches seen in part: %d rows in the log, then %d requests, %d events, %d alerts",
			len(log), requests, len(events), len(alerts))
		return false
	}
	return true
}

// testCallersMemory changes what was handed over and what was handed out.
func testCallersMemory(t *testing.T, b *bed) {
	batch := everything(1)
	b.write(batch)
	batch.Records[0].State[2] = 'x'
	batch.Alerts[0].Body[2] = 'x'
	batch.Log[0].Path = "changed"
	checkEverything(t, b, 1)

	b.records("main")[0].State[2] = 'y'
	b.alerts()[0].Body[2] = 'y'
	b.log(pool.LogQuery{Limit: 1})[0].Path = "changed"
	checkEverything(t, b, 1)
}
