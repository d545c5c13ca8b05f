package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// startQuickstart types what starts it in a terminal of its own.
func (w *walk) startQuickstart() error {
	if err := w.endQuickstart(); err != nil {
		return err
	}
	t, err := open(nil, "bash", "-c", quickstartCommand)
	if err != nil {
		return err
	}
	w.quickstart = t
	if err := t.await(0, patience, func(text string) bool { return strings.Contains(text, "Ctrl-C ends all of it") }); err != nil {
		return fmt.Errorf("%s: %w\n%s", quickstartCommand, err, t.text(0))
	}
	// Who reads takes a moment until something is typed: every proxy has
	// passed a check.
	_, _, err = w.shell.run("while curl -s localhost:2019/proxy_pool/status | grep -q '\"last_success\":null'; do sleep 0.1; done")
	return err
}

const quickstartCommand = "make run"

func (w *walk) endQuickstart() error {
	t := w.quickstart
	if t == nil {
		return nil
	}
	w.quickstart = nil
	err := t.end(time.Minute) // make itself fails where it is interrupted
	if text := t.text(0); !strings.Contains(text, "\nended\n") {
		return fmt.Errorf("%s ended otherwise than by Ctrl-C: %w\n%s", quickstartCommand, err, text)
	}
	return nil
}

// checkTerminal compares a block with what the quickstart's terminal shows: each
// line must be there, as often as it is shown. Lines of things that happen at
// once come in any order.
func (w *walk) checkTerminal(b *block) error {
	if w.quickstart == nil {
		return errors.New("a block of no language, while the quickstart does not run: expected it to be what that says")
	}
	var missing []string
	err := w.quickstart.await(0, 10*time.Second, func(text string) bool {
		missing = absent(b.text, text)
		return len(missing) == 0
	})
	if err != nil {
		return fmt.Errorf("the terminal of %s shows no such line:\n%s\nbut\n%s", quickstartCommand, strings.Join(missing, "\n"), w.quickstart.text(0))
	}
	return nil
}

// absent are the lines that are shown more often than they came.
func absent(shown, came string) (missing []string) {
	left := make(map[string]int)
	for line := range strings.Lines(came) {
		left[shape(line)]++
	}
	for line := range strings.Lines(shown) {
		if left[shape(line)]--; left[shape(line)] < 0 {
			missing = append(missing, strings.TrimSuffix(line, "\n"))
		}
	}
	return missing
}
