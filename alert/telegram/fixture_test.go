package telegram

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// world is a Bot API and what carries requests to it.
type world struct {
	*telegramtest.Server
	transport http.RoundTripper
	warned    []string
	asked     []string // of the ways and the patience
}

// inBubble runs a test in a bubble of testing/synctest, with a Bot API of its own.
func inBubble(t *testing.T, test func(t *testing.T, w *world), options ...telegramtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := telegramtest.NewPipe()
		options := append([]telegramtest.Option{telegramtest.On(pipe)}, options...)
		transport := pipe.Transport()
		t.Cleanup(transport.CloseIdleConnections)
		test(t, &world{Server: telegramtest.NewServer(t, options...), transport: transport})
	})
}

func (w *world) env() *alert.Env {
	return &alert.Env{
		Language: alert.English, Location: time.UTC,
		Warn: func(message string) { w.warned = append(w.warned, message) },
		Transport: func(ways []string, patience time.Duration) (http.RoundTripper, error) {
			w.asked = append(w.asked, fmt.Sprint(ways, " ", patience))
			return w.transport, nil
		},
	}
}

// chats makes the destinations. Alerts are rendered as the name of their pool, in
// the HTML and plainly.
func (w *world) chats(t *testing.T, config Telegram) []*chat {
	t.Helper()
	chats, _ := w.destinations(t, config)
	return chats
}

func (w *world) destinations(t *testing.T, config Telegram) ([]*chat, *poller) {
	t.Helper()
	if config.Token == "" {
		config.Token = telegramtest.Token
	}
	if config.APIURL == "" {
		config.APIURL = w.URL()
	}
	destinations, err := config.Destinations(w.env())
	if err != nil {
		t.Fatal(err)
	}
	var chats []*chat
	var polls *poller
	for _, d := range destinations {
		c, ok := d.(*chat)
		if !ok {
			polls = d.(*poller)
			c = polls.chat
		}
		c.render = func(a *alert.Alert) alert.Text { return alert.Text{HTML: a.Pool, Plain: plain(a.Pool)} }
		chats = append(chats, c)
	}
	return chats, polls
}

// send sends an alert with that text.
func send(c *chat, text string) error {
	_, err := c.Send(context.Background(), &alert.Alert{Pool: text}, 0)
	return err
}

// soon is for waiting in a bubble, where time without an end would go by at once.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// texts are those that arrived.
func (w *world) texts() []string {
	var texts []string
	for _, m := range w.Messages() {
		texts = append(texts, m.Text)
	}
	return texts
}

// checkWords checks what every error of this package keeps to.
func checkWords(t *testing.T, err error) {
	t.Helper()
	const longest = 300
	text := err.Error()
	if len(text) > longest || strings.ContainsAny(text, "\r\n") {
		t.Errorf("an error of %d bytes, expected one line of at most %d:\n%s", len(text), longest, text)
	}
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		t.Errorf("expected a lower case letter first:\n%s", text)
	}
	_, hidden, _ := strings.Cut(telegramtest.Token, ":")
	for _, secret := range []string{hidden[:8], hidden[len(hidden)-8:], "/bot", "sendMessage", "Please log in"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error shows %q:\n%s", secret, text)
		}
	}
}
