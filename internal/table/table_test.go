package table

import (
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
)

func sample() *Table {
	t := New(Column{Title: "PROXY", Min: 8}, Column{Title: "STATUS"}, Column{Title: "NOTHING"},
		Column{Title: "COST", Right: true, Drop: 1}, Column{Title: "REQUESTS", Right: true, Drop: 2}, Column{Title: "REASON", Min: 6})
	t.Add(Text("VPS-Germany-Main"), Cell{Text: "down", Style: Red}, Text(""), Text("$0"), Text("1,204"), Text("dial_refused"))
	t.Add(Text("مسکونی‌تهران"), Cell{Text: "healthy", Style: Green}, Text(""), Text("$12.50"), Text("7"), Text(""))
	return t
}

func TestTable(t *testing.T) {
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"as wide as it is", 0, `
PROXY             STATUS     COST  REQUESTS  REASON
VPS-Germany-Main  down         $0     1,204  dial_refused
مسکونی‌تهران       healthy  $12.50         7
`},
		{"cut", 50, `
PROXY       STATUS     COST  REQUESTS  REASON
VPS-Germa…  down         $0     1,204  dial_refus…
مسکونی‌تهر…  healthy  $12.50         7
`},
		{"a column less", 40, `
PROXY       STATUS     COST  REASON
VPS-Germa…  down         $0  dial_refus…
مسکونی‌تهر…  healthy  $12.50
`},
		{"two columns less", 25, `
PROXY     STATUS   REASON
VPS-Ger…  down     dial_…
مسکونی‌ت…  healthy
`},
		{"too narrow for all", 3, `
PROXY     STATUS   REASON
VPS-Ger…  down     dial_…
مسکونی‌ت…  healthy
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			if err := sample().Write(&text, test.width, false); err != nil {
				t.Fatal(err)
			}
			got := "\n" + strings.ReplaceAll(text.String(), "\u200e", "")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for line := range strings.Lines(text.String()) {
				if width := displaywidth.String(strings.TrimRight(line, "\n")); test.width >= 25 && width > test.width {
					t.Errorf("a line of %d columns: %q", width, line)
				}
			}
		})
	}
}

func TestColours(t *testing.T) {
	var plain, coloured strings.Builder
	_ = sample().Write(&plain, 0, false)
	_ = sample().Write(&coloured, 0, true)
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[31mdown\x1b[0m  ") {
		t.Errorf("plain:\n%q\ncoloured:\n%q", plain.String(), coloured.String())
	}
}

// TestRightToLeft: after a Persian name the line goes on from left to right.
func TestRightToLeft(t *testing.T) {
	var text strings.Builder
	_ = sample().Write(&text, 0, false)
	if !strings.Contains(text.String(), "\u200eمسکونی‌تهران\u200e ") || strings.Contains(text.String(), "VPS-Germany-Main\u200e") {
		t.Errorf("%q", text.String())
	}
}

// TestClean: no name and no error steers the terminal.
func TestClean(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "VPS-1 مسکونی‌تهران", "VPS-1 مسکونی‌تهران"},
		{"escape sequence", "a\x1b[2Jb", "a\ufffd[2Jb"},
		{"one byte of C1", "a\u009b2Jb", "a\ufffd2Jb"},
		{"new line", "a\r\nb", "a\ufffd\ufffdb"},
		{"override", "a\u202eb\u2066c", "abc"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := New(Column{Title: "T"})
			table.Add(Text(test.text))
			if got := table.rows[0][0].Text; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
