package telegramtest

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// tags are those that the API knows (core.telegram.org/bots/api#html-style).
var tags = []string{
	"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler",
	"a", "code", "pre", "blockquote", "tg-emoji",
}

// parseHTML reads a text with markup, roughly as the API does. It returns what is
// shown, or what is wrong.
func parseHTML(text string) (shown, mistake string) {
	var out strings.Builder
	var open []string
	for at := 0; at < len(text); {
		if text[at] != '<' {
			end := strings.IndexByte(text[at:], '<')
			if end < 0 {
				end = len(text) - at
			}
			out.WriteString(html.UnescapeString(text[at : at+end]))
			at += end
			continue
		}
		length := strings.IndexByte(text[at:], '>')
		if length < 0 {
			return "", fmt.Sprintf("Unclosed start tag at byte offset %d", at)
		}
		name, isEnd := strings.CutPrefix(text[at+1:at+length], "/")
		name, _, _ = strings.Cut(name, " ")
		name = strings.ToLower(name)
		switch {
		case isEnd && (len(open) == 0 || open[len(open)-1] != name):
			return "", fmt.Sprintf("Unmatched end tag at byte offset %d", at)
		case isEnd:
			open = open[:len(open)-1]
		case !slices.Contains(tags, name):
			return "", fmt.Sprintf("Unsupported start tag %q at byte offset %d", name, at)
		default:
			open = append(open, name)
		}
		at += length + 1
	}
	if len(open) > 0 {
		return "", fmt.Sprintf("Can't find end tag corresponding to start tag %q", open[len(open)-1])
	}
	return out.String(), ""
}
