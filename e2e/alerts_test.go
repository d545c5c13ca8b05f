package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// alarmed is a setup whose alerts go to a Bot API.
func (w *world) alarmed(api *telegramtest.Server, cooldown string) setup {
	s := w.setup()
	s.Pools = fmt.Sprintf("alerts {\n\tcooldown %s\n\ttelegram {\n\t\ttoken %s\n\t\tchat_id 4711\n\t\tapi_url %s\n\t\tvia direct\n\t}\n}\n",
		cooldown, telegramtest.Token, api.URL()) + s.Pools
	return s
}

// headlines are the first lines of messages, without emoji and markup.
func headlines(messages []telegramtest.Message) []string {
	var lines []string
	for _, m := range messages {
		_, line, _ := strings.Cut(m.Text, "<b>")
		line, _, _ = strings.Cut(line, "</b>")
		lines = append(lines, line)
	}
	return lines
}

// TestAlertsOutage is Telegram out of reach for a while, for ten minutes where
// there is time, with a clean restart and a kill -9 in between: every alert
// arrives exactly once, in order.
func TestAlertsOutage(t *testing.T) {
	outage := 16 * time.Second
	if soaking() {
		outage = 10 * time.Minute
	}
	api := telegramtest.NewServer(t, telegramtest.Strict())
	w := newWorld(t, 2, 2, 12)
	s := w.alarmed(api, "0")
	p := start(t, s)
	api.Refuse()
	began := time.Now()
	var want []string
	ends := []func(){func() { p.Stop() }, func() { p.Kill() }}
	for i := 0; time.Since(began) < outage; i++ {
		name := fmt.Sprintf("P%d", i/2%2+1)
		action, told := "mark-down", name+" is down"
		if i%2 == 1 {
			action, told = "mark-healthy", name+" is healthy again"
		}
		if err := p.Act(name, action); err != nil {
			t.Fatal(err)
		}
		want = append(want, told)
		// What is told together is one message, more than five in ten seconds are a
		// burst, and more than ten in ten minutes wait for one another; what is a
		// second old survives.
		<-time.After(max(3*time.Second, outage/8))
		if len(ends) > 0 && time.Since(began) > outage/time.Duration(len(ends)+1) {
			ends[0]()
			ends = ends[1:]
			p = start(t, s)
		}
	}
	if len(ends) > 0 {
		t.Fatal("there was no time for a restart")
	}
	if err := api.Reopen(); err != nil {
		t.Fatal(err)
	}
	reopened := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(len(want))*1500*time.Millisecond)
	defer cancel()
	messages, err := api.Wait(ctx, len(want))
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d alerts of %v arrived within %v, the first after %v", len(messages), outage,
		time.Since(reopened).Round(time.Millisecond), messages[0].Time.Sub(reopened).Round(time.Millisecond))
	<-time.After(3 * time.Second) // for what must not come
	p.Stop()
	if got := headlines(api.Messages()); !slices.Equal(got, want) {
		t.Errorf("arrived\n%q\nexpected\n%q", got, want)
	}
}

// TestAlertsKill kills Caddy while it sends: at most the one that was on its way
// arrives twice, and none is lost.
func TestAlertsKill(t *testing.T) {
	api := telegramtest.NewServer(t)
	w := newWorld(t, 2, 2, 12)
	s := w.alarmed(api, "0")
	p := start(t, s)
	api.Refuse()
	var want []string
	for i := range 5 {
		name := fmt.Sprintf("P%d", i%3+1)
		action, told := "mark-down", name+" is down"
		if i >= 3 {
			action, told = "mark-healthy", name+" is healthy again"
		}
		if i == 2 {
			told = "Pool main has no usable proxy left"
		} else if i == 3 {
			told = "Pool main has a usable proxy again"
		}
		if err := p.Act(name, action); err != nil {
			t.Fatal(err)
		}
		want = append(want, told)
		<-time.After(1500 * time.Millisecond)
	}
	if err := api.Reopen(); err != nil {
		t.Fatal(err)
	}
	for n := range want {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := api.Wait(ctx, n+1)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			p.Kill() // right after it arrived
			p = start(t, s)
		}
	}
	<-time.After(3 * time.Second)
	p.Stop()
	got := headlines(api.Messages())
	if once := slices.Compact(slices.Clone(got)); !slices.Equal(once, want) {
		t.Errorf("arrived\n%q\nexpected\n%q", got, want)
	}
	if twice := len(got) - len(want); twice > 3 {
		t.Errorf("%d arrived twice after three kills", twice)
	} else {
		t.Logf("%d of %d arrived twice after three kills", twice, len(want))
	}
}
