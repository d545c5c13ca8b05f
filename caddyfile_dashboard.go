package proxypool

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// dashboardDirective is what the directive of the dashboard is called.
const dashboardDirective = "proxy_pool_dashboard"

// parseDashboardDirective makes the directive proxy_pool_dashboard into a route.
// A path as its matcher is where the page is, as that of handle_path is: the
// handler takes it off, and also answers the path without a slash.
func parseDashboardDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	d := new(Dashboard)
	h.Next() // the directive's name
	var matcher caddy.ModuleMap
	if h.NextArg() {
		switch word := h.Val(); {
		case strings.HasPrefix(word, "/"):
			d.Path = strings.TrimRight(strings.TrimSuffix(word, "*"), "/")
			if strings.Contains(d.Path, "*") {
				return nil, h.Errf("%s: expected a path such as /proxies/*, with * at its end alone, got %s", dashboardDirective, parse.Quote(word))
			}
			if d.Path != "" {
				matcher = caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{d.Path, d.Path + "/*"})}
			}
		default:
			h.Prev()
			set, ok, err := h.MatcherToken()
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, h.Errf("%s: expected a matcher, such as /proxies/*, or a block, got %s", dashboardDirective, parse.Quote(word))
			}
			matcher = set
		}
	}
	if err := d.unmarshal(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matcher, d), nil
}

// UnmarshalCaddyfile reads the directive, without its matcher.
//
//	proxy_pool_dashboard [<matcher>] {
//		actions      on|off
//		allow_remote
//		pool         <name>
//	}
func (d *Dashboard) UnmarshalCaddyfile(disp *caddyfile.Dispenser) error {
	disp.Next() // the directive's name
	return d.unmarshal(disp)
}

func (d *Dashboard) unmarshal(disp *caddyfile.Dispenser) error {
	if err := parse.NoMore(disp, dashboardDirective); err != nil {
		return err
	}
	return parse.Options{
		"actions": parse.Value(&d.Actions, parse.Switch),
		"allow_remote": parse.Once(func(disp *caddyfile.Dispenser) error {
			d.AllowRemote = true
			return parse.NoMore(disp, disp.Val())
		}),
		"pool": parse.Value(&d.Pool, parse.Text),
	}.Block(disp, dashboardDirective, d.validate)
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Dashboard)(nil)
