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

	// Where the sites listen, and Caddy's admin endpoint.
	front, forward, dashboard, standIn, admin string

	telegram *telegramSettings // nil where alerts do not go there
}

// telegramSettings say where alerts go.
type telegramSettings struct{ addr, chat string }

// config is a Caddyfile as Caddy understands it.
type config struct {
	Admin struct {
		Listen string `json:"listen"`
	} `json:"admin"`
	Apps struct {
		HTTP struct {
			Servers map[string]server `json:"servers"`
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

// server is where sites of one address are served.
type server struct {
	Listen []string `json:"listen"`
	Routes []struct {
		Handle []struct {
			Handler string `json:"handler"`
		} `json:"handle"`
	} `json:"routes"`
}

// adapt lets Caddy read the Caddyfile, so that there is one place to change.
func adapt(ctx context.Context, caddy, caddyfile string) (*config, error) {
	cmd := exec.CommandContext(ctx, caddy, "adapt", "--adapter", "caddyfile", "--config", caddyfile)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", caddyfile, err)
	}
	c := new(config)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("reading %s: %w", caddyfile, err)
	}
	return c, nil
}

// listen is where the site listens that has a handler.
func (c *config) listen(handler string) string {
	for _, s := range c.Apps.HTTP.Servers {
		for _, route := range s.Routes {
			for _, h := range route.Handle {
				if h.Handler == handler && len(s.Listen) > 0 {
					return s.Listen[0]
				}
			}
		}
	}
	return ""
}

// settings picks what the quickstart has to know.
func (c *config) settings() (settings, error) {
	s := settings{
		front: c.listen("proxy_pool"), forward: c.listen("proxy_pool_forward"),
		dashboard: c.listen("proxy_pool_dashboard"),
		standIn:   c.listen("subroute"), // of a site with a host name
		admin:     c.Admin.Listen,
	}
	if s.admin == "" {
		s.admin = "localhost:2019"
	}
	for _, pool := range c.Apps.ProxyPool.Pools {
		for _, p := range pool.Proxies {
			u, err := url.Parse(p.URL)
			if err != nil {
				return settings{}, err
			}
			s.proxies = append(s.proxies, struct{ name, addr string }{p.Name, u.Host})
		}
	}
	for _, n := range c.Apps.ProxyPool.Alerts.Notifiers {
		if u, err := url.Parse(n.APIURL); err == nil && n.Notifier == "telegram" {
			s.telegram = &telegramSettings{u.Host, n.ChatID}
		}
	}
	if len(s.proxies) == 0 || s.front == "" || s.forward == "" || s.dashboard == "" || s.standIn == "" {
		return settings{}, errors.New("expected a pool, a site for each front and the dashboard, and one with a host name")
	}
	return s, nil
}
