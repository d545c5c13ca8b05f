package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// botAPI is what the bots call: a name that the proxies alone know.
const botAPI = "api.example.test"

// botWorld is a Bot API behind two proxies, and Caddy.
type botWorld struct {
	api         *telegramtest.Server
	cheap, dear *proxytest.Proxy
	caddy       *caddytest.Process
}

func newBotWorld(t *testing.T) *botWorld {
	t.Helper()
	w := &botWorld{api: telegramtest.NewServer(t, telegramtest.TLS())}
	knows := proxytest.ProxyConfig{Hosts: map[string]string{botAPI + ":443": w.api.Addr()}}
	w.cheap, w.dear = proxytest.NewProxy(t, knows), proxytest.NewProxy(t, knows)
	w.caddy = caddytest.Start(t, caddytest.Setup{
		Pools: fmt.Sprintf(`storage memory
pool main {
	tls_trust_pool file %s
	health_check {
		url https://%s/botTEST/getMe
		recovery_interval 1s
		interval 4s
	}
	proxy Cheap %s
	proxy Dear %s {
		cost_per_gb 12
	}
}`, proxytest.CAFile(t), botAPI, w.cheap.URL(), w.dear.URL()),
		Site:    "proxy_pool https://" + botAPI + " {\n\tresponse_timeout 75s\n}",
		Forward: fmt.Sprintf("proxy_pool_forward {\n\tallow %s\n\tbasic_auth %s %s\n}", botAPI, appUser, appPassword),
	})
	return w
}

// reached is how a bot gets to its API.
type reached struct {
	url   string
	proxy string // HTTPS_PROXY, empty for none
}

// TestBots: bots of two libraries poll and send through either front. When the
// proxy that carries their poll dies, they hear the next message all the same, and
// answer each once.
func TestBots(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, reached){"go-telegram": goBot, "python-telegram-bot": pythonBot} {
		for _, front := range []string{"reverse front", "forward front"} {
			t.Run(name+"/"+front, func(t *testing.T) {
				t.Parallel()
				caddytest.Needs(t)
				if name == "python-telegram-bot" {
					caddytest.Needs(t, "python3 telegram")
				}
				w := newBotWorld(t)
				r := reached{url: w.caddy.URL}
				if front == "forward front" {
					proxy := url.URL{Scheme: "http", User: url.UserPassword(appUser, appPassword), Host: w.caddy.Front}
					r = reached{url: "https://" + botAPI, proxy: proxy.String()}
				}
				start(t, r)
				w.talks(t)
			})
		}
	}
}

// talks says things to the bot, with a failover between them.
func (w *botWorld) talks(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var want []string
	say := func(text string, answers ...string) {
		t.Helper()
		w.api.Say("42", text)
		want = append(want, answers...)
		if _, err := w.api.Wait(ctx, len(want)); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		w.rests(t) // what breaks while the bot sends is not repeated
	}
	polls := func() {
		t.Helper()
		if err := w.api.WaitCalls(ctx, "getUpdates", w.api.Calls("getUpdates")+1); err != nil {
			t.Fatal(err)
		}
	}
	say("one", "echo: one")
	say("/file", "big.txt", "file: same")
	if n := w.dear.Connects(botAPI + ":443"); n > 1 { // of the first check
		t.Errorf("%d tunnels through the dear proxy while the cheap one works", n)
	}

	w.cheap.MustSetMode(t, proxytest.Refuse)
	polls()
	say("two", "echo: two")
	say("/file", "big.txt", "file: same")
	w.cheap.MustSetMode(t, proxytest.Silent)
	say("three", "echo: three")

	w.cheap.MustSetMode(t, proxytest.Works)
	before := w.cheap.Connects(botAPI + ":443")
	caddytest.Eventually(t, "the cheap proxy is used again", 20*time.Second, func() bool { return w.cheap.Connects(botAPI+":443") > before })
	say("four", "echo: four")
	var got []string
	for _, m := range w.api.Messages() {
		got = append(got, m.Text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the bot said %q, want %q", got, want)
	}
}

// rests waits until the bot does nothing but poll.
func (w *botWorld) rests(t *testing.T) {
	t.Helper()
	var before int64
	quiet := 0
	caddytest.Eventually(t, "nothing moves for a while", 20*time.Second, func() bool {
		var now int64
		for _, p := range []*proxytest.Proxy{w.cheap, w.dear} {
			from, to := p.Bytes()
			now += from + to
		}
		if quiet++; now != before {
			before, quiet = now, 0
		}
		return quiet > 30
	})
}

// bigFile is what the bot sends.
var bigFile = bytes.Repeat([]byte("one of many lines of a file\n"), 20_000)

// goBot runs a bot in this process, with the transport that programs have who say
// nothing of proxies.
func goBot(t *testing.T, r reached) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12}
	transport.Proxy = nil
	if r.proxy != "" { // as from the environment, which is read only once in a process
		proxy, err := url.Parse(r.proxy)
		if err != nil {
			t.Fatal(err)
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	client := &http.Client{Transport: transport, Timeout: 40 * time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	b, err := bot.New(telegramtest.Token, bot.WithServerURL(r.url), bot.WithHTTPClient(30*time.Second, client),
		bot.WithErrorsHandler(func(err error) {
			if ctx.Err() == nil {
				t.Logf("the bot was told: %v", err) // it polls again
			}
		}),
		bot.WithNotAsyncHandlers(), bot.WithDefaultHandler(func(ctx context.Context, b *bot.Bot, update *models.Update) {
			if err := answer(ctx, b, client, update.Message); err != nil && ctx.Err() == nil {
				t.Errorf("answering %q: %v", update.Message.Text, err)
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		transport.CloseIdleConnections()
	})
}

// answer is what both bots do with a message.
func answer(ctx context.Context, b *bot.Bot, client *http.Client, m *models.Message) error {
	reply := func(text string) error {
		_, err := b.SendMessage(ctx, &bot.SendMessageParams{ChatID: m.Chat.ID, Text: text})
		return err
	}
	if m.Text != "/file" {
		return reply("echo: " + m.Text)
	}
	sent, err := b.SendDocument(ctx, &bot.SendDocumentParams{
		ChatID: m.Chat.ID, Document: &models.InputFileUpload{Filename: "big.txt", Data: bytes.NewReader(bigFile)},
	})
	if err != nil {
		return err
	}
	file, err := b.GetFile(ctx, &bot.GetFileParams{FileID: sent.Document.FileID})
	if err != nil {
		return err
	}
	resp, err := client.Get(b.FileDownloadLink(file))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := sum(resp.Body)
	if err != nil {
		return err
	}
	if want, _ := sum(bytes.NewReader(bigFile)); got != want {
		return reply("file: another")
	}
	return reply("file: same")
}

// pythonBot runs the bot in testdata.
func pythonBot(t *testing.T, r reached) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(caddytest.Python, "testdata/bot.py")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(caddytest.Environ(), "PYTHONDONTWRITEBYTECODE=1", "API_URL="+r.url, "TOKEN="+telegramtest.Token, "SSL_CERT_FILE="+proxytest.CAFile(t))
	if r.proxy != "" {
		cmd.Env = append(cmd.Env, "HTTPS_PROXY="+r.proxy)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // it would finish its poll first
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("the bot said:\n%s", caddytest.Tail(said, 4<<10))
		}
	})
}
