package alert

import (
	"strings"
	"time"
)

// page writes a [Text] line by line, so that nothing spans two lines and a long
// one can be cut between any two.
type page struct {
	*speaker
	html, plain strings.Builder
}

func newPage(l Language, where *time.Location) page {
	return page{speaker: l.speaker(where)}
}

func (p *page) text() Text { return Text{HTML: p.html.String(), Plain: p.plain.String()} }

func (p *page) line(pieces ...piece) {
	line := join("", pieces...)
	p.html.WriteString(p.lineMark + line.html + "\n")
	p.plain.WriteString(p.lineMark + line.plain + "\n")
}

func (p *page) gap() { p.line() }

// headline is bold as a whole, so that it has no code in it: Telegram refuses
// <code> within anything else.
func (p *page) headline(emoji string, words piece) {
	if emoji != "" {
		emoji += " "
	}
	p.line(plainly(emoji), words.in("b"))
}

func (p *page) item(pieces ...piece) { p.line(plainly("• "), join("", pieces...)) }

func (p *page) field(label string, value piece) { p.line(p.labelled(label, value)) }

func (p *page) labelled(label string, value piece) piece {
	return join("", p.fill(label, nil), plainly(": "), value)
}
