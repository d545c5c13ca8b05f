// Package table lays rows out in columns that fit a terminal, whatever script
// the words in them are written in.
package table

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/text/unicode/bidi"
)

// gap is what stands between two columns.
const gap = "  "

// Column is one column of a table. One in which every cell is empty is left out.
type Column struct {
	Title string
	Right bool // aligned to the right, as numbers are
	Min   int  // above 0: may be cut down to this width where the terminal is narrow
	Drop  int  // above 0: left out where cutting is not enough, the highest first
}

// Style is how a cell looks on a terminal with colours.
type Style string

// The styles, as parameters of the escape sequence.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Cell is a text and its style.
type Cell struct {
	Text  string
	Style Style
	width int
}

// Table is rows under columns.
type Table struct {
	columns []Column
	rows    [][]Cell
}

// New returns a table without rows.
func New(columns ...Column) *Table { return &Table{columns: columns} }

// Text is a cell without a style.
func Text(text string) Cell { return Cell{Text: text} }

// Add adds a row, which has a cell for each column. What could steer the
// terminal is taken out of it.
func (t *Table) Add(cells ...Cell) {
	for i := range cells {
		cells[i].Text = Clean(cells[i].Text)
		cells[i].width = displaywidth.String(cells[i].Text)
	}
	t.rows = append(t.rows, cells)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Write writes the table in lines of at most width columns, 0 for no limit, with
// colours or without. Where not even the columns that are never left out fit,
// the lines are cut.
func (t *Table) Write(w io.Writer, width int, colour bool) error {
	shown, widths := t.fit(width)
	var text strings.Builder
	head := make([]Cell, len(t.columns))
	for i, column := range t.columns {
		head[i] = Cell{column.Title, Bold, displaywidth.String(column.Title)}
	}
	for _, row := range append([][]Cell{head}, t.rows...) {
		t.line(&text, row, shown, widths, colour)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// line writes the shown cells of a row.
func (t *Table) line(text *strings.Builder, row []Cell, shown, widths []int, colour bool) {
	last := len(shown) - 1
	for last > 0 && row[shown[last]].Text == "" {
		last-- // no spaces at the end of a line
	}
	for n, i := range shown[:last+1] {
		if n > 0 {
			text.WriteString(gap)
		}
		cell, width := row[i].Text, row[i].width
		if width > widths[i] {
			cell = Fit(cell, widths[i])
			width = displaywidth.String(cell)
		}
		padding := strings.Repeat(" ", max(0, widths[i]-width))
		if t.columns[i].Right {
			text.WriteString(padding)
		}
		text.WriteString(Paint(direct(cell), row[i].Style, colour))
		if !t.columns[i].Right && n < last {
			text.WriteString(padding)
		}
	}
	text.WriteByte('\n')
}

// fit chooses the columns that are shown, and how wide they are.
func (t *Table) fit(width int) (shown, widths []int) {
	widths = make([]int, len(t.columns))
	for i := range t.columns {
		for _, row := range t.rows {
			widths[i] = max(widths[i], row[i].width)
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], displaywidth.String(t.columns[i].Title))
			shown = append(shown, i)
		}
	}
	if width <= 0 {
		return shown, widths
	}
	for {
		over := total(shown, widths) - width
		if over <= 0 {
			return shown, widths
		}
		if t.slack(shown, widths) >= over {
			break
		}
		last := slices.MaxFunc(append([]int{-1}, shown...), func(a, b int) int { return t.drop(a) - t.drop(b) })
		if t.drop(last) == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == last })
	}
	t.cut(shown, widths, width)
	return shown, widths
}

func (t *Table) drop(i int) int {
	if i < 0 {
		return 0
	}
	return t.columns[i].Drop
}

// slack is by how much the shown columns can be cut.
func (t *Table) slack(shown, widths []int) (slack int) {
	for _, i := range shown {
		if least := t.columns[i].Min; least > 0 {
			slack += max(0, widths[i]-least)
		}
	}
	return slack
}

// cut takes from the widest column that may be cut, until all fit.
func (t *Table) cut(shown, widths []int, width int) {
	for total(shown, widths) > width {
		widest := -1
		for _, i := range shown {
			if least := t.columns[i].Min; least > 0 && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func total(shown, widths []int) int {
	sum := len(gap) * max(0, len(shown)-1)
	for _, i := range shown {
		sum += widths[i]
	}
	return sum
}

// Fit cuts a text that is wider than width, 0 for no limit, and shows that it did.
func Fit(text string, width int) string {
	if width <= 0 {
		return text
	}
	return displaywidth.TruncateString(text, width, "…")
}

// Paint gives a text its style, where there are colours.
func Paint(text string, style Style, colour bool) string {
	if !colour || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Clean takes out of a text what would move the cursor, change colours or turn
// the direction of what follows.
func Clean(text string) string {
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
}

// direct ends a text that is written from right to left, so that a number in the
// next column is not taken for a part of it and shown on its other side.
func direct(text string) string {
	const leftToRight = "\u200e"
	if plain(text) {
		return text
	}
	for _, r := range text {
		switch properties, _ := bidi.LookupRune(r); properties.Class() {
		case bidi.R, bidi.AL:
			return leftToRight + text + leftToRight
		}
	}
	return text
}

// plain reports whether a text is of printable ASCII alone, as most are.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
