package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

const (
	manyProxies = 1000
	// How long to look for what must not come after the last alert.
	alertsSettle = 3 * time.Second
)

// alerts measures how soon the admin knows, and how often the admin is told.
func (r *rig) alerts(ctx context.Context) error {
	api, err := telegramtest.Start(telegramtest.Strict())
	if err != nil {
		return err
	}
	defer api.Close()
	t := table{header: []string{"", "alerts", "the first after", "the last after"}}
	rounds := 5
	if r.short {
		rounds = 2
	}
	var first []time.Duration
	for round := range rounds {
		progress("alerts: a proxy dies under load, round %d", round+1)
		took, err := r.alertOfOne(ctx, api)
		if err != nil {
			return err
		}
		first = append(first, took)
	}
	worst := slices.Max(first)
	t.add(fmt.Sprintf("one of five proxies dies under %d clients, %d times", loadClients, rounds), "1 each time",
		against(ms(worst), worst <= 2*time.Second, "≤ 2 s"), "")
	progress("alerts: %d proxies die", manyProxies)
	row, err := r.alertsOfMany(ctx, api)
	if err != nil {
		return err
	}
	t.add(row...)
	t.write(os.Stdout)
	return nil
}

// alertOptions keep the books in a file, as by default.
func (r *rig) alertOptions(api *telegramtest.Server) string {
	return fmt.Sprintf("storage sqlite %s\nalerts {\n\ttelegram {\n\t\ttoken %s\n\t\tchat_id 4711\n\t\tapi_url %s\n\t\tvia direct\n\t}\n}",
		filepath.Join(r.dir, fmt.Sprintf("alerts-%d.db", time.Now().UnixNano())), telegramtest.Token, api.URL())
}

// alertOfOne returns how long after its change of status a proxy that died under
// full load was told of, and fails where that was not exactly once.
func (r *rig) alertOfOne(ctx context.Context, api *telegramtest.Server) (time.Duration, error) {
	s, err := r.newSceneWith(ctx, 0, r.alertOptions(api))
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before := len(api.Messages())
	loaded, end := context.WithCancel(ctx)
	l := load{addr: s.caddy.front, clients: loadClients, timeout: clientTimeout}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		l.run(loaded)
	}()
	defer func() { end(); <-finished }()
	if err := wait(ctx, 2*time.Second); err != nil {
		return 0, err
	}
	if err := s.proxies[0].set(modeRefuse); err != nil {
		return 0, err
	}
	if err := awaitMessages(ctx, api, before+1); err != nil {
		return 0, err
	}
	if err := wait(ctx, alertsSettle); err != nil {
		return 0, err
	}
	messages := api.Messages()[before:]
	if len(messages) != 1 || !strings.Contains(messages[0].Text, proxyName(0)+" is down") {
		return 0, fmt.Errorf("%d alerts, the first: %s", len(messages), messages[0].Text)
	}
	changed, err := s.caddy.firstChange(ctx)
	return messages[0].Time.Sub(changed), err
}

func awaitMessages(ctx context.Context, api *telegramtest.Server, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := api.Wait(ctx, n)
	return err
}

// firstChange is when the status of a proxy changed first.
func (c *caddyProcess) firstChange(ctx context.Context) (time.Time, error) {
	var events struct{ Rows []struct{ Time time.Time } }
	if err := c.getJSON(ctx, "/proxy_pool/events?limit=1000", &events); err != nil {
		return time.Time{}, err
	}
	if len(events.Rows) == 0 {
		return time.Time{}, fmt.Errorf("no proxy changed its status")
	}
	return events.Rows[len(events.Rows)-1].Time, nil
}

// alertsOfMany lets all proxies of a large pool die.
func (r *rig) alertsOfMany(ctx context.Context, api *telegramtest.Server) ([]any, error) {
	addrs, err := freeAddrs(2)
	if err != nil {
		return nil, err
	}
	s := site{
		pool: r.poolOf("https://"+addrs[0]+checkPath, slices.Repeat(addrs[1:], manyProxies)...),
		body: "proxy_pool https://" + addrs[0] + "\n", options: r.alertOptions(api),
	}
	c, err := r.startCaddy(ctx, r.caddy, s)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	before := len(api.Messages())
	dying, end := context.WithTimeout(ctx, 5*time.Second)
	defer end()
	l := load{addr: c.front, clients: loadClients, timeout: clientTimeout}
	l.run(dying)
	if err := awaitMessages(ctx, api, before+2); err != nil {
		return nil, err
	}
	if err := wait(ctx, alertsSettle); err != nil {
		return nil, err
	}
	began, err := c.firstChange(ctx)
	if err != nil {
		return nil, err
	}
	messages := api.Messages()[before:]
	last := messages[len(messages)-1]
	told := strings.Contains(last.Text, "has no usable proxy left")
	return []any{
		fmt.Sprintf("all of %s proxies die", thousands(manyProxies)),
		against(fmt.Sprint(len(messages)), len(messages) == 2 && told, "2, the last of which says that none is left"),
		ms(messages[0].Time.Sub(began)), ms(last.Time.Sub(began)),
	}, nil
}
