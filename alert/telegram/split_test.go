package telegram

import (
	"html"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
)

func TestSplit(t *testing.T) {
	a, b := strings.Repeat("a", 3000), strings.Repeat("b", 3000)
	// An emoji is two units, a Persian letter one.
	emoji, persian := strings.Repeat("🚨", 2048), strings.Repeat("پ", 4096)
	amp := strings.Repeat("&amp;", 819) // 4095 units
	tests := []struct {
		name, html string
		want       []string
	}{
		{"short", "<b>x</b>\ny\n", []string{"<b>x</b>\ny\n"}},
		{"empty", "", nil},
		{"blank", " \n\n", nil},
		{"nothing but markup", "<b> </b>", nil},
		{"between lines", a + "\n" + b, []string{a, b}},
		{"as few as can be", a + "\nx\n" + b + "\ny", []string{a + "\nx", b + "\ny"}},
		{"full to the last unit", strings.Repeat("x", 4094) + "\ny", []string{strings.Repeat("x", 4094) + "\ny"}},
		{"one unit more", strings.Repeat("x", 4095) + "\ny", []string{strings.Repeat("x", 4095), "y"}},
		{"emoji fit", emoji, []string{emoji}},
		{"emoji do not", emoji + "🚨", []string{emoji, "🚨"}},
		{"an emoji is not cut", "x" + emoji, []string{"x" + emoji[:2047*4], "🚨"}},
		{"Persian fits", persian, []string{persian}},
		{"Persian does not", persian + "پ", []string{persian, "پ"}},
		{"an entity is not cut", amp + "&amp;", []string{amp, "&amp;"}},
		{"a number of one neither", amp + "&#128680;z", []string{amp, "&#128680;z"}},
		{"what is no entity is", strings.Repeat("x", 4095) + "&yz", []string{strings.Repeat("x", 4095) + "&", "yz"}},
		{"the markup of a long line goes", "<b>" + strings.Repeat("x", 4097) + "</b>\n<i>y</i>", []string{strings.Repeat("x", 4096), "x\n<i>y</i>"}},
		{"blank lines are no message", "a" + strings.Repeat("\n", 9000) + "b", []string{"a" + strings.Repeat("\n", 4095), "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, text := range split(alert.Text{HTML: tt.html, Plain: plain(tt.html)}) {
				got = append(got, text.HTML)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlain is the language's own where it is sent whole, and what is read of the
// HTML otherwise.
func TestPlain(t *testing.T) {
	whole := alert.Text{HTML: "<b>x</b> 1 < 2", Plain: "x: 1 < 2"}
	if got := split(whole); !slices.Equal(got, []alert.Text{whole}) {
		t.Errorf("got %q", got)
	}
	line := "<b>" + strings.Repeat("x", 3000) + "</b> &lt;"
	got := split(alert.Text{HTML: line + "\n" + line, Plain: "not shown"})
	want := strings.Repeat("x", 3000) + " <"
	if len(got) != 2 || got[0].Plain != want || got[1].Plain != want {
		t.Errorf("got %q", got)
	}
	if got := split(alert.Text{HTML: "<b>x</b>"}); len(got) != 1 || got[0].Plain != "x" {
		t.Errorf("without a plain text: %q", got)
	}
}

// TestAtMostTenParts, the last of which says that there was more.
func TestAtMostTenParts(t *testing.T) {
	line := strings.Repeat("x", 4000)
	ten := strings.TrimSuffix(strings.Repeat(line+"\n", 10), "\n")
	if got := split(alert.Text{HTML: ten}); len(got) != 10 || got[9].HTML != line {
		t.Errorf("%d parts of ten", len(got))
	}
	got := split(alert.Text{HTML: ten + "\ny"})
	if len(got) != 10 || got[9].HTML != line+"\ny" {
		t.Errorf("%d parts, the last %q", len(got), got[len(got)-1])
	}
	got = split(alert.Text{HTML: ten + "\n" + ten})
	if len(got) != 10 || got[9].HTML != line+"\n…" || got[9].Plain != line+"\n…" {
		t.Errorf("%d parts, the last %q", len(got), got[len(got)-1])
	}
	full := strings.Repeat(strings.Repeat("&amp;", 819)+"\n", 11)
	got = split(alert.Text{HTML: full})
	if last := got[len(got)-1]; len(got) != 10 || units(last.HTML) > maxUnits || !strings.HasSuffix(last.HTML, "&amp;\n…") {
		t.Errorf("%d parts, the last %q", len(got), last.HTML)
	}
}

// FuzzSplit: every message is one that Telegram takes, and together they say
// what the text says.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"x", "🚨 پروکسی", "a & b < c", "two\nlines", "\xff\xfe", strings.Repeat("🚨&", 50)} {
		f.Add(s, 1, false)
		f.Add(s, 900, true)
	}
	f.Fuzz(func(t *testing.T, words string, times int, bold bool) {
		if times < 0 || times > 2000 || len(words)*times > 200_000 {
			return
		}
		text := html.EscapeString(words)
		if bold { // each line, because no element spans two
			text = "<b>" + strings.ReplaceAll(text, "\n", "</b>\n<b>") + "</b>"
		}
		text = strings.Repeat(text, times)
		parts := split(alert.Text{HTML: text})
		if len(parts) > maxParts {
			t.Fatalf("%d parts", len(parts))
		}
		var said strings.Builder
		for _, part := range parts {
			checkPart(t, part)
			said.WriteString(part.Plain)
		}
		want, got := squeeze(plain(strings.ToValidUTF8(text, "\uFFFD"))), squeeze(said.String())
		if cut := strings.TrimSuffix(got, more); len(parts) == maxParts && strings.HasPrefix(want, cut) {
			return
		}
		if got != want {
			t.Errorf("said %q\nexpected %q", got, want)
		}
	})
}

func checkPart(t *testing.T, part alert.Text) {
	t.Helper()
	switch {
	case units(part.HTML) > maxUnits:
		t.Errorf("a part of %d units", units(part.HTML))
	case !utf8.ValidString(part.HTML) || !utf8.ValidString(part.Plain):
		t.Errorf("not UTF-8: %q", part)
	case isBlank(part.Plain):
		t.Errorf("a blank part: %q", part)
	case strings.Count(part.HTML, "<b>") != strings.Count(part.HTML, "</b>"):
		t.Errorf("an element is cut: %q", part.HTML)
	}
}

// squeeze leaves out white space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
