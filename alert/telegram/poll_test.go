package telegram

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// TestPollsAreLong: an idle bot makes about a call a minute.
func TestPollsAreLong(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		works := w.transport
		w.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if path.Base(r.URL.Path) == "getUpdates" {
				body, err := io.ReadAll(r.Body)
				if err != nil || !strings.Contains(string(body), `["message"]`) {
					t.Errorf("asked for other updates, too: %q, %v", body, err)
				}
				if r.Body, err = r.GetBody(); err != nil {
					return nil, err
				}
			}
			return works.RoundTrip(r)
		})
		listen(t, w, Telegram{ChatID: "42"}, echo)
		time.Sleep(time.Hour)
		synctest.Wait()
		if me, polls := w.Calls("getMe"), w.Calls("getUpdates"); me != 1 || polls < 72 || polls > 73 {
			t.Errorf("%d calls of getMe, %d of getUpdates", me, polls)
		}
		if diff := cmp.Diff([]string{"[] 8s", "[] 1m5s"}, w.asked); diff != "" {
			t.Errorf("transports (-want +got):\n%s", diff)
		}
	})
}

// TestOutage is told once, ends when it ends, and costs little while it lasts.
func TestOutage(t *testing.T) {
	tests := []struct {
		name, method string
		mode         telegramtest.Mode
		says         string
	}{
		{"fault", "getUpdates", telegramtest.Refused(502, "Bad Gateway"), "502"},
		{"another poller", "getUpdates", telegramtest.Refused(409, "Conflict: terminated by other getUpdates request"), "another program"},
		{"webhook", "getUpdates", telegramtest.Webhook, "a webhook is set"},
		{"token", "getMe", telegramtest.Unauthorized, "@BotFather"},
		{"page", "getUpdates", telegramtest.HTMLPage, "not that of the Bot API"},
		{"cut", "getMe", telegramtest.CutBeforeProcessing, "was not reached"},
		{"pause", "getUpdates", telegramtest.TooMany(30), "too many"},
		{"nameless", "getMe", telegramtest.Body(200, `{"ok":true,"result":{}}`), "not that of the Bot API"},
		{"odd updates", "getUpdates", telegramtest.Body(200, `{"ok":true,"result":{}}`), "not that of the Bot API"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.Set(tt.mode.Only(tt.method))
				reports := listen(t, w, Telegram{ChatID: "42"}, echo)
				time.Sleep(time.Hour)
				synctest.Wait()
				got := reports()
				if len(got) != 1 || !strings.Contains(got[0].Error(), tt.says) {
					t.Fatalf("reported %v", got)
				}
				checkWords(t, got[0])
				if n := w.Calls(tt.method); n < 60 || n > 90 {
					t.Errorf("%d calls in an hour", n)
				}
				start := time.Now()
				w.Set()
				w.Say("42", "/status")
				if _, err := w.Wait(soon(t), 1); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("answered %v after the end of the outage", took)
				}
				if got := reports(); len(got) != 2 || got[1] != nil {
					t.Errorf("reported %v", got)
				}
			})
		})
	}
}

// TestPauseIsKept where Telegram asks for one.
func TestPauseIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.Set(telegramtest.TooMany(600).Only("getUpdates"))
		listen(t, w, Telegram{ChatID: "42"}, echo)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.Calls("getUpdates"); n < 5 || n > 6 {
			t.Errorf("%d calls in an hour", n)
		}
	})
}

// TestConfirmsAtOnce what came, so that a restart does not bring it again.
func TestConfirmsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		listen(t, w, Telegram{ChatID: "42"}, echo)
		start := time.Now()
		w.Say("42", "/status")
		if err := w.Heard(soon(t)); err != nil || time.Since(start) > 0 {
			t.Errorf("confirmed after %v: %v", time.Since(start), err)
		}
	})
}

// TestManyLongUpdates are read whole, because otherwise they would come for ever.
func TestManyLongUpdates(t *testing.T) {
	long := `{"ok":true,"result":[{"update_id":1,"message":{"message_id":1,"date":946684800,"chat":{"id":42,"type":"private"},` +
		`"text":"/help` + strings.Repeat(" ", 6<<20) + `"}}]}`
	inBubble(t, func(t *testing.T, w *world) {
		w.Set(telegramtest.Body(200, long).Only("getUpdates").Times(1))
		listen(t, w, Telegram{ChatID: "42"}, echo)
		if _, err := w.Wait(soon(t), 1); err != nil {
			t.Fatal(err)
		}
	})
}

// TestShortOutage is not worth a word.
func TestShortOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		reports := listen(t, w, Telegram{ChatID: "42"}, echo)
		for range 20 {
			w.Set(telegramtest.CutBeforeProcessing.Only("getUpdates").Times(2))
			time.Sleep(10 * time.Minute)
		}
		if got := reports(); len(got) > 0 {
			t.Errorf("reported %v", got)
		}
		w.Set(telegramtest.CutBeforeProcessing.Only("getUpdates").Times(3))
		time.Sleep(10 * time.Minute)
		if got := reports(); len(got) != 2 || got[0] == nil || got[1] != nil {
			t.Errorf("reported %v", got)
		}
	})
}

// TestRunEndsAnywhere: at each call, and between them.
func TestRunEndsAnywhere(t *testing.T) {
	for _, mode := range []telegramtest.Mode{
		telegramtest.Works, telegramtest.Hang.Only("getMe"), telegramtest.Hang.Only("getUpdates"),
		telegramtest.Unauthorized.Only("getMe"), telegramtest.HTMLPage.Only("getUpdates"), telegramtest.TooMany(1000),
	} {
		for _, after := range []time.Duration{0, time.Millisecond, 10 * time.Second, 5 * time.Minute} {
			inBubble(t, func(t *testing.T, w *world) {
				w.Set(mode)
				reports := listen(t, w, Telegram{ChatID: "42"}, echo)
				time.Sleep(after)
				synctest.Wait()
				for _, err := range reports() {
					if errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestContextOfAnother does not end the polling, as it would in the library.
func TestContextOfAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		works := w.transport
		failed := 0
		w.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if path.Base(r.URL.Path) == "getUpdates" && failed < 2 {
				failed++
				return nil, context.Canceled
			}
			return works.RoundTrip(r)
		})
		listen(t, w, Telegram{ChatID: "42"}, echo)
		w.Say("42", "/status")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := w.Wait(ctx, 1); err != nil || failed != 2 {
			t.Errorf("%d calls failed; %v", failed, err)
		}
	})
}

// TestNoBusyLoop where a call is answered at once, and for ever.
func TestNoBusyLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.Set(telegramtest.Body(200, `{"ok":true,"result":[]}`).Only("getUpdates"))
		listen(t, w, Telegram{ChatID: "42"}, echo)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.Calls("getUpdates"); n < 55 || n > 61 {
			t.Errorf("%d calls in a minute", n)
		}
	})
}

// TestUpdatesOfALaterVersion do not stop the commands behind them.
func TestUpdatesOfALaterVersion(t *testing.T) {
	odd := `{"ok":true,"result":[{"update_id":1,"message":{"message_id":1,"date":946684800,"chat":{"id":42,"type":"private"},` +
		`"text":"/help","forward_origin":{"type":"from a later version"},"chat_background_set":{"type":{"type":"new"}}}},{"update_id":2,"poll_answer":"odd"}]}`
	inBubble(t, func(t *testing.T, w *world) {
		w.Set(telegramtest.Body(200, odd).Only("getUpdates").Times(1))
		reports := listen(t, w, Telegram{ChatID: "42"}, echo)
		if _, err := w.Wait(soon(t), 1); err != nil {
			t.Fatal(err)
		}
		for w.Calls("getUpdates") < 3 {
			w.Say("42", "/status")
			time.Sleep(time.Second)
		}
		if got := reports(); len(got) > 0 {
			t.Errorf("reported %v", got)
		}
	})
}

// TestOnePoller is there for all chats, the first of which runs it.
func TestOnePoller(t *testing.T) {
	w := &world{transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}
	config := Telegram{Token: telegramtest.Token, ChatID: "1 2 3", Commands: true}
	destinations, err := config.Destinations(w.env())
	if err != nil {
		t.Fatal(err)
	}
	runners := 0
	for i, d := range destinations {
		if _, ok := d.(alert.Runner); ok {
			runners++
			if i > 0 {
				t.Errorf("destination %d is a runner", i)
			}
		}
	}
	if len(destinations) != 3 || runners != 1 {
		t.Errorf("%d destinations, %d runners", len(destinations), runners)
	}
}

// TestTwoPollers of one bot take turns at ending each other's calls, and both say
// so until one of them is gone.
func TestTwoPollers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		stays := listen(t, w, Telegram{ChatID: "42"}, echo)
		leaves, stop := start(t, w, Telegram{ChatID: "42"}, echo)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, got := range [][]error{stays(), leaves()} {
			if len(got) == 0 || got[0] == nil || !strings.Contains(got[0].Error(), "another program reads the messages") {
				t.Errorf("reported %v", got)
			}
		}
		stop()
		time.Sleep(5 * time.Minute)
		if got := stays(); len(got) == 0 || got[len(got)-1] != nil {
			t.Errorf("alone, reported %v", got)
		}
	})
}
