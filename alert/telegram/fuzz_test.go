package telegram

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// FuzzAnswer reads anything as an answer of the Bot API. What the library gets of
// it is JSON, and what the admin reads of an error holds nothing of the token.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"ok":true,"result":[{"update_id":1,"message":{"message_id":1,"date":1,"chat":{"id":42,"type":"private"},"text":"/status"}}]}`,
		`{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"x","username":"TOKEN"}}`, `{"ok":true}`, `{"ok":true,"result":null}`, "null", "[]", "<html>TOKEN",
		`{"ok":false,"error_code":429,"description":"Too Many Requests: TOKEN","parameters":{"retry_after":9223372036854775807}}`,
		`{"ok":false,"error_code":400,"description":"Bad Request: chat not found TOKEN"}`, `{"ok":false,"error_code":-1,"description":"\u202e\r\n"}`,
		`{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-100}}`, `{"ok":false,"error_code":503,"description":"busy, try https://x/TOKEN"}`,
	} {
		f.Add("getUpdates", 200, []byte(seed))
		f.Add("sendMessage", 400, []byte(seed))
	}
	_, hidden, _ := strings.Cut(telegramtest.Token, ":")
	own := &account{token: telegramtest.Token}
	to := &chat{account: own, id: chatID{number: 42}}
	f.Fuzz(func(t *testing.T, method string, status int, body []byte) {
		body = []byte(strings.ReplaceAll(string(body), "TOKEN", telegramtest.Token))
		c := &client{secret: newSecret(telegramtest.Token), host: "api.example.org"}
		result, err := c.result(method, status, body)
		if err == nil {
			if !json.Valid(result) {
				t.Errorf("%s of %s becomes %s", body, method, result)
			}
			return
		}
		if after, ok := errors.AsType[*apiError](err); ok && (after.retryAfter < 0 || after.retryAfter > 24*60*60*1e9) {
			t.Errorf("%s waits for %v", body, after.retryAfter)
		}
		for _, shown := range []error{own.explain(err), to.explain(err)} {
			text := shown.Error()
			if strings.Contains(text, hidden[:pieceLength]) || strings.ContainsAny(text, "\r\n") || strings.Contains(text, "//") {
				t.Errorf("%s is shown as %q", body, text)
			}
			if after, ok := errors.AsType[*alert.RetryAfterError](shown); ok && after.After <= 0 {
				t.Errorf("%s waits for %v", body, after.After)
			}
		}
	})
}
