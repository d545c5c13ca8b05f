package alert

import "strings"

// piece is a part of a line, in both forms of a [Text].
type piece struct{ html, plain string }

// Telegram knows these and no more; quotes only matter in attributes, which we
// have none of.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

func plainly(s string) piece { return piece{html: escape(s), plain: s} }

func (p piece) in(tag string) piece {
	return piece{html: "<" + tag + ">" + p.html + "</" + tag + ">", plain: p.plain}
}

func (p piece) empty() bool { return p.plain == "" }

// join leaves out what is empty.
func join(separator string, pieces ...piece) piece {
	var all piece
	between := piece{}
	for _, p := range pieces {
		if p.empty() {
			continue
		}
		all.html += between.html + p.html
		all.plain += between.plain + p.plain
		between = plainly(separator)
	}
	return all
}
