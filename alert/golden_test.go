package alert

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the texts into the golden files")

const dashes = "----------\n"

var languages = []Language{English, Persian}

// texts are all that the package says, by the name of its golden file.
func texts(t *testing.T, l Language) map[string]Text {
	t.Helper()
	all := map[string]Text{}
	for name, a := range alerts() {
		if a.Pool == "" && a.Report == nil && a.Kind != KindTest {
			a.Pool = "main"
		}
		a.Time = raised
		all[name] = l.Message(&a, tehran)
	}
	for name, c := range commandCases() {
		all["answer-"+name] = l.Run(t.Context(), c.console, c.command)
	}
	return all
}

// TestTexts compares each text with its golden file: the HTML, a line of dashes,
// and the same without markup.
func TestTexts(t *testing.T) {
	var want []string
	for _, l := range languages {
		for name, text := range texts(t, l) {
			path := filepath.Join("testdata", name+"."+string(l)+".golden")
			want = append(want, path)
			t.Run(filepath.Base(path), func(t *testing.T) {
				got := text.HTML + dashes + text.Plain
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				golden, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.ReplaceAll(string(golden), "\r\n", "\n"), got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.Contains(want, file) {
			t.Errorf("%s belongs to no text any more", file)
		}
	}
}
