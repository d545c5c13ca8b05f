package telegramtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// caller calls methods of a server.
type caller struct {
	*Server
	client *http.Client
	token  string
}

func newCaller(t *testing.T, s *Server, transport *http.Transport) *caller {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{Server: s, client: &http.Client{Transport: transport}, token: Token}
}

// inBubble runs a test in a bubble of testing/synctest.
func inBubble(t *testing.T, test func(t *testing.T, c *caller), options ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := NewPipe()
		s := NewServer(t, append([]Option{On(pipe)}, options...)...)
		test(t, newCaller(t, s, pipe.Transport()))
	})
}

// call answers the envelope as the server wrote it, or an error of the network.
func (c *caller) call(ctx context.Context, method, kind, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL()+"/bot"+c.token+"/"+method, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", kind)
	response, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return strings.TrimSpace(string(answer)), err
}

func (c *caller) json(method, body string) string {
	answer, err := c.call(context.Background(), method, "application/json", body)
	if err != nil {
		return "error"
	}
	return answer
}

// send sends a text to chat 42 and returns what went wrong.
func (c *caller) send(text string) string {
	return description(c.json("sendMessage", `{"chat_id":42,"text":"`+text+`"}`))
}

func description(raw string) string {
	var a answer
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		return raw
	}
	return a.Description
}

// TestFormsOfParameters: all that the API takes.
func TestFormsOfParameters(t *testing.T) {
	fields := url.Values{
		"chat_id": {"@Some_Group"}, "text": {"<b>x</b>"}, "parse_mode": {"HTML"}, "message_thread_id": {"7"}, "disable_notification": {"true"},
		"link_preview_options": {`{"is_disabled":true}`}, "reply_parameters": {`{"message_id":5}`},
	}
	var form bytes.Buffer
	multi := multipart.NewWriter(&form)
	for name, values := range fields {
		if err := multi.WriteField(name, values[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := multi.Close(); err != nil {
		t.Fatal(err)
	}
	object := `{"chat_id":"@Some_Group","text":"<b>x</b>","parse_mode":"HTML","message_thread_id":7,"disable_notification":true,` +
		`"link_preview_options":{"is_disabled":true},"reply_parameters":{"message_id":5}}`
	for _, tt := range []struct{ kind, body string }{
		{multi.FormDataContentType(), form.String()},
		{"application/json", object},
		{"application/x-www-form-urlencoded", fields.Encode()},
	} {
		inBubble(t, func(t *testing.T, c *caller) {
			if answer, err := c.call(context.Background(), "sendMessage", tt.kind, tt.body); err != nil || description(answer) != "" {
				t.Fatalf("%s: %s, error %v", tt.kind, answer, err)
			}
			want := []Message{{
				ID: 1, Chat: "@Some_Group", Thread: 7, Text: "<b>x</b>", ParseMode: "HTML", Silent: true, NoPreview: true, ReplyTo: 5, Time: time.Now(),
			}}
			if diff := cmp.Diff(want, c.Messages()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.kind, diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", maxUnits)
	tests := []struct{ name, token, method, body, want string }{
		{"right", Token, "sendMessage", `{"chat_id":"42","text":"` + long + `"}`, ""},
		{"markup is not counted", Token, "sendMessage", `{"chat_id":-42,"parse_mode":"HTML","text":"<b>` + long + `</b>"}`, ""},
		{"unknown token", "1:a", "getMe", "", "Unauthorized"},
		{"malformed token", "a", "getMe", "", "Not Found"},
		{"unknown method", Token, "getMore", "", "Not Found: method not found"},
		{"no parameters", Token, "sendMessage", "{", "Bad Request: can't parse the parameters"},
		{"no chat", Token, "sendMessage", `{"text":"x"}`, "Bad Request: chat not found"},
		{"no text", Token, "sendMessage", `{"chat_id":42,"text":" \n"}`, "Bad Request: message text is empty"},
		{"markup alone", Token, "sendMessage", `{"chat_id":42,"parse_mode":"HTML","text":"<b> </b>"}`, "Bad Request: message text is empty"},
		{"too long", Token, "sendMessage", `{"chat_id":42,"text":"` + long + `x"}`, "Bad Request: message is too long"},
		{"too long with emoji", Token, "sendMessage", `{"chat_id":42,"text":"` + long[1:] + `🚨"}`, "Bad Request: message is too long"},
		{"other markup", Token, "sendMessage", `{"chat_id":42,"parse_mode":"Markdown","text":"x"}`, "Bad Request: unsupported parse_mode"},
		{"bad markup", Token, "sendMessage", `{"chat_id":42,"parse_mode":"HTML","text":"<b>x"}`, `Bad Request: can't parse entities: Can't find end tag corresponding to start tag "b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *caller) {
				c.token = tt.token
				if got := description(c.json(tt.method, tt.body)); got != tt.want {
					t.Errorf("got %q, expected %q", got, tt.want)
				}
				if n := len(c.Messages()); (n == 1) != (tt.want == "") {
					t.Errorf("%d messages", n)
				}
			})
		})
	}
}

func TestParseHTML(t *testing.T) {
	tests := []struct{ text, shown, mistake string }{
		{"a &lt;b&gt; &amp; c", "a <b> & c", ""},
		{`<b>x <a href="https://x/">y</a></b><code>z</code>`, "x yz", ""},
		{"<b>x", "", `Can't find end tag corresponding to start tag "b"`},
		{"<b><i>x</b></i>", "", "Unmatched end tag at byte offset 7"},
		{"x</b>", "", "Unmatched end tag at byte offset 1"},
		{"<blink>x</blink>", "", `Unsupported start tag "blink" at byte offset 0`},
		{"1 < 2", "", "Unclosed start tag at byte offset 2"},
		{"1 < 2 > 0", "", `Unsupported start tag "" at byte offset 2`},
	}
	for _, tt := range tests {
		if shown, mistake := parseHTML(tt.text); shown != tt.shown || mistake != tt.mistake {
			t.Errorf("%q: %q, %q", tt.text, shown, mistake)
		}
	}
}

// TestModes: what they answer, how long they hold, and for whom.
func TestModes(t *testing.T) {
	inBubble(t, func(t *testing.T, c *caller) {
		c.Set(TooMany(5).Times(2), Unauthorized.Only("getMe"), ThreadNotFound)
		var got []string
		for range 3 {
			got = append(got, c.send("x"))
		}
		got = append(got,
			description(c.json("getMe", "{}")),
			description(c.json("sendMessage", `{"chat_id":42,"message_thread_id":7,"text":"x"}`)))
		c.Set()
		got = append(got, description(c.json("getMe", "{}")))
		const pause = "Too Many Requests: retry after 5"
		if diff := cmp.Diff([]string{pause, pause, "", "Unauthorized", noThread, ""}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := c.Calls("sendMessage"); n != 4 {
			t.Errorf("%d calls of sendMessage", n)
		}
	})
}

// TestConnections that are cut, and whether the message arrived.
func TestConnections(t *testing.T) {
	tests := []struct {
		name    string
		mode    Mode
		answer  string // or the word error
		arrives int
		took    time.Duration
	}{
		{"before reading", CutBeforeReading, "error", 0, 0},
		{"before processing", CutBeforeProcessing, "error", 0, 0},
		{"after processing", CutAfterProcessing, "error", 1, 0},
		{"slow", Slow(9 * time.Second), "", 1, 9 * time.Second},
		{"hang", Hang, "error", 0, time.Minute},
		{"page", HTMLPage, HTMLPage.text, 0, 0},
		{"half an answer", InvalidJSON, InvalidJSON.text, 0, 0},
		{"fault", Refused(502, "Bad Gateway"), "Bad Gateway", 0, 0},
		{"migrated", Migrated(-1007), "Bad Request: group chat was upgraded to a supergroup chat", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *caller) {
				c.client.Timeout = time.Minute
				c.Set(tt.mode)
				start := time.Now()
				if got := c.send("x"); got != tt.answer {
					t.Errorf("got %q, expected %q", got, tt.answer)
				}
				if n := len(c.Messages()); n != tt.arrives {
					t.Errorf("%d messages arrived", n)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestStrict keeps to what Telegram allows.
func TestStrict(t *testing.T) {
	inBubble(t, func(t *testing.T, c *caller) {
		const pause = "Too Many Requests: retry after 1"
		group := func() string { return description(c.json("sendMessage", `{"chat_id":-42,"text":"x"}`)) }
		if got := []string{c.send("x"), c.send("x"), group()}; !cmp.Equal(got, []string{"", pause, ""}) {
			t.Errorf("at once: %q", got)
		}
		for i := range 100 {
			time.Sleep(time.Second)
			if got := c.send("x"); got != "" {
				t.Fatalf("message %d to a person: %s", i, got)
			}
		}
		for i := range 20 {
			time.Sleep(time.Second)
			if got := group(); got != "" {
				t.Fatalf("message %d to a group: %s", i, got)
			}
		}
		time.Sleep(time.Second)
		if got := group(); got != pause {
			t.Errorf("message 21 to a group: %q", got)
		}
		time.Sleep(time.Minute)
		if got := group(); got != "" {
			t.Errorf("a minute later: %s", got)
		}
	}, Strict())
}

// TestUpdates are waited for, come until they are confirmed, and go to one.
func TestUpdates(t *testing.T) {
	inBubble(t, func(t *testing.T, c *caller) {
		start := time.Now()
		if got := c.json("getUpdates", `{"timeout":50}`); got != `{"ok":true,"result":[]}` || time.Since(start) != 50*time.Second {
			t.Errorf("%s after %v", got, time.Since(start))
		}
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if got := c.json("getUpdates", `{"timeout":50,"allowed_updates":["message"]}`); !strings.Contains(got, `"text":"/help"`) {
				t.Errorf("got %s", got)
			}
		})
		synctest.Wait()
		id := c.Say("@Some_Group", "/help")
		waiting.Wait()

		c.Hear(Said{Chat: "42", Thread: 7, Text: "later", Time: time.Unix(1, 0)})
		got := c.json("getUpdates", `{"offset":2}`)
		want := `{"ok":true,"result":[{"update_id":2,"message":{"message_id":2,"message_thread_id":7,"is_topic_message":true,` +
			`"from":{"first_name":"Admin","id":77,"is_bot":false},"chat":{"id":42,"type":"private"},"date":1,"text":"later"}}]}`
		if got != want || id != 1 {
			t.Errorf("message %d, then\n%s, expected\n%s", id, got, want)
		}
		if got := c.json("getUpdates", `{"offset":2,"allowed_updates":["poll"]}`); got != `{"ok":true,"result":[]}` {
			t.Errorf("another kind: %s", got)
		}

		waiting.Go(func() {
			if got := c.json("getUpdates", `{"offset":3,"timeout":50}`); !strings.Contains(description(got), "terminated by other") {
				t.Errorf("the first of two: %s", got)
			}
		})
		synctest.Wait()
		if got := c.json("getUpdates", `{"offset":3,"timeout":5}`); got != `{"ok":true,"result":[]}` {
			t.Errorf("the second of two: %s", got)
		}
		waiting.Wait()
	})
}

// TestWait for messages that come and for those that do not.
func TestWait(t *testing.T) {
	inBubble(t, func(t *testing.T, c *caller) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var sending sync.WaitGroup
		sending.Go(func() {
			for range 2 {
				time.Sleep(time.Second)
				c.send("x")
			}
		})
		if got, err := c.Wait(ctx, 2); len(got) != 2 || err != nil {
			t.Errorf("%d messages, error %v", len(got), err)
		}
		sending.Wait()
		if err := c.WaitCalls(ctx, "sendMessage", 2); err != nil {
			t.Error(err)
		}
		if got, err := c.Wait(ctx, 3); len(got) != 2 || err == nil || !strings.Contains(err.Error(), "2 of 3 messages") {
			t.Errorf("%d messages, error %v", len(got), err)
		}
		if err := c.WaitCalls(ctx, "sendMessage", 3); err == nil {
			t.Error("no error")
		}
	})
}

// TestRealPort: TLS, and a port that is closed and opened again.
func TestRealPort(t *testing.T) {
	s := NewServer(t, TLS())
	c := newCaller(t, s, &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	})
	if got := c.send("x"); got != "" {
		t.Errorf("got %q", got)
	}
	addr := s.Addr()
	s.Refuse()
	if got := c.send("x"); got != "error" {
		t.Errorf("while refusing: %q", got)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	if got := c.send("x"); got != "" || s.Addr() != addr {
		t.Errorf("at %s: %q", s.Addr(), got)
	}
}

// TestPipeEnds: what waits at a closed listener goes on with an error.
func TestPipeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := NewPipe()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := pipe.Dial(ctx, "", ""); err != context.DeadlineExceeded {
			t.Errorf("error %v", err)
		}
		if err := pipe.Close(); err != nil {
			t.Error(err)
		}
		if _, err := pipe.Dial(context.Background(), "", ""); err != net.ErrClosed {
			t.Errorf("error %v", err)
		}
		if _, err := pipe.Accept(); err != net.ErrClosed {
			t.Errorf("error %v", err)
		}
	})
}

// TestFiles: what was sent can be fetched again.
func TestFiles(t *testing.T) {
	s := NewServer(t)
	b, err := bot.New(Token, bot.WithServerURL(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("a line\n", 1<<19)
	sent, err := b.SendDocument(t.Context(), &bot.SendDocumentParams{
		ChatID: 42, Document: &models.InputFileUpload{Filename: "lines.txt", Data: strings.NewReader(content)},
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: sent.Document.FileID})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(b.FileDownloadLink(file))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != content {
		t.Errorf("%d bytes came back, %v; want %d", len(got), err, len(content))
	}
	if _, err := b.GetFile(t.Context(), &bot.GetFileParams{FileID: "file-2"}); err == nil {
		t.Error("a file that nobody sent is there")
	}
}
