package proxypool

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// completions is what a shell is offered after these words, as the scripts of
// `caddy completion` ask for it.
func completions(t *testing.T, address string, words ...string) []string {
	t.Helper()
	asked := append([]string{cobra.ShellCompRequestCmd, "--address=" + address}, words...)
	came := enter(t.Context(), new(safeBuffer), asked...)
	if came.code != 0 {
		t.Fatalf("%q: ended with %d: %s%s", words, came.code, came.out, came.errors)
	}
	var offered []string
	for line := range strings.Lines(came.out) {
		if word := strings.TrimSuffix(line, "\n"); word != ":4" && word != "" { // :4 is no names of files
			offered = append(offered, word)
		}
	}
	return offered
}

func TestCompletion(t *testing.T) {
	s := serve(t, twoPools, reverse("https://127.0.0.1:1", "pool main"))
	s.enter("disable", "b/Only-B")
	tests := []struct {
		words string // the last one is being typed
		want  []string
	}{
		{"disable ", []string{"main/VPS\thealthy", "main/مسکونی\thealthy", "b/VPS\thealthy", "b/Only-B\tdisabled"}},
		{"enable b/O", []string{"b/Only-B\tdisabled"}},
		{"check main/م", []string{"main/مسکونی\thealthy"}},
		{"disable b/VPS ", nil},
		{"status --pool ", []string{"main", "b"}},
		{"events --pool=b --proxy ", []string{"VPS\thealthy", "Only-B\tdisabled"}},
		{"usage --by ", []string{"proxy", "target", "hour", "day"}},
		{"status --watch=", []string{"1s", "2s", "10s", "1m"}},
		{"explain ", nil},
		{"usage ", nil},
	}
	for _, test := range tests {
		t.Run(test.words, func(t *testing.T) {
			if diff := cmp.Diff(test.want, completions(t, s.admin, strings.Split(test.words, " ")...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	s.load(strings.Split(twoPools, "pool b {")[0], s.sites)
	eventually(t, "with one pool its name is left out", func() bool { // Caddy's admin endpoint changes hands at a reload
		return cmp.Equal(completions(t, s.admin, "disable", "V"), []string{"VPS\thealthy"})
	})
}

// TestCompletionWithoutCaddy: who presses Tab does not wait for long, and sees no
// error.
func TestCompletionWithoutCaddy(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, address := range []string{"127.0.0.1:1", silent.Addr().String()} {
		start := time.Now()
		if got := completions(t, address, "disable", ""); got != nil || time.Since(start) > 5*completeTimeout {
			t.Errorf("%s: offered %q after %v", address, got, time.Since(start))
		}
	}
}
