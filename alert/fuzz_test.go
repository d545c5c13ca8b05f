package alert

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// element is what a text may hold in angle brackets.
var element = regexp.MustCompile(`</?(b|i|code)>`)

// FuzzMessage renders whatever a store may give back as an alert. What is not
// ours is escaped, and no element is left open, for Telegram takes no such text.
func FuzzMessage(f *testing.F) {
	for _, a := range alerts() {
		body, err := json.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"kind":"status_changed","pool":"<b>&","changes":[{"proxy":"</code>","from":"x","to":"\u202e","reason":"<i>"}],"more":-1}`))
	f.Add([]byte(`{"kind":"budget","budget":{"used":-1,"limit":0,"percent":9223372036854775807}}`))
	f.Add([]byte(`{"kind":"daily_report","report":{},"counts":{},"time":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"kind":"","time":"9999-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := new(Alert)
		if json.Unmarshal(body, a) != nil {
			return
		}
		for _, l := range languages {
			text := l.Message(a, tehran)
			for line := range strings.SplitSeq(text.HTML, "\n") {
				if rest := element.ReplaceAllString(line, ""); strings.ContainsAny(rest, "<>") {
					t.Errorf("%s: not escaped: %q", body, line)
				}
				if !balanced(line) {
					t.Errorf("%s: an element is open at the end of %q", body, line)
				}
			}
			if !utf8.ValidString(text.HTML) || !utf8.ValidString(text.Plain) {
				t.Errorf("%s: not valid UTF-8: %q", body, text)
			}
		}
	})
}

// balanced reports whether every element of a line ends in it, in order.
func balanced(line string) bool {
	var open []string
	for _, tag := range element.FindAllStringSubmatch(line, -1) {
		switch {
		case !strings.HasPrefix(tag[0], "</"):
			open = append(open, tag[1])
		case len(open) == 0 || open[len(open)-1] != tag[1]:
			return false
		default:
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0
}
