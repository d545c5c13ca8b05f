package alert

import (
	"os"
	"strings"
	"testing"
)

// TestPageSaysTheSame holds the reasons on the dashboard's page, which has its
// words in JavaScript, to those of the alerts.
func TestPageSaysTheSame(t *testing.T) {
	page, err := os.ReadFile("../dashboard/assets/reasons.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []*words{&english, &persian} {
		w := &language.reasons
		for code, phrase := range w.codes {
			if line := "\n    " + code + `: "` + phrase + "\",\n"; !strings.Contains(string(page), line) {
				t.Errorf("the page lacks %q", line)
			}
		}
		said := []string{w.check, w.answered, w.down, w.blockedBy, w.failingFor, w.spent, w.slow, w.sentences["marked down"], w.sentences["marked healthy"], w.sentences["damping is over"]}
		for _, phrase := range said {
			if text := `"` + strings.ReplaceAll(phrase, "{what}", "{0}") + `"`; !strings.Contains(string(page), text) {
				t.Errorf("the page lacks %s", text)
			}
		}
	}
}
