package proxypool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// alertsTo is the option that sends alerts to a chat of the test's Bot API.
func alertsTo(api *telegramtest.Server, options string) string {
	return fmt.Sprintf(`alerts {
	telegram {
		token %s
		chat_id 4711
		api_url %s
%s
	}
}
`, telegramtest.Token, api.URL(), options)
}

// wait waits for n messages, and fails where they do not come.
func waitMessages(t *testing.T, api *telegramtest.Server, n int) []telegramtest.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	messages, err := api.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// firstLines are the headlines of messages.
func firstLines(messages []telegramtest.Message) []string {
	var lines []string
	for _, m := range messages {
		line, _, _ := strings.Cut(m.Text, "\n")
		lines = append(lines, line)
	}
	return lines
}

func (s *server) notifiers() []notifierAnswer {
	s.t.Helper()
	var answer statusAnswer
	s.call(http.MethodGet, "/proxy_pool/status", &answer)
	return answer.Notifiers
}

// noToken fails where the token is in what Caddy logged, or the API tells.
func (s *server) noToken() {
	s.t.Helper()
	status, _ := json.Marshal(s.everything())
	for what, text := range map[string]string{"log": captured.String(), "API": string(status)} {
		if strings.Contains(text, telegramtest.Token) || strings.Contains(text, "TEST-aBcDeF") {
			s.t.Errorf("the token is in the %s", what)
		}
	}
}

// TestAlertUnderLoad: a proxy that dies under 16 clients at full load gives
// exactly one message, within two seconds of its change of status.
func TestAlertUnderLoad(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.Strict())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, alertsTo(api, "")+onePool(t, "", first, second), reverse(origin.URL(), ""))
	load := startLoad(s, http.MethodGet, 16)
	load.waitFor(t, 200)
	first.MustSetMode(t, proxytest.Refuse)
	message := waitMessages(t, api, 1)[0]
	load.waitFor(t, 500)
	load.end()

	for _, want := range []string{
		"🔔 <b>P1 is down</b>", "Pool: main", "<code>healthy</code> → <code>down</code>", "connection refused (<code>dial_refused</code>)",
		"Type: <code>other</code>", "Cost: $0/GB", "Uptime: 9", "⚡ Auto-switched to: P2",
	} {
		if !strings.Contains(message.Text, want) {
			t.Errorf("message lacks %q:\n%s", want, message.Text)
		}
	}
	if message.Silent || message.ParseMode != "HTML" {
		t.Errorf("%+v", message)
	}
	var events struct{ Rows []eventRow }
	s.call(http.MethodGet, "/proxy_pool/events", &events)
	changed, err := time.Parse(time.RFC3339Nano, events.Rows[0].Time)
	if err != nil || len(events.Rows) != 1 {
		t.Fatalf("events %+v: %v", events, err)
	}
	if late := message.Time.Sub(changed); late > 2*time.Second {
		t.Errorf("the message came %s after the change, expected at most 2s", late)
	} else {
		t.Logf("the message came %s after the change", late)
	}

	first.MustSetMode(t, proxytest.Works)
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-healthy", nil)
	recovered := waitMessages(t, api, 2)[1]
	if !strings.Contains(recovered.Text, "ℹ️ <b>P1 is healthy again</b>") || !recovered.Silent {
		t.Errorf("%+v", recovered)
	}
	if n := len(api.Messages()); n != 2 {
		t.Errorf("%d messages", n)
	}
	s.noToken()
}

// TestThousandProxiesDie gives two messages, which carry the news that the pool
// has none left.
func TestThousandProxiesDie(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.Strict())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	dead := freePort(t)
	var pool strings.Builder
	pool.WriteString("pool main {\n\thealth_check off\n")
	for i := range 1000 {
		fmt.Fprintf(&pool, "\tproxy P%d http://127.0.0.1:%d\n", i+1, dead)
	}
	pool.WriteString("}\n")
	s := serve(t, alertsTo(api, "")+pool.String(), reverse(origin.URL(), ""))
	c := client(t)
	eventually(t, "all are down", func() bool {
		s.do(c, http.MethodGet, "/", "", "")
		var answer statusAnswer
		s.call(http.MethodGet, "/proxy_pool/status", &answer)
		return answer.Summary.Down == 1000
	})
	messages := waitMessages(t, api, 2)
	if !strings.Contains(messages[0].Text, "Many proxies of pool main are changing status") {
		t.Errorf("the start:\n%s", messages[0].Text)
	}
	for _, want := range []string{"🚨 <b>Pool main has no usable proxy left</b>", "have settled", "1,000"} {
		if !strings.Contains(messages[1].Text, want) {
			t.Errorf("the end lacks %q:\n%s", want, messages[1].Text)
		}
	}
	if n := strings.Count(messages[0].Text, "•"); n > alert.MaxNamed+1 {
		t.Errorf("the start has %d items", n)
	}
	// Nothing follows, whatever fails from here on.
	s.do(c, http.MethodGet, "/", "", "")
	s.reload()
	s.do(c, http.MethodGet, "/", "", "")
	if n := len(api.Messages()); n != 2 {
		t.Errorf("%q", firstLines(api.Messages()))
	}
}

// TestAlertThroughPool: alerts arrive through the very pool that they are about,
// and what it does for that raises no further one.
func TestAlertThroughPool(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.TLS())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, alertsTo(api, "via main")+onePool(t, "", first, second), reverse(origin.URL(), ""))
	c := client(t)
	for range 3 {
		s.get(c, "/")
	}
	first.MustSetMode(t, proxytest.Refuse)
	for range 3 {
		s.get(c, "/")
	}
	message := waitMessages(t, api, 1)[0]
	if !strings.Contains(message.Text, "P1 is down") {
		t.Errorf("%s", message.Text)
	}
	if second.Connects(api.Addr()) == 0 {
		t.Error("the message did not go through the pool")
	}

	eventually(t, "the answer is read", func() bool { return s.notifiers()[0].LastDelivered != nil })

	// From here on only alerts use the pool. None gets through, and that is told
	// in the status alone.
	second.MustSetMode(t, proxytest.Refuse)
	var result struct{ Results []testResult }
	for range 5 {
		s.call(http.MethodPost, "/proxy_pool/alerts/test", &result)
		if len(result.Results) != 1 || result.Results[0].OK || result.Results[0].Error == "" {
			t.Fatalf("%+v", result)
		}
	}
	if row := s.row("P2"); row.Status != "healthy" || row.FailureCount != 0 || len(row.FailingFor) != 0 {
		t.Errorf("%+v, expected nobody to be blamed", row)
	}
	second.MustSetMode(t, proxytest.Works)
	s.call(http.MethodPost, "/proxy_pool/alerts/test", &result)
	if !result.Results[0].OK {
		t.Errorf("%+v", result)
	}
	if messages := waitMessages(t, api, 2); len(messages) != 2 {
		t.Errorf("%q", firstLines(messages))
	}
	s.noToken()
}

// TestAlertsWhereTelegramIsBlocked: the direct way swallows everything, as a
// filter does, and alerts go through the pool.
func TestAlertsWhereTelegramIsBlocked(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.TLS())
	blocked := proxytest.NewProxy(t, proxytest.ProxyConfig{}) // stands for the network
	blocked.MustSetMode(t, proxytest.Silent)
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Hosts: map[string]string{blocked.Addr(): api.Addr()}})
	s := serve(t, strings.Replace(alertsTo(api, ""), api.URL(), "https://"+blocked.Addr(), 1)+onePool(t, "", proxy), "")
	var result struct{ Results []testResult }
	start := time.Now()
	s.call(http.MethodPost, "/proxy_pool/alerts/test", &result)
	if !result.Results[0].OK {
		t.Fatalf("%+v", result)
	}
	t.Logf("the first took %s", time.Since(start))
	start = time.Now()
	s.call(http.MethodPost, "/proxy_pool/alerts/test", &result)
	if took := time.Since(start); !result.Results[0].OK || took > 3*time.Second {
		t.Errorf("the second took %s, expected the closed way to be passed over: %+v", took, result)
	}
}

// TestAlertsSurviveARestart: what could not be delivered arrives once, after it.
func TestAlertsSurviveARestart(t *testing.T) {
	api := telegramtest.NewServer(t)
	api.Refuse()
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	path, pools := onDisk(t, alertsTo(api, "via direct")+onePool(t, "", first, second))
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	s.get(c, "/")
	first.MustSetMode(t, proxytest.Refuse)
	for range 3 {
		s.get(c, "/")
	}
	eventually(t, "the alert waits", func() bool {
		n := s.notifiers()
		return len(n) == 1 && n[0].Waiting == 1 && !n[0].OK && n[0].Error != "" && n[0].Since != nil
	})
	for range 3 {
		s.restart()
		if n := s.notifiers(); n[0].Waiting != 1 {
			t.Fatalf("after a restart: %+v", n)
		}
	}
	if err := api.Reopen(); err != nil {
		t.Fatal(err)
	}
	if messages := waitMessages(t, api, 1); !strings.Contains(messages[0].Text, "P1 is down") {
		t.Errorf("%s", messages[0].Text)
	}
	eventually(t, "it is noted", func() bool {
		n := s.notifiers()
		return n[0].OK && n[0].Waiting == 0 && n[0].LastDelivered != nil && n[0].Error == ""
	})
	s.restart()
	for range 3 {
		s.get(c, "/")
	}
	s.call(http.MethodPost, "/proxy_pool/alerts/test", nil) // behind whatever would come
	if messages := waitMessages(t, api, 2); len(messages) != 2 || !strings.Contains(messages[1].Text, "Test") {
		t.Errorf("%q", firstLines(messages))
	}
	s.noToken()
	for _, file := range []string{path, path + "-wal"} {
		content, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "TEST-aBcDeF") {
			t.Errorf("the token is in %s", filepath.Base(file))
		}
	}
}

// TestAlertNames: names arrive as they are.
func TestAlertNames(t *testing.T) {
	api := telegramtest.NewServer(t)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	for _, name := range []string{"<b>&amp;", "🚀VPS", "پروکسی-آلمان"} {
		for _, language := range []string{"en", "fa"} {
			t.Run(name+" "+language, func(t *testing.T) {
				before := len(api.Messages())
				first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
				pools := strings.Replace(onePool(t, "", first, second), "proxy P1", "proxy "+name, 1)
				alerts := strings.Replace(alertsTo(api, ""), "alerts {", "alerts {\n\tlanguage "+language, 1)
				s := serve(t, alerts+pools, reverse(origin.URL(), ""))
				first.MustSetMode(t, proxytest.Refuse)
				for range 3 {
					s.get(client(t), "/")
				}
				message := waitMessages(t, api, before+1)[before]
				shown := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(message.Text)
				if !strings.Contains(shown, name) {
					t.Errorf("%s", message.Text)
				}
			})
		}
	}
}

// TestNoToken is a notifier that lacks what it needs: a warning, and nothing
// else.
func TestNoToken(t *testing.T) {
	for name, options := range map[string]string{
		"neither": "token\nchat_id",
		"unset":   "token {env.NOBODY_SET_THIS}\nchat_id {env.NOBODY_SET_THIS}",
		"no chat": "token " + telegramtest.Token,
		"bare":    "",
	} {
		t.Run(name, func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, "alerts {\ntelegram {\n"+options+"\n}\n}\n"+onePool(t, "", proxy), reverse(origin.URL(), ""))
			s.get(client(t), "/")
			if n := s.notifiers(); len(n) != 0 {
				t.Errorf("%+v", n)
			}
			if n := strings.Count(captured.String(), "no alerts are sent to Telegram"); n != 1 {
				t.Errorf("%d warnings, expected one", n)
			}
			s.noToken()
		})
	}
}

// TestOutageIsToldOnce, with what to do, and shown in the status; and when it is
// over everything arrives.
func TestOutageIsToldOnce(t *testing.T) {
	for name, test := range map[string]struct {
		mode telegramtest.Mode
		want string
	}{
		"wrong token":    {telegramtest.Unauthorized, "token"},
		"another server": {telegramtest.HTMLPage, "api_url"},
	} {
		t.Run(name, func(t *testing.T) {
			api := telegramtest.NewServer(t)
			api.Set(test.mode)
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
			first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, alertsTo(api, "")+onePool(t, "", first, second), reverse(origin.URL(), ""))
			first.MustSetMode(t, proxytest.Refuse)
			for range 3 {
				s.get(client(t), "/")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := api.WaitCalls(ctx, "sendMessage", 2); err != nil {
				t.Fatal(err)
			}
			n := s.notifiers()[0]
			if n.OK || !strings.Contains(n.Error, test.want) || n.Waiting != 1 {
				t.Errorf("%+v, expected an error that tells of the %s", n, test.want)
			}
			if n := strings.Count(captured.String(), "alerts do not arrive"); n != 1 {
				t.Errorf("%d lines in the log, expected one", n)
			}
			api.Set(telegramtest.Works)
			waitMessages(t, api, 1)
			eventually(t, "it is over", func() bool { return s.notifiers()[0].OK && strings.Contains(captured.String(), "alerts arrive again") })
			s.noToken()
		})
	}
}

// TestValidateSendsNothing, and neither does a configuration that is refused.
func TestValidateSendsNothing(t *testing.T) {
	api := telegramtest.NewServer(t)
	s := serve(t, "pool main {\n\tproxy Own direct\n}\n", "")
	for _, pools := range []string{
		alertsTo(api, "commands on") + "pool main {\n\tproxy Own direct\n}\n",
		alertsTo(api, "commands on") + "pool main {\n\tproxy Own http://{env.NOBODY_SET_THIS}@127.0.0.1:1\n}\n",
		alertsTo(api, "via nowhere") + "pool main {\n\tproxy Own direct\n}\n",
	} {
		var config caddy.Config
		if err := json.Unmarshal(s.config(pools, ""), &config); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&config)
		if strings.Contains(pools, "nowhere") && (err == nil || !strings.Contains(err.Error(), `number 1: telegram: via: pool "nowhere"`)) {
			t.Errorf("error %v, expected the pool that does not exist", err)
		}
	}
	if n := api.Calls("sendMessage") + api.Calls("getMe") + api.Calls("getUpdates"); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestCommandsInTheChat, through the pool.
func TestCommandsInTheChat(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.TLS())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, alertsTo(api, "via main\ncommands on")+onePool(t, "", first, second), reverse(origin.URL(), ""))
	s.get(client(t), "/")
	for i, test := range []struct {
		say, want string
	}{
		{"/status", "Traffic goes through: P1"},
		{"/disable P1", "P1 is disabled"},
		{"/explain " + origin.URL(), "P2"},
		{"/usage", "main/P1"},
		{"/enable main/P1", "P1 is enabled"},
		{"/enable nobody", "nobody"},
		{"/check", "checked"},
	} {
		if i == 3 {
			s.reload() // the poller goes on under the new configuration
		}
		api.Say("4711", test.say)
		message := waitMessages(t, api, i+1)[i]
		if !strings.Contains(message.Text, test.want) {
			t.Errorf("%s: %s\nexpected %q", test.say, message.Text, test.want)
		}
		if test.say == "/disable P1" && s.row("P1").Active {
			t.Error("P1 is not disabled")
		}
	}
	for _, action := range []string{"enable", "disable"} {
		if n := strings.Count(captured.String(), `"action":"`+action+`"`); n != 1 {
			t.Errorf("%s is logged %d times", action, n)
		}
	}
	api.Say("666", "/disable P2")
	api.Say("4711", "/status")
	if message := waitMessages(t, api, 8)[7]; message.Chat != "4711" || !s.row("P2").Active {
		t.Errorf("a stranger was answered: %+v", message)
	}
	if first.Connects(api.Addr())+second.Connects(api.Addr()) == 0 {
		t.Error("nothing went through the pool")
	}
	s.noToken()
}

// TestReportSpan: a report tells the times that it is about, which are those of
// the books.
func TestReportSpan(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse(origin.URL(), ""))
	s.get(client(t), "/")
	const quarter = 15 * time.Minute
	begin := time.Now().UTC().Truncate(quarter)
	for _, test := range []struct {
		at       time.Time
		requests int64
	}{
		{begin.Add(7 * time.Minute), 0}, // the quarter is in the next report, all of it
		{begin.Add(quarter), 1},
		{begin.Add(24*time.Hour + 7*time.Minute), 1},
		{begin.Add(24*time.Hour + quarter), 0},
	} {
		report, err := runningApps()[0].report(t.Context(), test.at.Add(-24*time.Hour), test.at)
		if err != nil {
			t.Fatal(err)
		}
		to := test.at.Truncate(quarter)
		if report.Requests != test.requests || !report.To.Equal(to) || !report.From.Equal(to.Add(-24*time.Hour)) {
			t.Errorf("at %s: %+v, expected %d requests in the day until %s", test.at, report, test.requests, to)
		}
	}
}

// TestTimesInTheChat are in the time zone of the app.
func TestTimesInTheChat(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	first.MustSetMode(t, proxytest.Refuse)
	s := serve(t, "timezone Asia/Tehran\n"+onePool(t, "max_failures 1", first, second), reverse(origin.URL(), ""))
	s.get(client(t), "/")
	explanations, err := console{runningApps()[0]}.Explain(t.Context(), origin.URL())
	if err != nil {
		t.Fatal(err)
	}
	verdict := explanations[0].Proxies[0]
	if verdict.Usable || verdict.Until.Location().String() != "Asia/Tehran" {
		t.Errorf("%+v, expected until when it is down, in the time zone", verdict)
	}
	if free := explanations[0].Proxies[1]; !free.Usable || !free.Until.IsZero() {
		t.Errorf("%+v, expected a usable one", free)
	}
}

// TestWebhookAlert is signed, and says what the chat says.
func TestWebhookAlert(t *testing.T) {
	bodies := make(chan string, 16)
	hook := proxytest.NewOrigin(t, proxytest.OriginConfig{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- r.Header.Get("X-Proxy-Pool-Signature") + "\n" + string(body)
	})})
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	alerts := fmt.Sprintf("alerts {\nwebhook %s/hidden {\nsecret geheim\n}\nwebhook %s/other\n}\n", hook.URL(), hook.URL())
	s := serve(t, alerts+onePool(t, "", first, second), reverse(origin.URL(), ""))
	first.MustSetMode(t, proxytest.Refuse)
	for range 3 {
		s.get(client(t), "/")
	}
	signed := 0
	for range 2 {
		signature, body, _ := strings.Cut(<-bodies, "\n")
		if strings.HasPrefix(signature, "sha256=") {
			signed++
		}
		var got struct {
			alert.Alert
			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Kind != alert.KindStatusChanged || got.Carrier != "P2" || !got.Switched || got.Changes[0].Proxy != "P1" || !strings.Contains(got.Text, "P1 is down") {
			t.Errorf("%s", body)
		}
	}
	if signed != 1 {
		t.Errorf("%d are signed, expected one", signed)
	}
	names := []string{}
	for _, n := range s.notifiers() {
		names = append(names, n.Notifier)
	}
	if want := []string{"webhook " + hook.URL(), "webhook " + hook.URL() + " #2"}; !slices.Equal(names, want) {
		t.Errorf("notifiers %q, expected %q", names, want)
	}
	if strings.Contains(captured.String(), "geheim") || strings.Contains(captured.String(), "/hidden") {
		t.Error("a secret is in the log")
	}
}

// heardEvents are what a handler of Caddy's events got.
var heardEvents struct {
	sync.Mutex
	list []caddy.Event
}

// eventEar is a handler of Caddy's events.
type eventEar struct{}

func (eventEar) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.proxypool_test", New: func() caddy.Module { return new(eventEar) }}
}

func (eventEar) Handle(_ context.Context, e caddy.Event) error {
	heardEvents.Lock()
	defer heardEvents.Unlock()
	heardEvents.list = append(heardEvents.list, e)
	return nil
}

// TestCaddyEvents: whoever subscribed is told of every edge.
func TestCaddyEvents(t *testing.T) {
	heardEvents.list = nil
	origin := sends(t, 1<<20)
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	pools := strings.Replace(onePool(t, "keepalive off", proxy), "priority 1", "priority 1\n\tcost_per_gb 10\n\tbudget 0.01USD day", 1)
	s := serve(t, pools, reverse(origin.URL(), ""))
	var config map[string]any
	if err := json.Unmarshal(s.config(pools, reverse(origin.URL(), "")), &config); err != nil {
		t.Fatal(err)
	}
	config["apps"].(map[string]any)["events"] = map[string]any{"subscriptions": []any{
		map[string]any{"modules": []string{"proxy_pool"}, "handlers": []any{map[string]any{"handler": "proxypool_test"}}},
	}}
	raw, _ := json.Marshal(config)
	s.loadJSON(raw)
	expect := func(name string, data map[string]any) {
		t.Helper()
		eventually(t, name, func() bool {
			heardEvents.Lock()
			defer heardEvents.Unlock()
			return slices.ContainsFunc(heardEvents.list, func(e caddy.Event) bool {
				if e.Name() != name || e.Origin().CaddyModule().ID != "proxy_pool" {
					return false
				}
				for key, want := range data {
					if e.Data[key] != want {
						return false
					}
				}
				return true
			})
		})
	}
	c := client(t)
	s.get(c, "/")
	expect("proxy_pool.budget", map[string]any{"pool": "main", "proxy": "P1", "kind": "budget", "percent": 80, "hard": false})
	proxy.MustSetMode(t, proxytest.TLSGarbage)
	for range 3 {
		s.do(c, http.MethodGet, "/", "", "")
	}
	expect("proxy_pool.target_unreachable", map[string]any{"pool": "main", "target": origin.Addr()})
	proxy.MustSetMode(t, proxytest.Works)
	eventually(t, "the target answers", func() bool {
		resp, _ := s.do(c, http.MethodGet, "/", "", "")
		return resp.StatusCode == http.StatusOK
	})
	expect("proxy_pool.target_reachable", map[string]any{"pool": "main", "target": origin.Addr()})
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-down", nil)
	expect("proxy_pool.status_changed", map[string]any{"proxy": "P1", "from": "healthy", "to": "down", "reason": "marked down"})
	expect("proxy_pool.pool_down", map[string]any{"pool": "main"})
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-healthy", nil)
	expect("proxy_pool.pool_up", map[string]any{"pool": "main"})
}
