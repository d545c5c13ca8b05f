package telegramtest

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Said is what somebody writes to the bot.
type Said struct {
	Chat   string // a number or @name
	Thread int    // a topic; 0 = none
	Text   string
	Time   time.Time // zero = now
}

// update is one that waits for the bot.
type update struct {
	ID      int64   `json:"update_id"`
	Message message `json:"message"`
}

type message struct {
	ID      int            `json:"message_id"`
	Thread  int            `json:"message_thread_id,omitempty"`
	IsTopic bool           `json:"is_topic_message,omitempty"`
	From    map[string]any `json:"from"`
	Chat    chat           `json:"chat"`
	Date    int64          `json:"date"`
	Text    string         `json:"text"`
}

// Say writes to the bot in a chat. It returns the message's ID.
func (s *Server) Say(chat, text string) int { return s.Hear(Said{Chat: chat, Text: text}) }

// Hear queues what somebody writes. It returns the message's ID, 0 where there is
// no such chat.
func (s *Server) Hear(said Said) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	where, ok := s.chatLocked(said.Chat)
	if !ok {
		return 0
	}
	if said.Time.IsZero() {
		said.Time = time.Now()
	}
	s.lastID++
	s.lastMade++
	s.updates = append(s.updates, update{ID: s.lastMade, Message: message{
		ID: s.lastID, Thread: said.Thread, IsTopic: said.Thread != 0, Chat: where,
		Date: said.Time.Unix(), Text: said.Text,
		From: map[string]any{"id": 77, "is_bot": false, "first_name": "Admin"},
	}})
	s.changedLocked()
	return s.lastID
}

// Heard waits until the bot has confirmed everything that was said.
func (s *Server) Heard(ctx context.Context) error {
	return s.until(ctx, func() bool { return len(s.updates) == 0 })
}

// getUpdates waits for updates, and ends a poll that waits already.
func (s *Server) getUpdates(ctx context.Context, p parameters) answer {
	offset := p.number("offset")
	var kinds []string
	p.object("allowed_updates", &kinds)
	timer := time.NewTimer(time.Duration(p.number("timeout")) * time.Second)
	defer timer.Stop()

	s.mu.Lock()
	if s.poll != nil {
		close(s.poll)
	}
	mine := make(chan struct{})
	s.poll = mine
	s.updates = slices.DeleteFunc(s.updates, func(u update) bool { return u.ID < offset })
	s.changedLocked()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.poll == mine {
			s.poll = nil
		}
	}()

	for {
		s.mu.Lock()
		waiting, changed := slices.Clone(s.updates), s.changed
		s.mu.Unlock()
		if len(kinds) > 0 && !slices.Contains(kinds, "message") {
			waiting = nil
		}
		if len(waiting) > 0 {
			return answer{OK: true, Result: waiting[:min(len(waiting), 100)]}
		}
		select {
		case <-changed:
		case <-mine:
			return fault(http.StatusConflict,
				"Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
		case <-timer.C:
			return answer{OK: true, Result: []update{}}
		case <-ctx.Done():
			return fault(http.StatusInternalServerError, "Internal Server Error: the caller left")
		}
	}
}
