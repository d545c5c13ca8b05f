package proxypool

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

// screen is where the command prints.
type screen struct {
	out           io.Writer
	file          *os.File // the terminal, nil where it is none
	width, height int      // 0: no limit
	colour        bool
	cut           bool // lines that are too long, because wrapped ones would push the frame out of the screen
}

// newScreen looks whether the output is a terminal, and how large.
func newScreen(out io.Writer) screen {
	s := screen{out: out}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.file, s.colour = file, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	s.measure()
	return s
}

// measure takes the size of the terminal, which may change.
func (s *screen) measure() {
	if s.file == nil {
		return
	}
	if width, height, err := term.GetSize(int(s.file.Fd())); err == nil {
		s.width, s.height = width, height
	}
}

func (s *screen) table(t *table.Table) error { return t.Write(s.out, s.width, s.colour) }

// say prints a line that may hold what others wrote.
func (s *screen) say(style table.Style, format string, args ...any) {
	text := table.Clean(fmt.Sprintf(format, args...))
	if s.cut {
		text = table.Fit(text, s.width)
	}
	fmt.Fprintln(s.out, table.Paint(text, style, s.colour))
}

// bytesOf is an amount of data as the pools count it, in powers of 1024.
func bytesOf(n int64) string {
	return strings.Replace(humanize.IBytes(uint64(max(n, 0))), "iB", "B", 1)
}

// dollars is an amount of money, of which a little is not shown as nothing.
func dollars(usd float64) string {
	switch {
	case usd == 0:
		return "$0"
	case usd > 0 && usd < 0.0001:
		return "<$0.0001"
	case math.Abs(usd) < 1:
		return fmt.Sprintf("$%.4f", usd)
	}
	return "$" + humanize.FormatFloat("#,###.##", usd)
}

// roughly is a time in its largest unit: 12s, 5m, 3h, 40d.
func roughly(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// since is how long ago a time of the API was, at another one; in how far ahead
// it is. Both are empty where there is none.
func since(at *string, now time.Time) string {
	if t, ok := moment(at); ok {
		return roughly(now.Sub(t))
	}
	return ""
}

func in(at *string, now time.Time) string {
	if t, ok := moment(at); ok {
		return "in " + roughly(t.Sub(now))
	}
	return ""
}

func moment(at *string) (time.Time, bool) {
	if at == nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, *at)
	return t, err == nil
}

// local is a time of the API on the clock here.
func local(at string) string {
	if t, ok := moment(&at); ok {
		return t.Local().Format(time.DateTime)
	}
	return at
}

// yes is a yes or no.
func yes(is bool) table.Cell {
	if is {
		return table.Cell{Text: "yes", Style: table.Green}
	}
	return table.Cell{Text: "no", Style: table.Red}
}
