package telegramtest

import (
	"io"
	"net/http"
	"time"
)

// Mode is what the server does with calls.
type Mode struct {
	behaviour behaviour
	n         int64 // status, seconds, or the number of a chat
	text      string
	times     int    // 0 = until another is set
	method    string // empty = any
}

type behaviour int

const (
	works behaviour = iota
	refused
	tooManyRequests
	migrated
	slow
	hang
	body
	cutBeforeReading
	cutBeforeProcessing
	cutAfterProcessing
)

// The modes, besides those that functions make.
var (
	// Works is a Bot API that works.
	Works = Mode{behaviour: works}
	// Unauthorized does not know the token.
	Unauthorized = Refused(http.StatusUnauthorized, "Unauthorized")
	// ChatNotFound does not know the chat, or the bot does not.
	ChatNotFound = Refused(http.StatusBadRequest, "Bad Request: chat not found")
	// Forbidden is a person who blocked the bot.
	Forbidden = Refused(http.StatusForbidden, "Forbidden: bot was blocked by the user")
	// ThreadNotFound refuses every topic, but nothing else.
	ThreadNotFound = Refused(http.StatusBadRequest, noThread)
	// Webhook refuses polls, because a webhook is set.
	Webhook = Refused(http.StatusConflict,
		"Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
	// Hang reads the call and never answers.
	Hang = Mode{behaviour: hang}
	// HTMLPage answers with a page, as a login page on the way does.
	HTMLPage = Body(http.StatusOK, "<!DOCTYPE html><html><title>Log in</title><body>Please log in.</body></html>")
	// InvalidJSON answers with half an answer.
	InvalidJSON = Body(http.StatusOK, `{"ok":true,"result":{"message_id":`)
	// CutBeforeReading closes the connection before the body was read.
	CutBeforeReading = Mode{behaviour: cutBeforeReading}
	// CutBeforeProcessing closes the connection when the call was read.
	CutBeforeProcessing = Mode{behaviour: cutBeforeProcessing}
	// CutAfterProcessing does what was asked for and closes the connection in
	// place of an answer.
	CutAfterProcessing = Mode{behaviour: cutAfterProcessing}
)

// Refused answers with an error.
func Refused(code int, description string) Mode {
	return Mode{behaviour: refused, n: int64(code), text: description}
}

// TooMany answers 429 and asks for a pause.
func TooMany(seconds int) Mode { return Mode{behaviour: tooManyRequests, n: int64(seconds)} }

// Migrated says that the group has another number now.
func Migrated(chat int64) Mode { return Mode{behaviour: migrated, n: chat} }

// Slow waits before it does what it is asked for.
func Slow(d time.Duration) Mode { return Mode{behaviour: slow, n: int64(d)} }

// Body answers with anything.
func Body(status int, text string) Mode { return Mode{behaviour: body, n: int64(status), text: text} }

// Times ends the mode after that many calls.
func (m Mode) Times(n int) Mode {
	m.times = n
	return m
}

// Only leaves the calls of other methods alone.
func (m Mode) Only(method string) Mode {
	m.method = method
	return m
}

// mode is a Mode that is set.
type mode struct {
	Mode
	left int
}

// Set sets what the server does, in place of what was set before. Where several
// modes are given, each call is for the first that is left of those that fit.
func (s *Server) Set(modes ...Mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modes = nil
	for _, m := range modes {
		s.modes = append(s.modes, &mode{Mode: m, left: m.times})
	}
	s.changedLocked()
}

// count counts a call and says what is done with it.
func (s *Server) count(method string) Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	s.changedLocked()
	for _, m := range s.modes {
		if m.method != "" && m.method != method || m.times > 0 && m.left == 0 {
			continue
		}
		m.left--
		return m.Mode
	}
	return Works
}

// answerEarly does what is done before the body is read, and reports whether that
// was all.
func (m Mode) answerEarly(w http.ResponseWriter) bool {
	if m.behaviour != cutBeforeReading {
		return false
	}
	cut(w)
	return true
}

// answer answers in place of the Bot API, where it does.
func (m Mode) answer(w http.ResponseWriter, r *http.Request) bool {
	switch m.behaviour {
	case refused:
		if m.text == noThread && r.FormValue("message_thread_id") == "" {
			return false
		}
		write(w, fault(int(m.n), m.text))
	case tooManyRequests:
		write(w, tooMany(int(m.n)))
	case migrated:
		a := fault(http.StatusBadRequest, "Bad Request: group chat was upgraded to a supergroup chat")
		a.Parameters = map[string]any{"migrate_to_chat_id": m.n}
		write(w, a)
	case slow:
		timer := time.NewTimer(time.Duration(m.n))
		defer timer.Stop()
		select {
		case <-timer.C:
			return false
		case <-r.Context().Done():
		}
	case hang:
		<-r.Context().Done()
	case body:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(int(m.n))
		_, _ = io.WriteString(w, m.text)
	case cutBeforeProcessing:
		cut(w)
	default:
		return false
	}
	return true
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}
