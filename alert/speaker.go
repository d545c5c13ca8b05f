package alert

import (
	"strings"
	"time"

	"golang.org/x/text/message"
)

// speaker says things in a language.
type speaker struct {
	*words
	numbers  *message.Printer
	where    *time.Location // nil leaves times in the zone they come in
	lineMark string         // gives each line its direction
}

func (l Language) speaker(where *time.Location) *speaker {
	s := &speaker{words: &english, where: where}
	if l == Persian {
		s.words, s.lineMark = &persian, rightToLeftMark
	}
	s.numbers = message.NewPrinter(s.tag)
	return s
}

// values are what takes the place of a phrase's {placeholders}.
type values map[string]piece

// fill is a phrase with its values.
func (s *speaker) fill(phrase string, v values) piece {
	if s.rightToLeft {
		phrase = isolateLatin(phrase)
	}
	var out piece
	for {
		before, rest, found := strings.Cut(phrase, "{")
		out.html += escape(before)
		out.plain += before
		if !found {
			return out
		}
		name, after, _ := strings.Cut(rest, "}")
		value, ok := v[name]
		if !ok {
			value = plainly("{" + name + "}") // for a test to find
		}
		out.html += value.html
		out.plain += value.plain
		phrase = after
	}
}

// count is a phrase with a number, {n}.
func (s *speaker) count(p plural, n int64) piece {
	phrase := p.many
	if n == 1 {
		phrase = p.one
	}
	return s.fill(phrase, values{"n": s.integer(n)})
}

// name is text that is not ours.
func (s *speaker) name(name string) piece { return s.isolate(plainly(foreign(name))) }

// code is the same, to be copied: tapping it in Telegram takes what is inside,
// so the isolate is outside.
func (s *speaker) code(code string) piece { return s.isolate(plainly(foreign(code)).in("code")) }

// id is how a proxy is named where several pools are spoken of.
func id(pool, proxy string) string {
	if pool == "" {
		return proxy
	}
	return pool + "/" + proxy
}

func (s *speaker) list(items ...piece) piece { return join(s.comma, items...) }

func (s *speaker) parentheses(p piece) piece { return join("", plainly(" ("), p, plainly(")")) }
