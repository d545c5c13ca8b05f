package alert

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// phrases are all strings of the words, by their place in them.
func phrases(w *words) map[string]string {
	all := map[string]string{}
	var walk func(place string, v reflect.Value)
	walk = func(place string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			all[place] = v.String()
		case reflect.Array:
			for i := range v.Len() {
				walk(place+"."+string(rune('a'+i)), v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(place+"["+key.String()+"]", v.MapIndex(key))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.Name != "tag" {
					walk(place+"."+f.Name, v.Field(i))
				}
			}
		}
	}
	walk("", reflect.ValueOf(w).Elem())
	return all
}

var placeholder = regexp.MustCompile(`\{[a-z]*\}`)

// TestEachPhraseInEachLanguage finds what one language lacks: a phrase, or a
// value in it.
func TestEachPhraseInEachLanguage(t *testing.T) {
	en, fa := phrases(&english), phrases(&persian)
	if len(en) < 150 {
		t.Fatalf("only %d phrases were found", len(en))
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(fa))); diff != "" {
		t.Fatalf("the phrases differ (-en +fa)\n%s", diff)
	}
	inOrder := func(phrase string) []string {
		found := placeholder.FindAllString(phrase, -1)
		slices.Sort(found)
		return found
	}
	for place, phrase := range en {
		if phrase == "" || fa[place] == "" {
			t.Errorf("%s is empty: %q, %q", place, phrase, fa[place])
		}
		if diff := cmp.Diff(inOrder(phrase), inOrder(fa[place])); diff != "" {
			t.Errorf("%s has other values (-en +fa)\n%s", place, diff)
		}
	}
}

// TestNoValueIsMissing: a placeholder that the layout has no value for stays, and
// an empty one leaves a gap.
func TestNoValueIsMissing(t *testing.T) {
	gap := regexp.MustCompile(`[{}]|  |\(\)|^ | $|: *$|^:|[,،] *[,،]|<(b|i|code)></`)
	for _, l := range languages {
		for name, text := range texts(t, l) {
			for line := range strings.Lines(text.Plain + text.HTML) {
				if line = strings.Trim(line, rightToLeftMark+"\n"); gap.MatchString(line) {
					t.Errorf("%s.%s has a gap: %q", name, l, line)
				}
			}
		}
	}
}

// TestPersianLetters: keyboards for Arabic have other letters and digits that
// look alike, and searching does not find them.
func TestPersianLetters(t *testing.T) {
	for place, phrase := range phrases(&persian) {
		if i := strings.IndexFunc(phrase, func(r rune) bool {
			return strings.ContainsRune("يىك", r) || r >= '\u0660' && r <= '\u0669'
		}); i >= 0 {
			t.Errorf("%s has an Arabic letter or digit: %s", place, phrase[i:])
		}
		for _, joiner := range []string{" \u200c", "\u200c ", "\u200c\u200c"} {
			if strings.Contains(phrase, joiner) {
				t.Errorf("%s has a non-joiner beside nothing to join: %q", place, phrase)
			}
		}
		for _, spaced := range []string{" ها ", " های ", " می ", " نمی ", " ای "} {
			if strings.Contains(" "+phrase+" ", spaced) {
				t.Errorf("%s has %q, which wants a non-joiner: %s", place, spaced, phrase)
			}
		}
	}
}

// TestDocumentedReasons: what docs/troubleshooting.md explains has a phrase.
func TestDocumentedReasons(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| word | means | do |")
	table, _, _ = strings.Cut(table, "\n\n")
	var reasons []string
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) < 2 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			if !strings.Contains(m[1], "<") { // check: <word>
				reasons = append(reasons, m[1], "check: "+strings.TrimPrefix(m[1], "check: "))
			}
		}
	}
	if len(reasons) < 60 {
		t.Fatalf("only %d reasons were found: %q", len(reasons), reasons)
	}
	for _, l := range languages {
		s := l.speaker(nil)
		for _, reason := range reasons {
			code := strings.TrimPrefix(reason, "check: ")
			for _, unknown := range []piece{s.code(code), s.name(code)} {
				said := s.reason(reason).plain
				if said == unknown.plain || said == s.fill(s.reasons.check, values{"what": unknown}).plain {
					t.Errorf("%s has no phrase for %q", l, reason)
				}
			}
		}
	}
}

// TestReasonsOfThePool: what is recognised here is what the pool says.
func TestReasonsOfThePool(t *testing.T) {
	var said strings.Builder
	for _, pattern := range []string{"../pool/*.go", "../health/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no sources", err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				said.Write(source)
			}
		}
	}
	literals := []string{
		`"check: " + `, `"answered %d"`, `"%s answered %d"`, `"down: "+s.reason`, `"blocked by " + `, `"failing for " + `,
		`"budget spent: " + `, `"its last checks took more than " + `,
		`"%s of %s"`, `"%.2f USD"`, `"%.2f MB"`, `"%.2f GB"`, `" a day"`, `" a month"`, `" in total"`,
	}
	for sentence := range english.reasons.sentences {
		literals = append(literals, strconv.Quote(sentence))
	}
	for _, literal := range literals {
		if !strings.Contains(said.String(), literal) {
			t.Errorf("the pool does not say %s any more", literal)
		}
	}
}
