package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

// patience is how long a command may take. Building Caddy takes minutes where
// nothing was built before.
const patience = 20 * time.Minute

// shell is the terminal that commands are typed in. What one of them exports is
// there for the next.
type shell struct {
	*terminal
	typed *os.File
	dir   string // for files
	count int
}

func openShell() (*shell, error) {
	dir, err := os.MkdirTemp("", "first-hour-")
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	t, err := open(read, "bash", "--noprofile", "--norc")
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	return &shell{terminal: t, typed: write, dir: dir}, nil
}

// run types a command and returns what it says and how it ended. What asks for
// a password gets one.
func (s *shell) run(command string) (says string, code int, err error) {
	s.count++
	from, mark := s.length(), fmt.Sprintf("=== end of command %d: ", s.count)
	end := regexp.MustCompile(`(?s)^(.*)` + mark + `(\d+)\n`)
	if _, err := fmt.Fprintf(s.typed, "{ %s\n} <<< $'secret\\nsecret'\nprintf '%%s%%d\\n' '%s' \"$?\"\n", command, mark); err != nil {
		return "", 0, fmt.Errorf("typing: %w", err)
	}
	if err := s.await(from, patience, end.MatchString); err != nil {
		return s.text(from), 0, err
	}
	found := end.FindStringSubmatch(s.text(from))
	code, err = strconv.Atoi(found[2])
	return found[1], code, err
}

// close leaves the shell, which ends by itself.
func (s *shell) close() error {
	defer func() { _ = os.RemoveAll(s.dir) }()
	_, _ = s.typed.WriteString("exit\n")
	_ = s.typed.Close()
	select {
	case <-s.ended:
		_ = s.ours.Close()
		return s.command.Wait()
	case <-time.After(time.Minute):
		return s.end(time.Minute)
	}
}
