package telegram

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// listen runs a poller for the length of a test.
func listen(t *testing.T, w *world, config Telegram, answer func(context.Context, alert.Command) alert.Text) (reports func() []error) {
	t.Helper()
	reports, stop := start(t, w, config, answer)
	t.Cleanup(stop)
	return reports
}

// start runs a poller until it is stopped.
func start(t *testing.T, w *world, config Telegram, answer func(context.Context, alert.Command) alert.Text) (reports func() []error, stop func()) {
	t.Helper()
	config.Commands = true
	_, polls := w.destinations(t, config)
	polls.answer = answer
	var mu sync.Mutex
	var reported []error
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		polls.Run(ctx, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			reported = append(reported, err)
		})
	})
	stop = func() {
		cancel()
		start := time.Now()
		running.Wait()
		if took := time.Since(start); took >= time.Second {
			t.Errorf("Run took %v to end", took)
		}
	}
	return func() []error {
		mu.Lock()
		defer mu.Unlock()
		return reported
	}, stop
}

// echo answers with what it understood.
func echo(_ context.Context, c alert.Command) alert.Text {
	text := strings.TrimSpace(c.Name + " " + strconv.Quote(c.Arg))
	return alert.Text{HTML: text, Plain: text}
}

func TestCommands(t *testing.T) {
	const person, group = "42", "-10077"
	tests := []struct{ name, chat, text, want string }{
		{"command", group, "/status", `status ""`},
		{"argument", group, "/explain  api.telegram.org:443 ", `explain "api.telegram.org:443"`},
		{"words", group, "/disable main/VPS 1\nx", `disable "main/VPS 1\nx"`},
		{"capitals", group, "/Check", `check ""`},
		{"to this bot", group, "/usage@" + telegramtest.Username, `usage ""`},
		{"to this bot in lower case", group, "/enable@proxypooltestbot Res", `enable "Res"`},
		{"to another bot", group, "/usage@OtherBot", ""},
		{"to another bot, privately", person, "/usage@OtherBot", ""},
		{"start", person, "/start", `start ""`},
		{"start with a parameter", person, "/start abc", `start "abc"`},
		{"help", person, "/help", `help ""`},
		{"by name", "@Some_Group", "/help", `help ""`},
		{"unknown, privately", person, "/reboot now", `reboot "now"`},
		{"unknown, in a group", group, "/reboot now", ""},
		{"text", person, "status", ""},
		{"text with a command in it", person, "try /status", ""},
		{"slash", person, "/", ""},
		{"a path", person, "/etc/passwd", ""},
		{"nothing", person, "", ""},
		{"another person", "43", "/status", ""},
		{"another group", "-10078", "/status", ""},
		{"another name", "@some_groups", "/status", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				listen(t, w, Telegram{ChatID: person + " " + group + " @some_group"}, echo)
				id := w.Say(tt.chat, tt.text)
				if err := w.Heard(soon(t)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				var want []string
				if tt.want != "" {
					want = []string{tt.want}
				}
				if diff := cmp.Diff(want, w.texts()); diff != "" {
					t.Fatalf("answers (-want +got):\n%s", diff)
				}
				if m := w.Messages(); len(m) > 0 && (m[0].ReplyTo != id || m[0].Silent || !strings.EqualFold(m[0].Chat, tt.chat)) {
					t.Errorf("answered %+v", m[0])
				}
			}, telegramtest.Strict())
		})
	}
}

// TestAnswerInTheTopic that the command came from, whatever topic alerts go to.
func TestAnswerInTheTopic(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		listen(t, w, Telegram{ChatID: "-42", MessageThreadID: 7}, echo)
		w.Hear(telegramtest.Said{Chat: "-42", Thread: 9, Text: "/status"})
		w.Say("-42", "/help")
		messages, err := w.Wait(soon(t), 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if want := map[string]int{`status ""`: 9, `help ""`: 0}[m.Text]; m.Thread != want {
				t.Errorf("%s was answered in topic %d, expected %d", m.Text, m.Thread, want)
			}
		}
	})
}

// TestOldCommands are not carried out any more.
func TestOldCommands(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.Hear(telegramtest.Said{Chat: "42", Text: "/disable old", Time: time.Now().Add(-11 * time.Minute)})
		w.Hear(telegramtest.Said{Chat: "42", Text: "/disable young", Time: time.Now().Add(-9 * time.Minute)})
		listen(t, w, Telegram{ChatID: "42"}, echo)
		if err := w.Heard(soon(t)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{`disable "young"`}, w.texts()); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// TestCheckHoldsUpNobody while it takes its time.
func TestCheckHoldsUpNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		listen(t, w, Telegram{ChatID: "42"}, func(ctx context.Context, c alert.Command) alert.Text {
			if c.Name == "check" {
				_ = sleep(ctx, 12*time.Second)
			}
			return echo(ctx, c)
		})
		start := time.Now()
		w.Say("42", "/check")
		for i := range 3 {
			w.Say("42", fmt.Sprint("/explain ", i))
		}
		messages, err := w.Wait(soon(t), 4)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messages[:3] {
			if took := m.Time.Sub(start); m.Text != fmt.Sprintf(`explain "%d"`, i) || took > 3*time.Second {
				t.Errorf("%s after %v", m.Text, took)
			}
		}
		if took := messages[3].Time.Sub(start); took != 12*time.Second {
			t.Errorf("%s after %v", messages[3].Text, took)
		}
	}, telegramtest.Strict())
}

// TestCommandThatHangs is ended, and Run ends with it.
func TestCommandThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		listen(t, w, Telegram{ChatID: "42"}, func(ctx context.Context, c alert.Command) alert.Text {
			<-ctx.Done()
			return echo(ctx, c)
		})
		start := time.Now()
		w.Say("42", "/check")
		if _, err := w.Wait(soon(t), 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != commandTime {
			t.Errorf("answered after %v", took)
		}
		w.Say("42", "/status") // still runs when the test ends
		synctest.Wait()
	})
}

// TestAnswersAndAlertsSharePace, also where an answer has many parts.
func TestAnswersAndAlertsSharePace(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		config := Telegram{ChatID: "-42", Commands: true}
		_, polls := w.destinations(t, config)
		polls.answer = func(context.Context, alert.Command) alert.Text {
			return alert.Text{HTML: strings.Repeat(strings.Repeat("x", 3000)+"\n", 30)}
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { polls.Run(ctx, func(err error) { t.Error(err) }) })
		defer running.Wait()
		defer cancel()
		w.Say("-42", "/status")
		for range 20 {
			if err := send(polls.chat, "an alert"); err != nil {
				t.Fatal(err)
			}
		}
		messages, err := w.Wait(ctx, 20+maxParts)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messages[1:] {
			if gap := m.Time.Sub(messages[i].Time); gap < 3*time.Second {
				t.Errorf("message %d came %v after the one before", i+1, gap)
			}
		}
		if err := sleep(ctx, time.Minute); err != nil || len(w.Messages()) != 20+maxParts {
			t.Errorf("%d messages, expected at most %d of the answer; %v", len(w.Messages()), maxParts, err)
		}
	}, telegramtest.Strict())
}

// TestAnswerWaitsWhenAsked, and is given up where that is too long.
func TestAnswerWaitsWhenAsked(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    telegramtest.Mode
		arrives bool
	}{
		{"twice", telegramtest.TooMany(20).Times(2), true},
		{"for ever", telegramtest.TooMany(20), false},
		{"long", telegramtest.TooMany(300).Times(1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.Set(tt.mode.Only("sendMessage"))
				listen(t, w, Telegram{ChatID: "42"}, echo)
				w.Say("42", "/help")
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
				defer cancel()
				if _, err := w.Wait(ctx, 1); (err == nil) != tt.arrives {
					t.Error(err)
				}
				if n := w.Calls("sendMessage"); n > answerTries {
					t.Errorf("%d tries", n)
				}
			})
		})
	}
}
