package soak

import (
	"html"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

var markup = regexp.MustCompile(`<[^>]*>`)

// alerts checks that each alert came to both destinations once, at most as many
// twice as Caddy was killed while it sent them; that nothing was told that was
// not so; and that the last word on each proxy is true.
func (s *soak) alerts() {
	s.t.Helper()
	s.world.bot.Set(telegramtest.Works)
	s.world.hook.fails.Store(false)
	var wrong []string
	caddytest.ComesTrue(150*time.Second, func() bool { // a crowd waits for a minute, a try after many as long
		<-time.After(250 * time.Millisecond)
		wrong = s.untold()
		return len(wrong) == 0
	})
	for _, what := range wrong {
		s.t.Error(what)
	}
	s.once()
}

// untold is what was not told, or not delivered.
func (s *soak) untold() (wrong []string) {
	status := s.books.status()
	for _, n := range status.Notifiers {
		if n.Waiting > 0 {
			wrong = append(wrong, n.Notifier+": alerts wait")
		}
	}
	last := make(map[string]string)
	for _, a := range s.world.hook.all() {
		for _, c := range a.Changes {
			last[c.Proxy] = c.To
		}
	}
	for _, r := range status.Proxies {
		told := last[r.Name]
		if told == "" {
			told = "healthy"
		}
		if r.Active && told != r.Status {
			wrong = append(wrong, r.Name+" is "+r.Status+", and the last word on it was "+told)
		}
	}
	return wrong
}

// once compares what came to the two destinations.
func (s *soak) once() {
	s.t.Helper()
	ids, texts := make(map[string]int), make(map[string]int)
	last := ""
	for _, a := range s.world.hook.all() {
		if ids[a.ID]++; ids[a.ID] == 1 {
			texts[plain(a.Text)]++
			if len(a.ID) < len(last) || len(a.ID) == len(last) && a.ID < last {
				s.t.Errorf("alert %s came after %s: %s", a.ID, last, a.Text)
			}
			last = a.ID
		}
		if a.Kind == "pool_down" {
			s.t.Errorf("told although a proxy worked all the time: %s", a.Text)
		}
	}
	twice := 0
	for _, n := range ids {
		twice += n - 1
	}
	if twice > s.kills {
		s.t.Errorf("%d alerts came twice to the webhook after %d kills", twice, s.kills)
	}
	twice = 0
	for _, m := range s.world.bot.Messages() {
		text := plain(html.UnescapeString(markup.ReplaceAllString(m.Text, "")))
		if texts[text]--; texts[text] < 0 {
			twice++
		}
	}
	if twice > s.kills {
		s.t.Errorf("%d messages came to Telegram that did not come to the webhook, or twice, after %d kills", twice, s.kills)
	}
	for text, n := range texts {
		if n > 0 {
			s.t.Errorf("came to the webhook, and %d times not to Telegram: %s", n, text)
		}
	}
	s.t.Logf("%d alerts", len(ids))
}

// plain is a text without what differs between the destinations.
func plain(text string) string { return strings.Join(strings.Fields(text), " ") }
