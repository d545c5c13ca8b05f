package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
)

// settings is what the quickstart has to know of the Caddyfile.
type settings struct {
	proxies []struct{ name, addr string }
	listen  []string // of the servers, the front first
	admin   string

	telegram *telegramSettings // nil where alerts do not go there
}

// telegramSettings say where alerts go.
type telegramSettings struct{ addr, chat string }

// adapt lets Caddy read the Caddyfile, so that there is one place to change.
func adapt(ctx context.Context, caddy, caddyfile string) (settings, error) {
	cmd := exec.CommandContext(ctx, caddy, "adapt", "--adapter", "caddyfile", "--config", caddyfile)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		return settings{}, fmt.Errorf("reading %s: %w", caddyfile, err)
	}
	var config struct {
		Admin struct {
			Listen string `json:"listen"`
		} `json:"admin"`
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Listen []string `json:"listen"`
				} `json:"servers"`
			} `json:"http"`
			ProxyPool struct {
				Alerts struct {
					Notifiers []struct {
						Notifier string `json:"notifier"`
						APIURL   string `json:"api_url"`
						ChatID   string `json:"chat_id"`
					} `json:"notifiers"`
				} `json:"alerts"`
				Pools []struct {
					Proxies []struct {
						Name string `json:"name"`
						URL  string `json:"url"`
					} `json:"proxies"`
				} `json:"pools"`
			} `json:"proxy_pool"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return settings{}, fmt.Errorf("reading %s: %w", caddyfile, err)
	}
	s := settings{admin: config.Admin.Listen}
	if s.admin == "" {
		s.admin = "localhost:2019"
	}
	for i := range len(config.Apps.HTTP.Servers) {
		s.listen = append(s.listen, config.Apps.HTTP.Servers[fmt.Sprintf("srv%d", i)].Listen...)
	}
	for _, pool := range config.Apps.ProxyPool.Pools {
		for _, p := range pool.Proxies {
			u, err := url.Parse(p.URL)
			if err != nil {
				return settings{}, fmt.Errorf("reading %s: %w", caddyfile, err)
			}
			s.proxies = append(s.proxies, struct{ name, addr string }{p.Name, u.Host})
		}
	}
	for _, n := range config.Apps.ProxyPool.Alerts.Notifiers {
		if u, err := url.Parse(n.APIURL); err == nil && n.Notifier == "telegram" {
			s.telegram = &telegramSettings{u.Host, n.ChatID}
		}
	}
	if len(s.proxies) == 0 || len(s.listen) == 0 {
		return settings{}, errors.New("expected a Caddyfile with a site and a pool")
	}
	return s, nil
}
