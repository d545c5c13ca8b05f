package main

import (
	"regexp"
	"strings"
)

// volatile is what is another one each time: in a shown output and in what came
// it is replaced by the same word, so that its form is compared and its value is
// not. All else must be as it is shown.
var volatile = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"<time>", regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d|\b\d\d:\d\d:\d\d\b`)},
	{"<day>", regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`)},
	{"<duration>", regexp.MustCompile(`\b\d+(\.\d+)? ?(ms|s)\b`)},
	{"$1<number>", regexp.MustCompile(`("(?:id|duration_ms|bytes_in|bytes_out|response_ms|cost_usd|saved_usd|total_cost_usd)":)[\d.e-]+`)},
	{"<amount>", regexp.MustCompile(`\b\d+ bytes\b|\b\d+(\.\d+)? [KMG]?B\b|\b\d+(\.\d+)? ?%|<?\$\d+(\.\d+)?`)},
}

// shape is a text without what is volatile in it, and with one space where there
// is white space: what is shown may be wrapped, and columns may be wider.
func shape(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.what)
	}
	return strings.Join(strings.Fields(text), " ")
}

// tight is without the white space where JSON may have it.
var tight = strings.NewReplacer("{ ", "{", "[ ", "[", ", ", ",", " }", "}", " ]", "]", " {", "{")

// same compares what is shown with what came. "..." stands for anything.
func same(shown, came string) bool {
	var pattern strings.Builder
	pattern.WriteString("^")
	for i, piece := range strings.Split(tight.Replace(shape(shown)), "...") {
		if i > 0 {
			pattern.WriteString(".*")
		}
		pattern.WriteString(regexp.QuoteMeta(strings.TrimSpace(piece)))
	}
	pattern.WriteString("$")
	return regexp.MustCompile(pattern.String()).MatchString(tight.Replace(shape(came)))
}
