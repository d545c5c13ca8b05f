// Command firsthour follows a page of the documentation as a stranger does: it
// types every command that the page shows, in order, and compares what came with
// what is shown. It runs in a root in which there is nothing but what the page
// says is needed: see root.sh, which "make first-hour" runs.
//
//	firsthour <page>...
//
// What is compared how is in compare.go, and what is left out, and why, in
// leftout.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// walks is how often a page is followed at most. Checks and requests meet now and
// then in another order than they usually do, which a reader would not wonder at.
// What is wrong on the page is so each time.
const walks = 3

func main() {
	failed := false
	for _, page := range os.Args[1:] {
		if err := followed(page); err != nil {
			fmt.Printf("%s: %v\n", page, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// followed follows a page until all is as shown. Its error is what was not in any
// of the walks.
func followed(page string) error {
	var always map[int]error
	for n := 1; ; n++ {
		mistakes, err := follow(page)
		if err != nil {
			return err
		}
		for line := range always {
			if mistakes[line] == nil {
				delete(always, line)
			}
		}
		if n == 1 {
			always = mistakes
		}
		if len(always) == 0 || n == walks {
			return errors.Join(slices.Collect(maps.Values(always))...)
		}
		for _, line := range slices.Sorted(maps.Keys(mistakes)) {
			fmt.Printf("%s: once not as shown: %v\n", page, mistakes[line])
		}
	}
}

// walk is a walk through a page.
type walk struct {
	page       string
	shell      *shell
	quickstart *terminal
	mistakes   map[int]error // by line of the page
	tried      int
}

// follow follows a page once, and returns what was not as shown.
func follow(page string) (mistakes map[int]error, err error) {
	text, err := os.ReadFile(page) //nolint:gosec // the page is the caller's
	if err != nil {
		return nil, err
	}
	all, err := blocks(string(text))
	if err != nil {
		return nil, err
	}
	w := &walk{page: page, mistakes: make(map[int]error)}
	if w.shell, err = openShell(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.endQuickstart(), w.shell.close()) }()
	begin := time.Now()
	for _, b := range all {
		if err := w.try(b); err != nil {
			return nil, fmt.Errorf("line %d: %w", b.line, err)
		}
	}
	fmt.Printf("%s: %d pieces tried, %d not as shown, in %v\n", page, w.tried, len(w.mistakes), time.Since(begin).Round(time.Second))
	return w.mistakes, nil
}

// try tries a block. Its error is one after which nothing else can be tried.
func (w *walk) try(b *block) error {
	if why := whyLeftOut(b.text); why != "" {
		w.leave(b.line, b.name(), why)
		return nil
	}
	if strings.Contains(strings.Join(strings.Fields(b.before), " "), "fresh quickstart") {
		if err := w.startQuickstart(); err != nil {
			return err
		}
	}
	switch b.language {
	case "sh":
		return w.tryAll(b.lines())
	case "console":
		steps, err := b.steps()
		if err != nil {
			return err
		}
		return w.tryAll(steps)
	case "caddyfile":
		w.note(b.line, w.checkCaddyfile(b))
	case "json":
		if !json.Valid([]byte(b.text)) {
			w.note(b.line, errors.New("not valid JSON"))
		}
	case "":
		w.note(b.line, w.checkTerminal(b))
	default:
		return fmt.Errorf("a block in %s, of which nothing is known here", b.language)
	}
	w.tried++
	return nil
}

func (w *walk) tryAll(steps []step) error {
	for _, s := range steps {
		if why := whyLeftOut(s.command); why != "" {
			w.leave(s.line, s.command, why)
			continue
		}
		w.tried++
		if s.command == quickstartCommand {
			if err := w.startQuickstart(); err != nil {
				return err
			}
			continue
		}
		if err := w.enter(s); err != nil {
			return fmt.Errorf("line %d: %s: %w", s.line, s.command, err)
		}
	}
	return nil
}

// enter types a command and compares what it says. One that shows nothing must
// not fail.
func (w *walk) enter(s step) error {
	says, code, err := w.shell.run(inPlace.Replace(s.command))
	if err != nil {
		return err
	}
	switch {
	case s.says == "" && code != 0:
		w.note(s.line, fmt.Errorf("%s\nends with %d, and says\n%s", s.command, code, says))
	case s.says != "" && !same(s.says, says):
		w.note(s.line, fmt.Errorf("%s\nis shown to say\n%sand says\n%s", s.command, s.says, says))
	}
	return nil
}

func (w *walk) note(line int, err error) {
	if err != nil {
		w.mistakes[line] = fmt.Errorf("line %d: %w", line, err)
	}
}

func (w *walk) leave(line int, what, why string) {
	fmt.Printf("%s:%d: left out: %.60s: %s\n", w.page, line, what, why)
}
