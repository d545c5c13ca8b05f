package proxypool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/pool"
)

// ProxyConfig is the configuration of one upstream forward proxy.
type ProxyConfig struct {
	// The name that the API, metrics and alerts know the proxy by: 1 to 64
	// printable characters without space, "/" and ":". State and books belong
	// to it and stay where the URL changes.
	Name string `json:"name,omitempty"`

	// What kind of proxy it is: "vps", "datacenter", "residential" or "other".
	// Default: "other".
	Type string `json:"type,omitempty"`

	// How the proxy is reached: http://, https://, socks5:// or socks5h:// with
	// an optional user:password@, a host and an optional port (default 80, 443
	// and 1080), or the word "direct", which is no proxy but the machine's own
	// connection. User and password may hold {env.*} and {file.*}, which are
	// put in as they are; other characters are percent-encoded.
	URL string `json:"url,omitempty"`

	// The same for http:// targets alone. Default: url.
	HTTPURL string `json:"http_url,omitempty"`

	// The same for https:// targets alone. Default: url.
	HTTPSURL string `json:"https_url,omitempty"`

	// The proxy's place: lower is earlier. Default: by type and cost, so that
	// no metered proxy comes before a free one.
	Priority *int `json:"priority,omitempty"`

	// US dollars for 1024^3 bytes, both ways. A proxy that costs something is
	// metered. Default: 0, which is free.
	CostPerGB float64 `json:"cost_per_gb,omitempty"`

	// US dollars a month, whatever is used. It is reported, and decides nothing.
	CostPerMonth float64 `json:"cost_per_month,omitempty"`

	// How many failures in a row make this proxy down. At least 1. Default:
	// the pool's.
	MaxFailures *int `json:"max_failures,omitempty"`

	// Whom to trust for the TLS of an https:// proxy. Default: the system's CAs.
	TLSTrustPoolRaw json.RawMessage `json:"tls_trust_pool,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`

	// What may be used of it in a day, a month or in total, in US dollars or in
	// gigabytes. Default: no budget.
	Budget *BudgetConfig `json:"budget,omitempty"`

	// How many bytes in a calendar month, both ways, are told of, and each
	// multiple of it: from 1048576 (1MB) to 1024TB. -1 is none. Default: 5 GB
	// for a metered proxy, none for a free one.
	TrafficAlert *int64 `json:"traffic_alert,omitempty"`
}

// proxies is what http:// and https:// targets are reached through.
func (c *ProxyConfig) proxies(repl *caddy.Replacer) (forHTTP, forHTTPS dial.Proxy, err error) {
	forHTTP, err = parseProxyURL(cmp.Or(c.HTTPURL, c.URL), repl)
	if err != nil {
		return forHTTP, forHTTPS, fmt.Errorf("%s: %w", c.urlOption(c.HTTPURL, "http_url"), err)
	}
	forHTTPS, err = parseProxyURL(cmp.Or(c.HTTPSURL, c.URL), repl)
	if err != nil {
		return forHTTP, forHTTPS, fmt.Errorf("%s: %w", c.urlOption(c.HTTPSURL, "https_url"), err)
	}
	return forHTTP, forHTTPS, nil
}

func (*ProxyConfig) urlOption(given, option string) string {
	if given == "" {
		return "url"
	}
	return option
}

// mistake says in which proxy a mistake is.
func (c *ProxyConfig) mistake(err error) error {
	return fmt.Errorf("proxy %s: %w", parse.Quote(c.Name), err)
}

// validate reports the first mistake in the proxy, without its name.
func (c *ProxyConfig) validate() error {
	return cmp.Or(
		checkProxyName(c.Name),
		c.validateOptions(),
		c.validateComplete(),
	)
}

// validateOptions checks the options that were given.
func (c *ProxyConfig) validateOptions() error {
	return cmp.Or(
		oneOf("type", c.Type, pool.TypeVPS, pool.TypeDatacenter, pool.TypeResidential, pool.TypeOther),
		checkProxyURL("url", c.URL),
		checkProxyURL("http_url", c.HTTPURL),
		checkProxyURL("https_url", c.HTTPSURL),
		within("priority", c.Priority, -maxCount, maxCount),
		within("cost_per_gb", &c.CostPerGB, 0, maxDollars),
		within("cost_per_month", &c.CostPerMonth, 0, maxDollars),
		within("max_failures", c.MaxFailures, 1, maxCount),
		c.checkBudget(),
		checkTrafficAlert(c.TrafficAlert),
	)
}

func (c *ProxyConfig) checkBudget() error {
	if c.Budget == nil {
		return nil
	}
	if err := c.Budget.validate(); err != nil {
		return fmt.Errorf("budget: %w", err)
	}
	return nil
}

// validateComplete reports what the proxy lacks.
func (c *ProxyConfig) validateComplete() error {
	switch {
	case c.URL == "" && c.HTTPURL == "" && c.HTTPSURL == "":
		return errors.New("expected a URL after the name, or http_url and https_url")
	case c.URL == "" && c.HTTPURL == "":
		return errors.New("https_url alone leaves http:// targets unreachable, expected http_url too, or one URL for both")
	case c.URL == "" && c.HTTPSURL == "":
		return errors.New("http_url alone leaves https:// targets unreachable, expected https_url too, or one URL for both")
	case !absent(c.TLSTrustPoolRaw) && !c.mayUseTLS():
		return errors.New("tls_trust_pool: expected an https:// proxy, no other has TLS of its own")
	case c.Budget != nil && c.Budget.USD != nil && c.CostPerGB == 0:
		return errors.New("budget: dollars are never spent without a cost_per_gb, expected one, or a budget in GB")
	}
	return nil
}

// mayUseTLS reports whether the connection to the proxy itself may be TLS.
func (c *ProxyConfig) mayUseTLS() bool {
	for _, url := range []string{cmp.Or(c.HTTPURL, c.URL), cmp.Or(c.HTTPSURL, c.URL)} {
		scheme, _, found := strings.Cut(url, "://")
		if !found || strings.EqualFold(scheme, "https") || hasPlaceholder(scheme) {
			return !strings.EqualFold(url, direct)
		}
	}
	return false
}

// checkProxyURL checks what can be known of a URL while its placeholders have no
// values yet.
func checkProxyURL(option, url string) error {
	if url == "" {
		return nil
	}
	if _, err := splitProxyURL(url); err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	return nil
}

// joins reports whether the character at i is the zero-width non-joiner between two
// letters of Persian or Arabic, where it belongs to the spelling (UAX #31, 2.3). At
// any other place nobody sees it.
func joins(name string, i int, r rune) bool {
	if r != '\u200c' {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(name[:i])
	after, _ := utf8.DecodeRuneInString(name[i+utf8.RuneLen(r):])
	return unicode.In(before, unicode.Arabic) && unicode.In(after, unicode.Arabic)
}

// checkProxyName refuses a name that no proxy can have.
func checkProxyName(name string) error {
	ok := utf8.ValidString(name) && name != "." && name != ".."
	for i, r := range name {
		ok = ok && (unicode.IsPrint(r) && r != ' ' && r != '/' && r != ':' || joins(name, i, r))
	}
	if n := utf8.RuneCountInString(name); !hasPlaceholder(name) && (!ok || n < 1 || n > 64) {
		return fmt.Errorf(`expected a name of 1 to 64 printable characters without space, "/" and ":", got %s`, parse.Quote(name))
	}
	return nil
}
