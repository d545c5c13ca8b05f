package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
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
	_, notes := b.store.Notes(ctx)
	for what, err := range map[string]error{
		"Write": b.store.Write(ctx, &batch), "Prune": more, "Records": records,
		"Usage": usage, "Log": log, "Events": events, "Alerts": alerts, "Notes": notes,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, expected the context's", what, err)
		}
	}
	checkEverything(t, b, 1)
	b.write(pool.Batch{})
}

// testConcurrent reads while batches are written. Each holds a row, a request
// and an alert, and is seen whole or not at all.
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
		b.write(handover(n))
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

const (
	bellID   = 1 << 40
	bellName = "bell"
)

// handover is the batch of a number. Two notes say how many there were. Beside
// the alert of each batch there is a bell, which each hands on to the next: it
// adds its own and takes away that of the one before.
func handover(n int) pool.Batch {
	batch := everything(1)
	batch.Alerts[0].ID = int64(n + 1)
	batch.Alerts = append(batch.Alerts, pool.Alert{ID: bellID + int64(n), Time: noon, Notifier: bellName})
	batch.Delivered = []int64{bellID + int64(n) - 1}
	count := fmt.Sprint(n + 1)
	batch.Notes = []pool.Note{note("left", count), note("right", count)}
	return batch
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
	alerts, told, ok := readOutbox(ctx, t, store)
	if !ok {
		return false
	}
	if _, err := store.Records(ctx, "main"); err != nil {
		t.Errorf("reading records: %v", err)
		return false
	}
	if int64(len(log)) > requests || requests > int64(len(events)) || len(events) > alerts || alerts > told {
		t.Errorf("batches seen in part: %d rows in the log, then %d requests, %d events, %d alerts, %d told",
			len(log), requests, len(events), alerts, told)
		return false
	}
	return true
}

// readOutbox reads how many alerts there are beside the bell, and how many the
// notes tell of.
func readOutbox(ctx context.Context, t *testing.T, store pool.Store) (alerts, told int, ok bool) {
	all, err := store.Alerts(ctx)
	if err != nil {
		t.Errorf("reading alerts: %v", err)
		return 0, 0, false
	}
	bells := 0
	for _, a := range all {
		if a.Notifier == bellName {
			bells++
		}
	}
	notes, err := store.Notes(ctx)
	if err != nil {
		t.Errorf("reading notes: %v", err)
		return 0, 0, false
	}
	if len(notes) == 2 && bytes.Equal(notes[0].Body, notes[1].Body) {
		told, err = strconv.Atoi(string(notes[0].Body))
	}
	alerts = len(all) - bells
	if bells != min(alerts, 1) || err != nil || (told == 0) != (len(notes) == 0) {
		t.Errorf("batches seen in part: %d bells beside %d alerts, notes %q", bells, alerts, notes)
		return 0, 0, false
	}
	return alerts, told, true
}

// testCallersMemory changes what was handed over and what was handed out.
func testCallersMemory(t *testing.T, b *bed) {
	batch := everything(1)
	b.write(batch)
	batch.Records[0].State[2] = 'x'
	batch.Alerts[0].Body[2] = 'x'
	batch.Notes[0].Body[2] = 'x'
	batch.Log[0].Path = "changed"
	checkEverything(t, b, 1)

	b.records("main")[0].State[2] = 'y'
	b.alerts()[0].Body[2] = 'y'
	b.notes()[0].Body[2] = 'y'
	b.log(pool.LogQuery{Limit: 1})[0].Path = "changed"
	checkEverything(t, b, 1)
}
