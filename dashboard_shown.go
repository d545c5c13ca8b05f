package proxypool

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// audience is who reads an answer. Admins ask Caddy's admin endpoint and are told
// all; visitors of a dashboard, who may be others, are not told where alerts go
// nor where files are, and those of a page of one pool nothing about the rest.
type audience int

const (
	admins audience = iota
	visitors
	visitorsOfPool
)

// audience is who the page's answers are for.
func (d *Dashboard) audience() audience {
	if d.Pool != "" {
		return visitorsOfPool
	}
	return visitors
}

// store is how the books do.
func (a *adminAPI) store() storeAnswer {
	answer := newStoreAnswer(a.app.books.Health())
	switch {
	case answer.OK, a.audience == admins:
	case a.audience == visitors:
		answer.Error = withoutFolders(answer.Error)
	default:
		return storeAnswer{Error: seeLog}
	}
	if a.audience == visitorsOfPool {
		answer.Dropped = 0 // the rows may be another pool's
	}
	return answer
}

// notifiers are how the deliveries of alerts do. They are for all pools.
func (a *adminAPI) notifiers() []notifierAnswer {
	if a.audience == visitorsOfPool {
		return []notifierAnswer{}
	}
	answers := newNotifierAnswers(a.app.registry.desk.Health())
	if a.audience == visitors {
		names := make(discreetNames)
		for i := range answers {
			one := &answers[i]
			one.Error, one.CommandsError = withoutPlace(one.Notifier, one.Error), withoutPlace(one.Notifier, one.CommandsError)
			one.Notifier = names.next(one.Notifier)
		}
	}
	return answers
}

// discreetNames counts the destinations of each kind.
type discreetNames map[string]int

// next is what visitors are shown of a destination's name, in which there may be
// a chat's number or a host: its kind, with a number from the second of a kind on.
func (n discreetNames) next(name string) string {
	kind, _, _ := strings.Cut(name, " ")
	n[kind]++
	if n[kind] == 1 {
		return kind
	}
	return kind + " " + strconv.Itoa(n[kind])
}

// chatNumber is a number that is no status, port or duration.
var chatNumber = regexp.MustCompile(`-?\b[0-9]{6,}\b`)

// withoutPlace takes out of an error about a destination where that is.
func withoutPlace(name, text string) string {
	kind, rest, _ := strings.Cut(name, " ")
	place, _, _ := strings.Cut(rest, " ") // "#2"
	switch kind {
	case "telegram":
		return withoutChat(place, text)
	case "webhook":
		return withoutReceiver(place, text)
	}
	return text
}

// withoutChat takes what a chat is called by, and the number of one that it moved
// to, out of an error about it.
func withoutChat(chat, text string) string {
	id, _, _ := strings.Cut(chat, "/") // the topic
	if bare := strings.TrimLeft(id, "-@"); bare != "" {
		text = regexp.MustCompile(`[-@]?\b`+regexp.QuoteMeta(bare)+`\b`).ReplaceAllString(text, "…")
	}
	return chatNumber.ReplaceAllString(text, "…")
}

var (
	otherNames  = regexp.MustCompile(`valid for .*, not [^\s:]+`)
	dialled     = regexp.MustCompile(`\b((?:dial|read|write) (?:tcp|udp)[46]?) [^ ]*:[0-9]+:`)
	askedOfName = regexp.MustCompile(`\blookup [^ :]+(?: on [^ ]+:[0-9]+)?:`)
)

// withoutReceiver takes the URL of a receiver, its addresses and the names in its
// certificate out of an error about it.
func withoutReceiver(origin, text string) string {
	text = otherNames.ReplaceAllString(text, "valid for other names")
	text = strings.ReplaceAll(text, origin, "the receiver")
	text = askedOfName.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Contains(found, " on ") {
			return "lookup … on …:"
		}
		return "lookup …:"
	})
	text = dialled.ReplaceAllString(text, "$1 …:")
	if u, err := url.Parse(origin); err == nil && u.Hostname() != "" {
		text = strings.ReplaceAll(text, u.Hostname(), "…")
	}
	return text
}

// folders is what leads to a file, within quotes where there are some.
var folders = regexp.MustCompile(`"[^"]*[/\\]|(?:[A-Za-z]:\\|/)[^\s":]*[/\\]`)

// withoutFolders leaves of the paths in an error the names of the files.
func withoutFolders(text string) string {
	return folders.ReplaceAllStringFunc(text, func(found string) string {
		if found[0] == '"' {
			return `"`
		}
		return ""
	})
}

// seeLog is all that a page of one pool tells of what concerns all.
const seeLog = "Caddy's log says why"

// discreet is an error as the page shows it. What is 500 or more is no answer to
// what was asked, but about the store, unless there are too many pages.
func (d *Dashboard) discreet(err error) error {
	known, ok := errors.AsType[caddy.APIError](err)
	switch {
	case ok && (known.HTTPStatus < 500 || errors.Is(known.Err, errTooManyPages)):
		return err
	case d.audience() == visitorsOfPool:
		known.Err = errors.New("the books do not answer: " + seeLog)
	default:
		known.Err = errors.New(withoutFolders(err.Error()))
	}
	return known
}
