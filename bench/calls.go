package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"
)

// timesAsked is how many times each call is asked.
const timesAsked = 20

// call is a question to the admin endpoint.
type call struct{ name, path string }

// callsSince are the calls whose answers come from the books, about all that
// they know since then.
func callsSince(from time.Time) []call {
	calls := []call{{"`status`", "status"}}
	for _, by := range []string{"proxy", "target", "day", "hour"} {
		calls = append(calls, call{"`usage?by=" + by + "`", usagePath(by, from)})
	}
	for _, path := range []string{"log?limit=100", "log?limit=100&proxy=" + proxyName(2), "log?limit=100&success=false", "events"} {
		calls = append(calls, call{"`" + path + "`", path})
	}
	return calls
}

func usagePath(by string, from time.Time) string {
	return "usage?" + url.Values{"by": {by}, "from": {from.UTC().Format(time.RFC3339)}}.Encode()
}

// timing is how long the answers to a call took.
type timing struct {
	rows int // in the last answer
	took []time.Duration
}

func (t timing) median() time.Duration { return median(t.took) }
func (t timing) worst() time.Duration  { return slices.Max(t.took) }

// timeCalls asks them all in turn, again and again.
func (c *caddyProcess) timeCalls(ctx context.Context, calls []call) ([]timing, error) {
	timings := make([]timing, len(calls))
	for range timesAsked {
		for i, call := range calls {
			began := time.Now()
			text, err := c.get(ctx, "/proxy_pool/"+call.path)
			took := time.Since(began)
			if err != nil {
				return nil, err
			}
			var answer struct {
				Proxies, Rows []json.RawMessage
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				return nil, fmt.Errorf("reading the answer of %s: %w", call.path, err)
			}
			timings[i].rows = len(answer.Proxies) + len(answer.Rows)
			timings[i].took = append(timings[i].took, took)
		}
	}
	return timings, nil
}

// printTimings judges the answers of a Caddy that does nothing else, and shows
// those of one under load, if there are any.
func printTimings(rows int64, calls []call, idle, loaded []timing) {
	t := table{header: []string{thousands(rows) + " logged requests", "rows in the answer", "median", "worst"}}
	if loaded != nil {
		t.header = append(t.header, "median under load", "worst under load")
	}
	for i, call := range calls {
		worst := against(ms(idle[i].worst()), idle[i].worst() < booksAnswer, "< "+ms(booksAnswer))
		cells := []any{call.name, idle[i].rows, ms(idle[i].median()), worst}
		if loaded != nil {
			cells = append(cells, ms(loaded[i].median()), ms(loaded[i].worst()))
		}
		t.add(cells...)
	}
	t.write(os.Stdout)
}
