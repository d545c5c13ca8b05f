package main

import (
	"fmt"
	"strings"
)

// block is a fenced piece of a page.
type block struct {
	line     int    // of the page, of the fence
	language string // of the fence; "" where it has none
	text     string // with a line end behind each line
	before   string // the prose since the block before, or the heading
}

// name is how a block is told apart from others: by its first line.
func (b *block) name() string {
	first, _, _ := strings.Cut(b.text, "\n")
	return strings.TrimSpace(first)
}

// blocks are the fenced pieces of a page, in order.
func blocks(page string) ([]*block, error) {
	var all []*block
	var open *block
	var prose strings.Builder
	for i, line := range strings.Split(page, "\n") {
		fence, found := strings.CutPrefix(line, "```")
		switch {
		case found && open == nil:
			open = &block{line: i + 1, language: fence, before: prose.String()}
			prose.Reset()
		case found:
			all, open = append(all, open), nil
		case open != nil:
			open.text += line + "\n"
		default:
			prose.WriteString(line + "\n")
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the fence of line %d has no end", open.line)
	}
	return all, nil
}

// step is a command as it is shown, and what it says.
type step struct {
	line          int
	command, says string
}

// steps are the commands of a console block: what follows "$ ", and until the
// next what it says.
func (b *block) steps() ([]step, error) {
	var all []step
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		if command, found := strings.CutPrefix(line, "$ "); found {
			all = append(all, step{line: b.line + 1 + i, command: command})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("line %d: expected a command after \"$ \"", b.line+1+i)
		}
		all[len(all)-1].says += line + "\n"
	}
	return all, nil
}

// lines are the commands of a sh block, without its comments.
func (b *block) lines() []step {
	var all []step
	for i, line := range strings.Split(b.text, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, step{line: b.line + 1 + i, command: line})
		}
	}
	return all
}
