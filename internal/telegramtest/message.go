package telegramtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

const noThread = "Bad Request: message thread not found"

// maxUnits is how long a message may be, in UTF-16 code units, when its markup
// was taken out.
const maxUnits = 4096

// Message is one that was sent.
type Message struct {
	ID        int
	Chat      string // as it was addressed: a number or @name
	Thread    int
	Text      string // as it was sent, with its markup
	ParseMode string
	Silent    bool // disable_notification
	NoPreview bool // of links
	ReplyTo   int  // the ID of what it answers
	Time      time.Time
}

// Messages are those that arrived.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Wait waits until n messages have arrived and returns them all.
func (s *Server) Wait(ctx context.Context, n int) ([]Message, error) {
	err := s.until(ctx, func() bool { return len(s.messages) >= n })
	messages := s.Messages()
	if err != nil {
		return messages, fmt.Errorf("%d of %d messages arrived: %w", len(messages), n, err)
	}
	return messages, nil
}

// WaitCalls waits until n calls of a method came.
func (s *Server) WaitCalls(ctx context.Context, method string, n int) error {
	err := s.until(ctx, func() bool { return s.calls[method] >= n })
	if err != nil {
		return fmt.Errorf("%d of %d calls of %s came: %w", s.Calls(method), n, method, err)
	}
	return nil
}

// until waits until something is so. It is asked with the lock held.
func (s *Server) until(ctx context.Context, is func() bool) error {
	for {
		s.mu.Lock()
		done, changed := is(), s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Server) sendMessage(p parameters) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	chat, ok := s.chatLocked(p.get("chat_id"))
	if !ok {
		return fault(http.StatusBadRequest, "Bad Request: chat not found")
	}
	if refusal := check(p.get("text"), p.get("parse_mode")); refusal != "" {
		return fault(http.StatusBadRequest, "Bad Request: "+refusal)
	}
	now := time.Now()
	if s.strict && s.tooFastLocked(chat, now) {
		return tooMany(1)
	}
	var preview struct {
		IsDisabled bool `json:"is_disabled"`
	}
	p.object("link_preview_options", &preview)
	var reply struct {
		MessageID int `json:"message_id"`
	}
	p.object("reply_parameters", &reply)
	s.lastID++
	s.messages = append(s.messages, Message{
		ID: s.lastID, Chat: p.get("chat_id"), Thread: int(p.number("message_thread_id")), Text: p.get("text"),
		ParseMode: p.get("parse_mode"), Silent: p.flag("disable_notification"),
		NoPreview: preview.IsDisabled, ReplyTo: reply.MessageID, Time: now,
	})
	s.changedLocked()
	return answer{OK: true, Result: map[string]any{
		"message_id": s.lastID, "date": now.Unix(), "chat": chat, "text": p.get("text"),
	}}
}

// check says what is wrong with a text.
func check(text, parseMode string) string {
	switch parseMode {
	case "":
	case "HTML":
		shown, mistake := parseHTML(text)
		if mistake != "" {
			return "can't parse entities: " + mistake
		}
		text = shown
	default:
		return "unsupported parse_mode"
	}
	if strings.TrimSpace(text) == "" {
		return "message text is empty"
	}
	if len(utf16.Encode([]rune(text))) > maxUnits {
		return "message is too long"
	}
	return ""
}

// chat is how the API shows one.
type chat struct {
	ID       int64  `json:"id"`
	Type     string `json:"type"`
	Username string `json:"username,omitempty"`
}

// chatLocked finds a chat. Every number is a chat, and every name one that gets a
// number.
func (s *Server) chatLocked(address string) (chat, bool) {
	if name, found := strings.CutPrefix(address, "@"); found && name != "" {
		key := strings.ToLower(name)
		if s.chats[key] == 0 {
			s.chats[key] = -1001000000001 - int64(len(s.chats))
		}
		return chat{ID: s.chats[key], Type: "supergroup", Username: name}, true
	}
	number, err := strconv.ParseInt(address, 10, 64)
	switch {
	case err != nil || number == 0:
		return chat{}, false
	case number > 0:
		return chat{ID: number, Type: "private"}, true
	}
	return chat{ID: number, Type: "supergroup"}, true
}

// tooFastLocked tells whether a chat gets more than Telegram allows.
func (s *Server) tooFastLocked(to chat, now time.Time) bool {
	lately := 0
	for _, m := range slices.Backward(s.messages) {
		age := now.Sub(m.Time)
		if age >= time.Minute {
			break
		}
		if c, _ := s.chatLocked(m.Chat); c.ID != to.ID {
			continue
		}
		if age < time.Second {
			return true
		}
		lately++
	}
	return to.ID < 0 && lately >= 20
}
