package alert

import (
	"context"
	"errors"
	"strings"
)

// The commands, in the order that help lists them in. Placeholders such as
// <host> are the same in all languages, as in every manual.
var commands = []struct {
	name, arg string
	run       func(*answer, string)
}{
	{"status", "", (*answer).status},
	{"usage", "", (*answer).usage},
	{"check", "", (*answer).check},
	{"explain", "<host>", (*answer).explain},
	{"enable", "<proxy>", func(a *answer, proxy string) { a.setDisabled(proxy, false) }},
	{"disable", "<proxy>", func(a *answer, proxy string) { a.setDisabled(proxy, true) }},
	{"help", "", nil},
}

// Run carries out a command and renders the answer, which is also what went
// wrong. Times are in the zone that the console tells them in.
func (l Language) Run(ctx context.Context, c Console, cmd Command) Text {
	a := &answer{page: newPage(l, nil), ctx: ctx, asked: c}
	name, arg := strings.ToLower(cmd.Name), strings.TrimSpace(cmd.Arg)
	for _, known := range commands {
		switch {
		case known.name != name || known.run == nil:
		case known.arg != "" && arg == "":
			a.line(a.fill(a.console.write, values{"command": a.command(known.name, known.arg)}))
			return a.text()
		default:
			known.run(a, arg)
			return a.text()
		}
	}
	if name != "help" && name != "start" {
		a.line(a.fill(a.console.unknown, values{"command": a.command(cmd.Name, "")}))
		a.gap()
	}
	a.help()
	return a.text()
}

// answer is the page of one command.
type answer struct {
	page
	ctx   context.Context // of the one call of Run that this lives for
	asked Console
}

// command is one to be tapped, which sends it, or copied where it needs more.
func (a *answer) command(name, arg string) piece {
	if arg == "" {
		return a.name("/" + name)
	}
	return a.code("/" + name + " " + arg)
}

func (a *answer) help() {
	a.headline("", a.fill(a.console.help, nil))
	for _, c := range commands {
		a.line(a.command(c.name, c.arg), plainly(" – "), a.fill(a.console.commands[c.name], nil))
	}
}

// failed says what the console could not do with arg.
func (a *answer) failed(err error, arg string) {
	w := &a.console
	v := values{"arg": a.code(arg)}
	phrase := w.failed
	switch {
	case errors.Is(err, ErrUnknown):
		phrase = w.noProxy
	case errors.Is(err, ErrAmbiguous):
		phrase = w.ambiguous
		v["id"] = a.code("<pool>/" + arg)
	case errors.Is(err, ErrTarget):
		phrase = w.noTarget
	default:
		v["error"] = a.name(err.Error())
	}
	a.line(plainly("⚠️ "), a.fill(phrase, v))
}

func (a *answer) check(string) {
	counts, err := a.asked.Check(a.ctx)
	if err != nil {
		a.failed(err, "")
		return
	}
	a.headline("", a.fill(a.console.checked, nil))
	a.counts(&counts)
}

func (a *answer) setDisabled(proxy string, off bool) {
	w := &a.console
	p, err := a.asked.SetDisabled(a.ctx, proxy, off)
	if err != nil {
		a.failed(err, proxy)
		return
	}
	done := w.enabled
	if off {
		done = w.disabled
	}
	a.headline("", a.fill(done, values{"proxy": a.name(p.Name)}))
	a.field(a.labels.pool, a.name(p.Pool))
	a.field(a.labels.status, join(a.comma, a.code(p.Status), a.reason(p.Reason)))
	if off {
		a.line(a.fill(w.stays, values{"command": a.command("enable", id(p.Pool, p.Name))}))
	}
}
