package alert

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf16"
)

// TestEveryKindHasATexts: a kind that is added needs a text in each language.
func TestEveryKindHasTexts(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "alert.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	covered := map[Kind][]string{}
	for name, a := range alerts() {
		covered[a.Kind] = append(covered[a.Kind], name)
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Kind") {
			return true
		}
		kinds++
		kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		names := covered[Kind(kind)]
		if len(names) == 0 {
			t.Errorf("no text of the kind %s is tested", kind)
		}
		for _, l := range languages {
			for _, name := range names {
				if _, err := os.Stat(filepath.Join("testdata", name+"."+string(l)+".golden")); err != nil {
					t.Error(err)
				}
			}
			text := l.Message(&Alert{Kind: Kind(kind)}, nil)
			if unknown := l.Message(&Alert{Kind: "x"}, nil); text.Plain == strings.ReplaceAll(unknown.Plain, "x", kind) {
				t.Errorf("%s does not know the kind %s", l, kind)
			}
		}
		return true
	})
	if kinds < 14 {
		t.Errorf("only %d kinds were found", kinds)
	}
}

var tag = regexp.MustCompile(`<(/?)([^<>]*)>`)

// TestHTML: the two forms say the same, and Telegram takes the HTML: <b>, <i>
// and <code> alone, none in another, each closed on its line.
func TestHTML(t *testing.T) {
	for _, l := range languages {
		for name, text := range texts(t, l) {
			if plain := html.UnescapeString(tag.ReplaceAllString(text.HTML, "")); plain != text.Plain {
				t.Errorf("%s.%s: the HTML says\n%s\nand the plain text\n%s", name, l, plain, text.Plain)
			}
			if !strings.HasSuffix(text.HTML, "\n") || !strings.HasSuffix(text.Plain, "\n") {
				t.Errorf("%s.%s: the last line has no end", name, l)
			}
			for line := range strings.Lines(text.HTML) {
				open := ""
				for _, m := range tag.FindAllStringSubmatch(line, -1) {
					switch {
					case m[1] == "" && open == "" && (m[2] == "b" || m[2] == "i" || m[2] == "code"):
						open = m[2]
					case m[1] == "/" && open == m[2]:
						open = ""
					default:
						t.Errorf("%s.%s: unexpected %s in %s", name, l, m[0], line)
					}
				}
				if open != "" {
					t.Errorf("%s.%s: <%s> is not closed in %s", name, l, open, line)
				}
			}
		}
	}
}

func TestFirstLine(t *testing.T) {
	for priority, emoji := range map[Priority]string{High: "🚨", Normal: "🔔", Low: "ℹ️", "": "🔔"} {
		for _, l := range languages {
			a := Alert{Kind: KindTest, Priority: priority}
			first, _, _ := strings.Cut(l.Message(&a, nil).HTML, "\n")
			if !strings.HasPrefix(strings.TrimPrefix(first, rightToLeftMark), emoji+" <b>") || !strings.HasSuffix(first, "</b>") {
				t.Errorf("%q in %s begins with %q", priority, l, first)
			}
		}
	}
}

// TestIsolates: in each line, what has another direction than the language stands
// in an isolate, and nothing stretches farther than its line.
func TestIsolates(t *testing.T) {
	for _, l := range languages {
		for name, text := range texts(t, l) {
			for line := range strings.Lines(text.Plain) {
				rest, marked := strings.CutPrefix(line, rightToLeftMark)
				if marked != (l == Persian) {
					t.Errorf("%s.%s: begins with a mark: %v: %q", name, l, marked, line)
				}
				depth := 0
				for _, r := range rest {
					switch {
					case r == '\u2068':
						depth++
					case r == '\u2069':
						depth--
					case depth < 0, depth == 0 && l == Persian && unicode.Is(unicode.Latin, r),
						depth == 0 && l == English && unicode.Is(unicode.Arabic, r),
						unicode.Is(unicode.Bidi_Control, r) && (r != '\u200f' || l != Persian):
						t.Errorf("%s.%s: %q in %q", name, l, r, line)
					}
				}
				if depth != 0 {
					t.Errorf("%s.%s: %d isolates are open at the end of %q", name, l, depth, line)
				}
			}
		}
	}
}

// TestLongestLines: a message is cut between lines, so that each must be shorter
// than a message may be: 4096 UTF-16 units, some of which are for its parts.
func TestLongestLines(t *testing.T) {
	const most = 3500
	check := func(what string, text Text) {
		t.Helper()
		for line := range strings.Lines(text.HTML) {
			if n := len(utf16.Encode([]rune(line))); n > most {
				t.Errorf("%s: a line of %d units: %.200s...", what, n, line)
			}
		}
	}
	target := strings.Repeat("w", 253) + ":65535"
	blocked := "blocked by " + target + strings.Repeat(", "+target, 200)
	for _, letter := range []string{"W", "&", "<", "م", "🚀"} {
		longName := strings.Repeat(letter, 64)
		for _, l := range languages {
			for name, a := range alerts() {
				a.Pool, a.Targets = longName, []string{target}
				if a.Carrier != "" {
					a.Carrier = longName
				}
				for i := range a.Changes {
					a.Changes[i].Proxy, a.Changes[i].Reason = longName, blocked
				}
				if a.Budget != nil {
					a.Budget.Proxy = longName
				}
				if a.Report != nil && a.Report.Top != nil {
					a.Report.Top.Pool, a.Report.Top.Proxy = longName, longName
				}
				check(name, l.Message(&a, tehran))
			}
			c := &fakeConsole{
				pools: []PoolStatus{{Pool: longName, Carrier: longName, Proxies: []ProxyStatus{
					{Name: longName, Status: "blocked", Reason: blocked, Active: true},
					{Name: longName, Status: "down", Reason: strings.Repeat(letter, 5000), Active: true},
				}}},
				use:      Usage{Rows: []UsageRow{{Pool: longName, Proxy: longName, Budget: strings.Repeat(letter, 5000)}}},
				explains: []Explanation{{Pool: longName, Target: target, Proxies: []Verdict{{Proxy: longName, Reason: "failing for " + target}}}},
				proxy:    ProxyStatus{Pool: longName, Name: longName, Reason: blocked},
			}
			for _, command := range commands {
				cmd := Command{command.name, strings.Repeat(letter, 4000)}
				check(command.name, l.Run(t.Context(), c, cmd))
				for _, err := range []error{ErrUnknown, ErrAmbiguous, ErrTarget, os.ErrClosed} {
					check(command.name, l.Run(t.Context(), &fakeConsole{err: err}, cmd))
				}
			}
		}
	}
}

// TestForeignText: names arrive as they are, but for what would reach beyond.
func TestForeignText(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":               {"VPS-1", "VPS-1"},
		"Persian":             {"پروکسی آلمان", "پروکسی آلمان"},
		"joiners":             {"می\u200cشود 👨\u200d💻", "می\u200cشود 👨\u200d💻"},
		"flags and variation": {"🇩🇪 ⚠️", "🇩🇪 ⚠️"},
		"markup":              {"<b>&amp;</b>", "<b>&amp;</b>"},
		"embeddings":          {"\u202aa\u202bb\u202cc\u202dd\u202ee", "abcde"},
		"isolates":            {"\u2066a\u2067b\u2068c\u2069d\u2069\u2069", "abcd"},
		"marks":               {"\u200ea\u200fb\u061cc", "abc"},
		"line ends":           {"a\nb\r\nc\u2028d\u2029e\u0085f", "a b  c d e f"},
		"other controls":      {"a\x00b\x1b[31m", "a b [31m"},
		"not UTF-8":           {"a\xffb", "a\ufffdb"},
		"space around":        {" \n a \t", "a"},
		"nothing":             {"", ""},
		"as long as may be":   {strings.Repeat("م", maxForeign), strings.Repeat("م", maxForeign)},
		"too long":            {strings.Repeat("م", maxForeign+1), strings.Repeat("م", maxForeign-1) + "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := foreign(tt.in); got != tt.want {
				t.Errorf("%q became %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// TestUnknownLanguage: one that is not known is better in English than not told.
func TestUnknownLanguage(t *testing.T) {
	a := Alert{Kind: KindTest}
	if got, want := Language("xx").Message(&a, nil), English.Message(&a, nil); got != want {
		t.Errorf("%+v", got)
	}
}

// TestFromJSON: a stored alert is rendered as the one that was stored, and two at
// once, in one language or two, are no race.
func TestFromJSON(t *testing.T) {
	var all sync.WaitGroup
	for _, l := range languages {
		for name, a := range alerts() {
			all.Go(func() {
				stored, err := json.Marshal(&a)
				if err != nil {
					t.Error(err)
				}
				var back Alert
				if err := json.Unmarshal(stored, &back); err != nil {
					t.Error(err)
				}
				if l.Message(&a, tehran) != l.Message(&back, tehran) {
					t.Errorf("%s is told otherwise after it was stored", name)
				}
			})
		}
	}
	all.Wait()
}
