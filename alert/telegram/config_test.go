package telegram

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

func TestParseChats(t *testing.T) {
	const expected = "telegram: chat_id: expected a number such as -1001234567890 or a @name of 4 to 32 letters, digits or _, got "
	tests := []struct{ list, want, err string }{
		{list: "42", want: "42"},
		{list: "-1001234567890 @Ops_1,43,\t@abcd\n", want: "-1001234567890 @ops_1 43 @abcd"},
		{list: " , ", want: ""},
		{list: "0", err: expected + `"0"`},
		{list: "ops", err: expected + `"ops"`},
		{list: "@ops", err: expected + `"@ops"`},
		{list: "@ops-channel", err: expected + `"@ops-channel"`},
		{list: "42;43", err: expected + `"42;43"`},
		{list: "1.5", err: expected + `"1.5"`},
		{list: "9223372036854775808", err: expected + `"9223372036854775808"`},
		{list: "https://t.me/ops", err: expected + "what may be a token (not shown)"},
		{list: telegramtest.Token, err: expected + "what may be a token (not shown)"},
		{list: "42 043 +42", err: "telegram: chat_id: 42 is given twice"},
		{list: "@some @SOME", err: "telegram: chat_id: @some is given twice"},
	}
	for _, tt := range tests {
		ids, err := parseChats(tt.list)
		var got []string
		for _, id := range ids {
			got = append(got, id.String())
		}
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: error %v, expected %s", tt.list, err, tt.err)
			}
		case err != nil || strings.Join(got, " ") != tt.want:
			t.Errorf("%q: got %q, error %v", tt.list, got, err)
		}
	}
}

func TestParseURL(t *testing.T) {
	tests := []struct{ raw, want, err string }{
		{raw: "https://api.telegram.org", want: "https://api.telegram.org"},
		{raw: "HTTPS://api.telegram.org/", want: "https://api.telegram.org"},
		{raw: "http://127.0.0.1:8080", want: "http://127.0.0.1:8080"},
		{raw: "http://[::1]:8080/telegram//", want: "http://[::1]:8080/telegram"},
		{raw: "https://my_api.example.", want: "https://my_api.example."},
		{raw: "api.telegram.org", err: "begins with http:// or https://"},
		{raw: "ftp://secret", err: "begins with http:// or https://"},
		{raw: "https:secret", err: "expected a URL"},
		{raw: "https://", err: "a host"},
		{raw: "https:///secret", err: "a host"},
		{raw: "https://:443", err: "a host"},
		{raw: "https://secret:0", err: "a host, and a port"},
		{raw: "https://secret:65536", err: "a host, and a port"},
		{raw: "https://secret:", err: "a host, and a port"},
		{raw: "https://secret:port", err: "expected a URL"},
		{raw: "https://-secret", err: "a host"},
		{raw: "https://se cret", err: "expected a URL"},
		{raw: "https://sécret", err: "a host"},
		{raw: "https://user:secret@api.telegram.org", err: "without user name"},
		{raw: "https://api.telegram.org?secret", err: "without query"},
		{raw: "https://api.telegram.org?", err: "without query"},
		{raw: "https://api.telegram.org#secret", err: "fragment"},
		{raw: "https://api.telegram.org#", err: "fragment"},
		{raw: "https://api.telegram.org/bot123:secret", err: `ends before "/bot"`},
		{raw: "https://api.telegram.org/Bot", err: `ends before "/bot"`},
		{raw: "\x00secret", err: "expected a URL"},
	}
	for _, tt := range tests {
		got, err := parseURL(tt.raw)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: error %v, expected %q in it, and not what was given", tt.raw, err, tt.err)
			}
		case err != nil || got != tt.want:
			t.Errorf("%q: got %q, error %v", tt.raw, got, err)
		}
	}
}

// TestMissing: one warning and nothing else.
func TestMissing(t *testing.T) {
	tests := []struct{ name, token, chat, warning string }{
		{"token", "", "42", "telegram: no token is set, no alerts are sent to Telegram: set token (@BotFather gives one out)"},
		{"chat", telegramtest.Token, " ", "telegram: no chat_id is set, no alerts are sent to Telegram: set chat_id (the number of the chat, or the @name of a public one)"},
		{"both", "", "", "telegram: no token and no chat_id are set, no alerts are sent to Telegram: set token (@BotFather gives one out) and chat_id (the number of the chat, or the @name of a public one)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := new(world)
			config := Telegram{Token: tt.token, ChatID: tt.chat, Commands: true}
			destinations, err := config.Destinations(w.env())
			if len(destinations) != 0 || err != nil {
				t.Errorf("%d destinations, error %v", len(destinations), err)
			}
			if diff := cmp.Diff([]string{tt.warning}, w.warned); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if len(w.asked) > 0 {
				t.Errorf("asked for a transport: %q", w.asked)
			}
		})
	}
}

// TestDestinationsOpenNothing, because a validation makes them too.
func TestDestinationsOpenNothing(t *testing.T) {
	w := &world{transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request to %s", r.URL.Host)
		return nil, io.EOF
	})}
	config := Telegram{Token: telegramtest.Token, ChatID: "1 2", Via: []string{"direct", "main"}, Commands: true}
	destinations, err := config.Destinations(w.env())
	if len(destinations) != 2 || err != nil || len(w.warned) > 0 {
		t.Errorf("%d destinations, error %v, warned %q", len(destinations), err, w.warned)
	}
	if diff := cmp.Diff([]string{"[direct main] 8s", "[direct main] 1m5s"}, w.asked); diff != "" {
		t.Errorf("transports (-want +got):\n%s", diff)
	}
}

// TestNoSuchPool is the environment's to say.
func TestNoSuchPool(t *testing.T) {
	unknown := errors.New("there is no pool spare")
	for fails := range 2 {
		w := new(world)
		env := w.env()
		asked := 0
		env.Transport = func([]string, time.Duration) (http.RoundTripper, error) {
			if asked++; asked > fails {
				return nil, unknown
			}
			return http.NewFileTransport(nil), nil
		}
		config := Telegram{Token: telegramtest.Token, ChatID: "1", Via: []string{"spare"}, Commands: true}
		if _, err := config.Destinations(env); !errors.Is(err, unknown) {
			t.Errorf("error %v", err)
		}
	}
}

// TestLanguage is what the environment says.
func TestLanguage(t *testing.T) {
	w := &world{transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}
	env := w.env()
	config := Telegram{Token: telegramtest.Token, ChatID: "1", Commands: true}
	destinations, err := config.Destinations(env)
	if err != nil {
		t.Fatal(err)
	}
	a := &alert.Alert{Kind: alert.KindTest}
	if diff := cmp.Diff(env.Language.Message(a, env.Location), destinations[0].(*poller).render(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
