package webhook

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-proxypool/proxypool/alert"
	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

func init() {
	caddy.RegisterModule(new(Notifier))
}

// Notifier posts each alert as JSON to a URL. What answers with 2xx has taken
// it; anything else is tried again.
type Notifier struct {
	// Where alerts are posted: http or https, with an optional user part for
	// basic authentication. Nothing but its scheme, host and port is ever shown.
	// Takes placeholders such as {env.*} and {file.*}, as all strings here.
	// Required.
	URL string `json:"url,omitempty"`

	// What the body is signed with: the header X-Proxy-Pool-Signature is
	// "sha256=" and the HMAC-SHA256 of the body in hexadecimal. Default: it is
	// not signed.
	Secret *string `json:"secret,omitempty"`

	// More header fields. They replace none that the webhook sets itself, but
	// for User-Agent. Default: none.
	Header map[string][]string `json:"header,omitempty"`

	// How long one delivery may take, more than 0 and at most 10m. Where via
	// names more than one way, each gets its share. Default: 10s.
	Timeout *caddy.Duration `json:"timeout,omitempty"`

	// The ways that are tried, in this order: "direct" or pools. Default:
	// "direct" alone.
	Via []string `json:"via,omitempty"`

	settings settings // once provisioned
}

// CaddyModule returns the Caddy module information.
func (*Notifier) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "proxy_pool.notifiers.webhook", New: func() caddy.Module { return new(Notifier) }}
}

// Provision puts in the values of placeholders and reports what is wrong. It
// opens no connection.
func (n *Notifier) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	var err error
	n.settings, err = n.resolve(func(name string) string {
		value, _ := repl.GetString(name)
		return value
	})
	return err
}

// UnmarshalCaddyfile reads the notifier.
//
//	webhook <url> {
//		secret  <secret>
//		header  <field> <value>
//		timeout <duration>
//		via     <direct|pool...>
//	}
//
// header may be given more than once.
func (n *Notifier) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const name = "webhook"
	d.Next() // the notifier's name
	if !d.NextArg() {
		return d.Errf("%s: expected a URL, such as https://ops.example.com/hook", name)
	}
	n.URL = d.Val()
	if err := n.validate(); err != nil {
		return d.Errf("%s: %w", name, err)
	}
	if d.NextArg() {
		return d.Errf("%s: expected nothing after the URL, options stand in a block", name)
	}
	return parse.Options{
		"secret":  parse.Once(n.unmarshalSecret),
		"header":  parse.Repeated(n.unmarshalHeader),
		"timeout": parse.Pointer(&n.Timeout, parse.Duration),
		"via":     parse.List(&n.Via, parse.Text),
	}.Block(d, name, n.validate)
}

// unmarshalSecret shows nothing of what stands there, as unmarshalHeader does:
// a value with a space in it is written without quotes easily.
func (n *Notifier) unmarshalSecret(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("secret: expected one argument, got %d; one with spaces stands in quotes", len(args))
	}
	n.Secret = &args[0]
	return nil
}

func (n *Notifier) unmarshalHeader(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("header: expected two arguments, a field and its value, got %d; one with spaces stands in quotes", len(args))
	}
	if n.Header == nil {
		n.Header = make(map[string][]string)
	}
	field := http.CanonicalHeaderKey(args[0])
	n.Header[field] = append(n.Header[field], args[1])
	return nil
}

// Interface guards.
var (
	_ caddy.Module          = (*Notifier)(nil)
	_ caddy.Provisioner     = (*Notifier)(nil)
	_ caddyfile.Unmarshaler = (*Notifier)(nil)
	_ alert.Notifier        = (*Notifier)(nil)
)
