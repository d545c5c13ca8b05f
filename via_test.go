package proxypool

import (
	"strings"
	"testing"
)

// FuzzVia: whatever a client sends as Via, a tunnel that was through a pool is
// known again, and what goes on to the next proxy ends no line.
func FuzzVia(f *testing.F) {
	f.Add("1.1 pp-0123", "main")
	f.Add("1.0 fred, 1.1 p.example.net (comment, with comma)", "main")
	f.Add(strings.Repeat("1.1 pp-a,", 20), "x")
	f.Add("1.1 pp-a\r\nX: y", "")
	f.Fuzz(func(t *testing.T, value, pool string) {
		before := viaOf([]string{value})
		after := before.with(pool)
		if !after.goesRound(pool) {
			t.Errorf("%q: not known again in %q", value, after)
		}
		if again := viaOf([]string{after.String()}); !again.goesRound(pool) || before.goesRound(pool) != viaOf([]string{before.String()}).goesRound(pool) {
			t.Errorf("%q: lost on the way: %q, %q", value, after, again)
		}
		if strings.Trim(after.String(), "abcdefghijklmnopqrstuvwxyz0123456789-., ") != "" || len(after) > (maxVia+2)*80 {
			t.Errorf("%q goes on as %q", value, after)
		}
	})
}
