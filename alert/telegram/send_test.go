package telegram

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

func TestSend(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		chats := w.chats(t, Telegram{ChatID: "-100123 @Ops_Channel", MessageThreadID: 7})
		var names []string
		for i, priority := range []alert.Priority{alert.High, alert.Low} {
			names = append(names, chats[i].Name())
			parts, err := chats[i].Send(context.Background(), &alert.Alert{Pool: "<b>main</b> &amp; x", Priority: priority}, 0)
			if parts != 1 || err != nil {
				t.Fatalf("%d parts, %v", parts, err)
			}
		}
		want := []telegramtest.Message{
			{ID: 1, Chat: "-100123", Thread: 7, Text: "<b>main</b> &amp; x", ParseMode: "HTML", NoPreview: true},
			{ID: 2, Chat: "@ops_channel", Thread: 7, Text: "<b>main</b> &amp; x", ParseMode: "HTML", NoPreview: true, Silent: true},
		}
		if diff := cmp.Diff(want, w.Messages(), cmpopts.IgnoreFields(telegramtest.Message{}, "Time")); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"telegram -100123/7", "telegram @ops_channel/7"}, names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	})
}

// TestNameWithoutTopic is a chat's alone.
func TestNameWithoutTopic(t *testing.T) {
	c := &chat{id: chatID{number: 42}}
	if got := c.Name(); got != "telegram 42" {
		t.Errorf("got %q", got)
	}
}

// TestPartsGoOn where an earlier try left off.
func TestPartsGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.chats(t, Telegram{ChatID: "42"})[0]
		lines := []string{strings.Repeat("a", 4000), strings.Repeat("b", 4000), strings.Repeat("c", 4000)}
		a := &alert.Alert{Pool: strings.Join(lines, "\n")}

		w.Set(telegramtest.Works.Times(1), telegramtest.Refused(502, "Bad Gateway").Times(1))
		parts, err := c.Send(context.Background(), a, 0)
		if parts != 1 || err == nil {
			t.Fatalf("%d parts, error %v, expected 1 and one", parts, err)
		}
		parts, err = c.Send(context.Background(), a, parts)
		if parts != 3 || err != nil {
			t.Fatalf("%d parts, error %v", parts, err)
		}
		if diff := cmp.Diff(lines, w.texts()); diff != "" {
			t.Errorf("texts (-want +got):\n%s", diff)
		}
		if parts, err := c.Send(context.Background(), a, 5); parts != 5 || err != nil {
			t.Errorf("more parts had arrived than there are now: %d, %v", parts, err)
		}
	}, telegramtest.Strict())
}

// TestNothingIsLost to markup and topics that Telegram does not take.
func TestNothingIsLost(t *testing.T) {
	tests := []struct {
		name   string
		modes  []telegramtest.Mode
		text   string
		thread int
		want   telegramtest.Message
	}{
		{
			"the topic is gone", []telegramtest.Mode{telegramtest.ThreadNotFound}, "<b>x</b>", 7,
			telegramtest.Message{Text: "<b>x</b>", ParseMode: "HTML"},
		},
		{
			"the topic is closed", []telegramtest.Mode{telegramtest.Refused(400, "Bad Request: TOPIC_CLOSED").Times(1)}, "<b>x</b>", 7,
			telegramtest.Message{Text: "<b>x</b>", ParseMode: "HTML"},
		},
		{
			"the markup is wrong", nil, "<blink>x</blink> <b>y &lt; z", 7,
			telegramtest.Message{Text: "x y < z", Thread: 7},
		},
		{
			"both", []telegramtest.Mode{telegramtest.ThreadNotFound}, "<blink>x", 7,
			telegramtest.Message{Text: "x"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.Set(tt.modes...)
				c := w.chats(t, Telegram{ChatID: "42", MessageThreadID: tt.thread})[0]
				if err := send(c, tt.text); err != nil {
					t.Fatal(err)
				}
				tt.want.Chat, tt.want.NoPreview, tt.want.ID = "42", true, 1
				got := w.Messages()
				if diff := cmp.Diff([]telegramtest.Message{tt.want}, got, cmpopts.IgnoreFields(telegramtest.Message{}, "Time")); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestPace: whatever there is to send, Telegram never has to ask for a pause.
func TestPace(t *testing.T) {
	tests := []struct {
		name, chat string
		alerts     int
		took       time.Duration
	}{
		{"person", "42", 1000, 999 * time.Second},
		{"group", "-42", 1000, 999 * 3 * time.Second},
		{"channel", "@some_channel", 100, 99 * 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c := w.chats(t, Telegram{ChatID: tt.chat})[0]
				start := time.Now()
				for i := range tt.alerts {
					if err := send(c, "x"); err != nil {
						t.Fatalf("alert %d: %v", i, err)
					}
				}
				if n := len(w.Messages()); n != tt.alerts {
					t.Errorf("%d messages", n)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, expected %v", took, tt.took)
				}
			}, telegramtest.Strict())
		})
	}
}

// TestPaceIsOfTheChat, not of the bot, and holds also after what failed.
func TestPaceIsOfTheChat(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		chats := w.chats(t, Telegram{ChatID: "1 2"})
		start := time.Now()
		for _, c := range chats {
			if err := send(c, "x"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the first messages took %v", took)
		}
		w.Set(telegramtest.Refused(500, "Internal Server Error").Times(1))
		for _, fails := range []bool{true, false} {
			if err := send(chats[0], "x"); (err != nil) != fails {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, expected 2s", took)
		}
	}, telegramtest.Strict())
}

// TestWaitingEndsWithTheContext and leaves the chat as it was.
func TestWaitingEndsWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.chats(t, Telegram{ChatID: "-1"})[0]
		if err := send(c, "x"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := c.Send(ctx, &alert.Alert{Pool: "y"}, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, expected 1s", took)
		}
		if err := send(c, "z"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("the next took until %v, expected 3s", took)
		}
		if diff := cmp.Diff([]string{"x", "z"}, w.texts()); diff != "" {
			t.Errorf("texts (-want +got):\n%s", diff)
		}
	})
}
