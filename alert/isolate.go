package alert

import (
	"regexp"
	"strings"
	"unicode"
)

// Names and targets are put into sentences of another direction. By the Unicode
// Bidirectional Algorithm (UAX #9) what stands between an isolate's ends is laid
// out for itself and leaves its neighbours where they are; and a line that begins
// with a mark has that mark's direction, whatever comes next.
const (
	isolateStart    = "\u2068" // first strong isolate
	isolateEnd      = "\u2069" // pop directional isolate
	rightToLeftMark = "\u200f"
)

// No name and no target is longer, in characters. Reasons may be: a proxy can be
// blocked by hundreds of targets.
const maxForeign = 300

// foreign is text that is not ours, fit to stand in a line: text in any script
// stays as it is, but nothing in it ends the line or reaches beyond its isolate.
func foreign(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\ufffd"))
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > maxForeign {
		s = string(runes[:maxForeign-1]) + "…"
	}
	return s
}

// isolate keeps a piece from reordering what stands around it. From left to
// right, ASCII cannot, and stays free of characters that nobody sees.
func (s *speaker) isolate(p piece) piece {
	if p.empty() || !s.rightToLeft && isASCII(p.plain) {
		return p
	}
	return piece{html: isolateStart + p.html + isolateEnd, plain: isolateStart + p.plain + isolateEnd}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// What is skipped, a placeholder or an isolate, or Latin words.
var latin = regexp.MustCompile(`\{[a-z]+\}|` + isolateStart + `[^` + isolateEnd + `]*` + isolateEnd +
	`|[A-Za-z](?:[A-Za-z0-9_.:/ -]*[A-Za-z0-9])?`)

// isolateLatin isolates the Latin words of a phrase that is written from right
// to left.
func isolateLatin(phrase string) string {
	return latin.ReplaceAllStringFunc(phrase, func(s string) string {
		if strings.HasPrefix(s, "{") || strings.HasPrefix(s, isolateStart) {
			return s
		}
		return isolateStart + s + isolateEnd
	})
}
