package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verdict is what the clients saw from the moment on in which a proxy broke.
type verdict struct {
	failed, brokenOff int
	kinds             string        // the failed ones by kind
	gap               time.Duration // the longest time without a good answer
	slowestAfter      time.Duration // of the requests that began once the proxy was out of use
}

func judge(samples []sample, brokenAt, outAt time.Time) (v verdict) {
	slices.SortFunc(samples, func(a, b sample) int { return a.end.Compare(b.end) })
	var kinds [outcomes]int
	statuses := map[int]int{}
	lastGood := brokenAt
	for _, s := range samples {
		if s.outcome == good && s.end.After(brokenAt) {
			v.gap = max(v.gap, s.end.Sub(lastGood))
			lastGood = s.end
		}
		switch s.outcome {
		case good:
		case broken:
			v.brokenOff++
		default:
			v.failed++
			kinds[s.outcome]++
			if s.outcome == refused {
				statuses[s.status]++
			}
		}
		if !outAt.IsZero() && s.start.After(outAt) {
			v.slowestAfter = max(v.slowestAfter, s.took())
		}
	}
	if len(samples) > 0 {
		v.gap = max(v.gap, samples[len(samples)-1].end.Sub(lastGood))
	}
	var words []string
	for status, n := range statuses {
		words = append(words, fmt.Sprintf("%d × %d", n, status))
	}
	slices.Sort(words)
	if kinds[cutOff] > 0 {
		words = append(words, fmt.Sprintf("%d cut off", kinds[cutOff]))
	}
	if kinds[timedOut] > 0 {
		words = append(words, fmt.Sprintf("%d timed out", kinds[timedOut]))
	}
	if words != nil {
		v.kinds = "(" + strings.Join(words, ", ") + ")"
	}
	return v
}
