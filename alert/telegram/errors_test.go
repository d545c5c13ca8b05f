package telegram

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// TestErrors: each says what is wrong and what to do.
func TestErrors(t *testing.T) {
	const (
		waits   = iota // and is tried again
		refused        // and is given up
		asked          // and is tried when Telegram says
	)
	tests := []struct {
		name string
		mode telegramtest.Mode
		kind int
		says []string
	}{
		{"the token is unknown", telegramtest.Unauthorized, waits, []string{"token (401)", "@BotFather"}},
		{"the path is unknown", telegramtest.Refused(404, "Not Found"), waits, []string{"token (404)", "@BotFather"}},
		{"the chat is unknown", telegramtest.ChatNotFound, waits, []string{"chat -42", "check chat_id", "/start"}},
		{"blocked", telegramtest.Forbidden, waits, []string{"person of chat -42", "unblock"}},
		{"kicked", telegramtest.Refused(403, "Forbidden: bot was kicked from the supergroup chat"), waits, []string{"not in chat -42", "add it again"}},
		{"no member", telegramtest.Refused(403, "Forbidden: bot is not a member of the channel chat"), waits, []string{"add it again"}},
		{"deleted", telegramtest.Refused(403, "Forbidden: user is deactivated"), waits, []string{"was deleted", "chat_id"}},
		{"may not begin", telegramtest.Refused(403, "Forbidden: bot can't initiate conversation with a user"), waits, []string{"/start"}},
		{"no rights", telegramtest.Refused(400, "Bad Request: not enough rights to send text messages to the chat"), waits, []string{"the right to send"}},
		{"no access", telegramtest.Refused(400, "Bad Request: have no write access to the chat"), waits, []string{"the right to send"}},
		{"left a channel", telegramtest.Refused(400, "Bad Request: CHANNEL_PRIVATE"), waits, []string{"check chat_id"}},
		{"blocked in other words", telegramtest.Refused(400, "Bad Request: USER_IS_BLOCKED"), waits, []string{"unblock"}},
		{"deleted in other words", telegramtest.Refused(400, "Bad Request: INPUT_USER_DEACTIVATED"), waits, []string{"was deleted"}},
		{"a group that is gone", telegramtest.Refused(403, "Forbidden: the group chat was deleted"), waits, []string{"was deleted", "chat_id"}},
		{"migrated", telegramtest.Migrated(-1009999), waits, []string{"set chat_id to -1009999"}},
		{"migrated, nobody knows where", telegramtest.Refused(400, "Bad Request: group chat was upgraded to a supergroup chat"), waits, []string{"supergroup", "chat_id"}},
		{"too many", telegramtest.TooMany(7), asked, []string{"too many messages"}},
		{"too many, for ever", telegramtest.Refused(429, "Too Many Requests"), waits, []string{"too many messages"}},
		{"refused", telegramtest.Refused(400, "Bad Request: message is odd"), refused, []string{"Bad Request: message is odd", "given up", "report"}},
		{"conflict", telegramtest.Refused(409, "Conflict: terminated by other getUpdates request"), waits, []string{"another program", "commands off"}},
		{"webhook", telegramtest.Webhook, waits, []string{"webhook", "commands off"}},
		{"fault", telegramtest.Refused(502, "Bad Gateway"), waits, []string{"fault of its own (502) (Bad Gateway)", "nothing to do"}},
		{"other", telegramtest.Refused(413, "Request Entity Too Large"), waits, []string{"413", "api_url"}},
		{"page", telegramtest.HTMLPage, waits, []string{"status 200", "not that of the Bot API", "api_url"}},
		{"page of a gateway", telegramtest.Body(502, "<html>Bad Gateway</html>"), waits, []string{"status 502", "api_url"}},
		{"half an answer", telegramtest.InvalidJSON, waits, []string{"not that of the Bot API", "api_url"}},
		{"other JSON", telegramtest.Body(200, `{"status":"fine"}`), waits, []string{"not that of the Bot API"}},
		{"endless", telegramtest.Body(200, `{"ok":true,"result":{}}`+strings.Repeat(" ", maxAnswer)), waits, []string{"not that of the Bot API"}},
		{"redirect", telegramtest.Body(302, ""), waits, []string{"status 302"}},
		{"silence", telegramtest.Hang, waits, []string{"no answer within 25s", "via"}},
		{"cut before", telegramtest.CutBeforeReading, waits, []string{"api.telegram.test", "closed", "check the connection, via and api_url"}},
		{"cut between", telegramtest.CutBeforeProcessing, waits, []string{"closed"}},
		{"cut after", telegramtest.CutAfterProcessing, waits, []string{"closed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.Set(tt.mode)
				c := w.chats(t, Telegram{ChatID: "-42"})[0]
				parts, err := c.Send(context.Background(), &alert.Alert{Pool: "x"}, 0)
				if parts != 0 || err == nil {
					t.Fatalf("%d parts, error %v", parts, err)
				}
				checkWords(t, err)
				for _, words := range tt.says {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("expected %q in\n%v", words, err)
					}
				}
				var later *alert.RetryAfterError
				var never *alert.RefusedError
				isLater, isNever := errors.As(err, &later), errors.As(err, &never)
				if isLater != (tt.kind == asked) || isNever != (tt.kind == refused) {
					t.Errorf("to be tried later %v, never %v", isLater, isNever)
				}
				if isLater && later.After != 7*time.Second {
					t.Errorf("later is %v", later.After)
				}
			})
		})
	}
}

// TestTokenIsNeverShown, whoever quotes what.
func TestTokenIsNeverShown(t *testing.T) {
	address := "https://api.telegram.org/bot" + telegramtest.Token + "/sendMessage"
	_, hidden, _ := strings.Cut(telegramtest.Token, ":")
	says := func(text string) *http.Response {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(text))}
	}
	tests := []struct {
		name   string
		answer *http.Response
		err    error
	}{
		{"error of a URL", nil, &url.Error{Op: "Post", URL: address, Err: syscall.ECONNREFUSED}},
		{"wrapped", nil, fmt.Errorf("way direct: %w", &url.Error{Op: "Post", URL: address, Err: io.ErrNoProgress})},
		{"joined", nil, errors.Join(errors.New("direct: refused"), fmt.Errorf("main: POST %s", address))},
		{"the path alone", nil, errors.New("no route for /bot" + telegramtest.Token)},
		{"the token alone", nil, errors.New("bad token " + telegramtest.Token)},
		{"its secret part", nil, errors.New("bad token " + hidden)},
		{"a piece of it", nil, errors.New("bad token " + hidden[5:13] + "...")},
		{"in capitals", nil, errors.New("BAD TOKEN " + strings.ToUpper(hidden))},
		{"in another alphabet's dress", nil, errors.New("bad token " + url.QueryEscape(telegramtest.Token))},
		{"not HTTP", nil, fmt.Errorf("malformed HTTP response %q", "Please log in")},
		{"several lines", nil, errors.New("one\ntwo")},
		{"a context of another", nil, context.Canceled},
		{"a deadline of another", nil, context.DeadlineExceeded},
		{"a name", nil, &net.DNSError{Err: "no such host", Name: strings.Repeat("long.", 60), IsNotFound: true}},
		{"a certificate", nil, x509.UnknownAuthorityError{}},
		{"a timeout", nil, os.ErrDeadlineExceeded},
		{"a page that quotes", says("<p>There is no " + address), nil},
		{"JSON that quotes", says(`{"ok":false,"description":"` + address + `"}`), nil},
		{"a string that quotes", says(`"` + address + `"`), nil},
		{"a wrong type that quotes", says(`{"ok":"` + address + `"}`), nil},
		{"a fault that quotes", says(`{"ok":false,"error_code":500,"description":"` + telegramtest.Token + `"}`), nil},
		{"a refusal that quotes", says(`{"ok":false,"error_code":400,"description":"Bad Request: ` + hidden + `"}`), nil},
		{"a refusal that quotes a page", says(`{"ok":false,"error_code":400,"description":"<p>Please log in"}`), nil},
		{"another status that quotes", says(`{"ok":false,"error_code":418,"description":"` + address + `"}`), nil},
		{"forbidden that quotes", says(`{"ok":false,"error_code":403,"description":"` + address + `"}`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.transport = roundTrip(func(*http.Request) (*http.Response, error) { return tt.answer, tt.err })
				c := w.chats(t, Telegram{ChatID: "42"})[0]
				err := send(c, "x")
				if err == nil {
					t.Fatal("no error")
				}
				checkWords(t, err)
				if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("no context has ended, but: %v", err)
				}
			})
		})
	}
}

// TestLongWords of others fit into an error with our own.
func TestLongWords(t *testing.T) {
	words := strings.Repeat("long ", maxShown/5-1) + "words"
	c := &chat{account: &account{}, id: chatID{number: -1001234567890123}}
	for _, err := range []error{
		&networkError{host: strings.Repeat("h", maxHost), reason: words},
		&apiError{code: 400, shown: words}, &apiError{code: 500, shown: words}, &apiError{code: 418, shown: words},
	} {
		got := c.explain(err)
		checkWords(t, got)
		if !strings.Contains(got.Error(), words) {
			t.Errorf("expected all that may be shown in\n%v", got)
		}
	}
	if got := newSecret(telegramtest.Token).clean(words); got != words {
		t.Errorf("%d bytes are not shown", len(words))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWordsOfTheWay are shown where they are harmless.
func TestWordsOfTheWay(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{errors.New("direct: dial tcp 192.0.2.1:443: i/o timeout; pool main: no proxy is usable"), "direct: dial tcp 192.0.2.1:443: i/o timeout; pool main: no proxy is usable"},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "the connection was closed in place of an answer"},
		{&url.Error{Op: "Post", URL: "https://x/", Err: syscall.ECONNREFUSED}, "the connection was refused"},
		{&url.Error{Op: "Post", URL: "https://x/", Err: syscall.ECONNRESET}, "the connection was reset"},
		{&url.Error{Op: "Post", URL: "https://x/", Err: os.ErrDeadlineExceeded}, "it took too long"},
		{&url.Error{Op: "Post", URL: "https://x/", Err: &net.DNSError{Name: "x"}}, "its name is not known"},
		{x509.UnknownAuthorityError{}, "its certificate is not trusted"},
		{errors.New("malformed HTTP response \"SSH-2.0\""), "the connection failed"},
	}
	for _, tt := range tests {
		if got := newSecret(telegramtest.Token).reason(tt.err); got != tt.want {
			t.Errorf("%v: got %q, expected %q", tt.err, got, tt.want)
		}
	}
}

// TestMalformedToken is never put into a URL.
func TestMalformedToken(t *testing.T) {
	for _, token := range []string{
		"secret", "secret:token", "123456:secret/../../x", "123456:secret?x", "123456:secret x", "123456:", "123456:\x00secret", "bot123456:secret",
	} {
		inBubble(t, func(t *testing.T, w *world) {
			w.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				t.Errorf("%q: a request to %v", token, r.URL)
				return nil, io.EOF
			})
			chats, polls := w.destinations(t, Telegram{Token: token, ChatID: "42", Commands: true})
			if len(w.warned) != 1 || !strings.Contains(w.warned[0], "malformed") || strings.Contains(w.warned[0], "secret") {
				t.Errorf("%q: warned %q", token, w.warned)
			}
			err := send(chats[0], "x")
			if err == nil || !strings.Contains(err.Error(), "malformed") || !strings.Contains(err.Error(), "@BotFather") {
				t.Fatalf("%q: error %v", token, err)
			}
			checkWords(t, err)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the token: %v", err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			var reported error
			polls.Run(ctx, func(err error) { reported = err })
			if !errors.Is(reported, errMalformedToken) || ctx.Err() == nil {
				t.Errorf("%q: reported %v", token, reported)
			}
		})
	}
}

// TestEveryWayGetsTheBody, as often as it is tried.
func TestEveryWayGetsTheBody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if _, ok := r.Context().Deadline(); !ok {
				t.Error("a request without an end")
			}
			first, err := io.ReadAll(r.Body)
			if err != nil || int64(len(first)) != r.ContentLength || !bytes.Contains(first, []byte("some text")) {
				t.Errorf("a body of %d bytes, told %d: %v", len(first), r.ContentLength, err)
			}
			again, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			if second, err := io.ReadAll(again); err != nil || !bytes.Equal(first, second) {
				t.Errorf("the second body is another: %v", err)
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"ok":true,"result":{"message_id":1}}`))}, nil
		})
		if err := send(w.chats(t, Telegram{ChatID: "42"})[0], "some text"); err != nil {
			t.Error(err)
		}
	})
}

// TestArrivedIsArrived, whatever Telegram tells of the message.
func TestArrivedIsArrived(t *testing.T) {
	for _, result := range []string{
		`{"message_id":1,"forward_origin":{"type":"from a later version"}}`, `{"message_id":"one"}`, `true`, `null`,
	} {
		inBubble(t, func(t *testing.T, w *world) {
			w.Set(telegramtest.Body(200, `{"ok":true,"result":`+result+`}`))
			if err := send(w.chats(t, Telegram{ChatID: "42"})[0], "x"); err != nil {
				t.Errorf("%s: %v", result, err)
			}
		})
	}
}

// FuzzClean: no piece of a token passes.
func FuzzClean(f *testing.F) {
	_, hidden, _ := strings.Cut(telegramtest.Token, ":")
	f.Add("before ", " after", 0, len(hidden))
	f.Add("", "", 3, 9)
	f.Add(strings.Repeat("long ", 40), "\n", 30, 36)
	f.Fuzz(func(t *testing.T, before, after string, from, to int) {
		if from < 0 || to > len(hidden) || to-from < pieceLength {
			return
		}
		if got := newSecret(telegramtest.Token).clean(before + hidden[from:to] + after); got != "" {
			t.Errorf("shown: %q", got)
		}
		got := newSecret(telegramtest.Token).clean(before + after)
		if len(got) > maxShown || strings.ContainsAny(got, "\r\n\"<>") || strings.Contains(got, "//") {
			t.Errorf("shown: %q", got)
		}
	})
}
