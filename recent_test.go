package proxypool

import (
	"testing"
	"time"
)

func TestRecent(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	r := recent[string, int]{keep: 10 * time.Second, limit: 4}
	r.put("kept", 1, at(0))
	r.put("forgotten", 2, at(0))
	for _, step := range []struct {
		seconds int
		key     string
		want    int
	}{
		{9, "kept", 1}, {9, "missing", 0}, {12, "kept", 1}, {21, "kept", 1}, {23, "forgotten", 0}, {30, "kept", 1}, {51, "kept", 0},
	} {
		got, found := r.get(step.key, at(step.seconds))
		if got != step.want || found != (step.want > 0) {
			t.Errorf("%s after %d s: got %d and %t, expected %d", step.key, step.seconds, got, found, step.want)
		}
	}
}

func TestRecentIsBounded(t *testing.T) {
	now := time.Now()
	r := recent[int, int]{keep: time.Hour, limit: 4}
	for i := range 100 {
		r.put(i, i, now)
		if _, found := r.get(0, now); !found { // asked for all the time
			t.Fatalf("forgot what is in use after %d", i)
		}
		if n := len(r.young) + len(r.old); n > 2*r.limit {
			t.Fatalf("got %d entries, expected at most %d", n, 2*r.limit)
		}
	}
	if _, found := r.get(50, now); found {
		t.Error("kept what nobody asked for")
	}
}
