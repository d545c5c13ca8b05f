package proxypool

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// forwardDirective is what the directive of the forward front is called.
const forwardDirective = "proxy_pool_forward"

// parseForwardDirective makes the directive proxy_pool_forward into its handler.
func parseForwardDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	front := new(ForwardFront)
	err := front.UnmarshalCaddyfile(h.Dispenser)
	return front, err
}

// UnmarshalCaddyfile reads the directive.
//
//	proxy_pool_forward [<matcher>] {
//		pool                <name>
//		allow               <host...>
//		basic_auth          <user> <password>
//		clients             <range...>
//		open_to_everyone
//		allow_private       <range...>
//		idle_timeout        <duration>|off
//		tunnel_grace        <duration>
//		connect_timeout     <duration>
//		hedge_delay         auto|<duration>|off
//		hedge_metered_delay <duration>|off
//		response_timeout    <duration>
//		max_tries           <number>
//		replay_buffer       <size>
//		retry_unsafe        on|off
//		keepalive           <duration>|off
//		tls_trust_pool      <source> ...
//	}
//
// allow is needed. It, basic_auth, clients and allow_private may be given more
// than once and add up. A host is a name, *.suffix, an IP address or *, each
// with an optional :port; a range is a CIDR or an IP address. The password may be
// a bcrypt hash.
func (f *ForwardFront) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	c := &f.FrontConfig
	d.Next() // the directive's name
	at := *d
	if d.NextArg() {
		// Not shown, it may be a URL of a proxy.
		return d.Errf("%s: expected a block and no argument; the hosts that may be reached stand in the block, after allow", forwardDirective)
	}
	err := with(c.caddyfileOptions(), parse.Options{
		"pool":             parse.Value(&c.Pool, parse.Text),
		"allow":            words(&c.Allow, "a host, such as api.telegram.org, *.instagram.com:443 or *"),
		"basic_auth":       parse.Repeated(c.unmarshalLogin),
		"clients":          words(&c.Clients, "addresses of clients, such as 127.0.0.0/8 or 192.0.2.7"),
		"open_to_everyone": parse.Once(c.unmarshalOpen),
		"allow_private":    words(&c.AllowPrivate, "addresses, such as 10.0.0.0/8 or 127.0.0.1"),
		"idle_timeout":     parse.Pointer(&c.IdleTimeout, parse.DurationOrOff),
		"tunnel_grace":     parse.Pointer(&c.TunnelGrace, graceWord),
	}).Block(d, forwardDirective, c.validateOptions)
	if err != nil {
		return err
	}
	return complete(&at, forwardDirective, c.validateComplete())
}

// words is an option with one word or more, which may be repeated and adds up.
func words(list *[]string, expected string) parse.Option {
	return parse.Repeated(func(d *caddyfile.Dispenser) error {
		name, given := d.Val(), d.RemainingArgs()
		if len(given) == 0 {
			return d.Errf("%s: expected %s", name, expected)
		}
		*list = append(*list, given...)
		return nil
	})
}

// graceWord reads a duration. It is without end where it is not given: "off"
// could mean that, and its opposite.
func graceWord(word string) (caddy.Duration, error) {
	if word == "off" {
		return 0, errors.New("expected a duration; leave it out for no end")
	}
	return parse.Duration(word)
}

// unmarshalLogin reads a user and a password. No error shows a word of them.
func (c *FrontConfig) unmarshalLogin(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		hint := ""
		if len(args) == 1 {
			hint = "; is a {$VARIABLE} in it empty?"
		}
		return d.Err("basic_auth: expected a user and a password on one line; one with spaces stands in quotes" + hint)
	}
	c.BasicAuth = append(c.BasicAuth, LoginConfig{User: args[0], Password: args[1]})
	return nil
}

func (c *FrontConfig) unmarshalOpen(d *caddyfile.Dispenser) error {
	c.OpenToEveryone = true
	return parse.NoMore(d, d.Val())
}

// Interface guards
var _ caddyfile.Unmarshaler = (*ForwardFront)(nil)
