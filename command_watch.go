package proxypool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

const (
	minWatchInterval = 100 * time.Millisecond // a terminal shows no more
	watchTimeout     = 5 * time.Second
)

// What a terminal is told. The other screen gives back what was there before.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l"
	firstScreen = "\x1b[?25h\x1b[?1049l"
	toTheTop    = "\x1b[H"
	endOfLine   = "\x1b[K"
	endOfScreen = "\x1b[J"
)

// interval is how often the status is shown anew, 0 for once. It stands after
// the flag, with = or without.
func (a *asked) interval() (time.Duration, error) {
	raw := flag[string](a.cmd, "watch")
	if !a.cmd.Flags().Changed("watch") {
		if len(a.args) > 0 {
			return 0, fmt.Errorf("status takes no argument without --watch, got %q: a pool is --pool", a.args[0])
		}
		return 0, nil
	}
	if len(a.args) > 0 {
		raw = a.args[0]
	}
	every, err := caddy.ParseDuration(raw)
	if err != nil || every < minWatchInterval {
		return 0, fmt.Errorf("--watch: expected an interval of at least %v such as 2s, got %q", minWatchInterval, raw)
	}
	return every, nil
}

// watch shows the status again and again, until the context ends or a signal
// comes. It fails where the first answer does; after that it waits for Caddy to
// come back.
func (a *asked) watch(ctx context.Context, every time.Duration) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	answer, status, err := a.status(ctx, !a.json)
	if err != nil {
		return err
	}
	onTerminal := a.screen.file != nil && !a.json
	if onTerminal {
		fmt.Fprint(a.screen.out, otherScreen)
		defer fmt.Fprint(a.screen.out, firstScreen)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	shown := frame{answer: answer, status: status}
	for {
		if err := a.show(&shown, every); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		answer, status, err := a.statusSoon(ctx, every)
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err == nil:
			shown = frame{answer: answer, status: status}
		case shown.err == nil:
			shown.err, shown.lost = err, time.Now()
		default:
			shown.err = err
		}
	}
}

// statusSoon asks for the status, and takes a Caddy that hangs for lost before a
// single command would: what is shown is old by then.
func (a *asked) statusSoon(ctx context.Context, every time.Duration) (*reply, *statusAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, max(every, watchTimeout))
	defer cancel()
	return a.status(ctx, !a.json)
}

// frame is what --watch shows: the last answer, and since when none came.
type frame struct {
	answer *reply
	status *statusAnswer
	err    error     // nil while Caddy answers
	lost   time.Time // when it ceased to
}

// lostFor says that Caddy does not answer, and since when.
func (f *frame) lostFor() string {
	return table.Clean(fmt.Sprintf("Lost for %s, trying again: %v", roughly(time.Since(f.lost)), f.err))
}

// show shows a frame: on a terminal in the place of the one before, otherwise
// below it.
func (a *asked) show(f *frame, every time.Duration) error {
	switch {
	case a.json && f.err != nil:
		_, err := fmt.Fprintln(a.cmd.ErrOrStderr(), f.lostFor())
		return err
	case a.json:
		_, err := a.screen.out.Write(f.answer.body)
		return err
	case a.screen.file != nil:
		a.screen.measure()
		lines, err := a.screen.draw(f, fmt.Sprintf("%s, every %v, %s. Ctrl-C ends it.", a.remote.address, every, local(f.status.Timestamp)))
		if err == nil {
			_, err = fmt.Fprint(a.screen.out, toTheTop, strings.Join(lines, endOfLine+"\r\n"), endOfLine, endOfScreen)
		}
		return err
	case f.err != nil:
		_, err := fmt.Fprintln(a.screen.out, f.lostFor())
		return err
	}
	err := a.showStatus(f.status)
	fmt.Fprintln(a.screen.out)
	return err
}

// draw makes the lines of a frame, no more than there is room for: what the
// proxies come to, then the proxies.
func (s *screen) draw(f *frame, title string) ([]string, error) {
	var text bytes.Buffer
	drawn := *s
	drawn.out, drawn.cut = &text, true
	if f.err != nil {
		drawn.say(table.Red, "%s", f.lostFor())
	} else {
		drawn.say(table.Dim, "%s", title)
	}
	drawn.summary(f.status)
	fmt.Fprintln(&text)
	if err := drawn.table(statusTable(f.status, f.status.Proxies)); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	if s.height > 1 && len(lines) > s.height {
		more := len(lines) - s.height + 1
		lines = append(lines[:s.height-1:s.height-1], fmt.Sprintf("and %d more", more))
	}
	return lines, nil
}
