package proxypool

import (
	"encoding/json"
	"maps"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// moduleName is what the directive, the global option and the app are called.
const moduleName = "proxy_pool"

const storageNamespace = "proxy_pool.storage"

// parseGlobalOption makes the global option proxy_pool into the app's JSON. It
// may be given once.
func parseGlobalOption(d *caddyfile.Dispenser, prev any) (any, error) {
	var c AppConfig
	d.Next() // the option's name
	if prev != nil {
		return nil, d.Errf("the global option %s is given twice", moduleName)
	}
	d.Prev()
	if err := c.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	value, err := json.Marshal(c)
	return httpcaddyfile.App{Name: moduleName, Value: value}, err
}

// UnmarshalCaddyfile reads the global option.
//
//	proxy_pool {
//		storage   <store> ...
//		timezone  <name>
//		usage_log on|off {
//			... see [UsageLogConfig.unmarshal]
//		}
//		alerts    {
//			... see [AlertsConfig.unmarshal]
//		}
//		pool      [<name>] {
//			... see [PoolConfig.UnmarshalCaddyfile]
//		}
//	}
//
// pool may be given again, with another name. What follows the name of a store
// is read by the store.
func (c *AppConfig) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if err := parse.NoMore(d, moduleName); err != nil {
		return err
	}
	names := make(map[string]bool)
	return parse.Options{
		"storage":  parse.Once(c.unmarshalStorage),
		"timezone": parse.Value(&c.Timezone, parse.Text),
		"usage_log": parse.Once(func(d *caddyfile.Dispenser) error {
			c.UsageLog = new(UsageLogConfig)
			return c.UsageLog.unmarshal(d)
		}),
		"alerts": parse.Once(func(d *caddyfile.Dispenser) error {
			c.Alerts = new(AlertsConfig)
			return c.Alerts.unmarshal(d)
		}),
		"pool": parse.Repeated(func(d *caddyfile.Dispenser) error {
			p := new(PoolConfig)
			c.Pools = append(c.Pools, p)
			return p.unmarshal(d, names)
		}),
	}.Block(d, moduleName, c.checkTimezone)
}

// unmarshalStorage reads the name of a store and what the store takes.
func (c *AppConfig) unmarshalStorage(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("storage: expected the name of a store")
	}
	store := d.Val()
	unmarshaled, err := unmarshalModule(d, "storage", storageNamespace)
	if err != nil {
		return err
	}
	c.StorageRaw = caddyconfig.JSONModuleObject(unmarshaled, "module", store, nil)
	return nil
}

// unmarshalModule reads the module that the current word names. One that reads
// no Caddyfile takes no options.
func unmarshalModule(d *caddyfile.Dispenser, option, namespace string) (any, error) {
	module, err := findModule(option, namespace, d.Val())
	if err != nil {
		return nil, d.WrapErr(err)
	}
	empty := module.New()
	if _, reads := empty.(caddyfile.Unmarshaler); !reads {
		return empty, parse.NoMore(d, option+" "+d.Val())
	}
	return caddyfile.UnmarshalModule(d, string(module.ID))
}

// unmarshalTrustPool is the option tls_trust_pool, as reverse_proxy has it.
func unmarshalTrustPool(raw *json.RawMessage) parse.Option {
	const option = "tls_trust_pool"
	return parse.Once(func(d *caddyfile.Dispenser) error {
		if !d.NextArg() {
			return d.Errf("%s: expected the name of a source", option)
		}
		source := d.Val()
		unmarshaled, err := unmarshalModule(d, option, "tls.ca_pool.source")
		if err != nil {
			return err
		}
		ca, ok := unmarshaled.(caddytls.CA)
		if !ok {
			return d.Errf("%s: %s is no source of CAs", option, source)
		}
		*raw = caddyconfig.JSONModuleObject(ca, "provider", source, nil)
		return nil
	})
}

// caddyfileOptions are those of forwarding, which pools and handlers share.
func (f *ForwardConfig) caddyfileOptions() parse.Options {
	return parse.Options{
		"connect_timeout":     parse.Pointer(&f.ConnectTimeout, parse.Duration),
		"hedge_delay":         parse.Pointer(&f.HedgeDelay, parseHedgeDelay),
		"hedge_metered_delay": parse.Pointer(&f.HedgeMeteredDelay, parse.DurationOrOff),
		"response_timeout":    parse.Pointer(&f.ResponseTimeout, parse.Duration),
		"max_tries":           parse.Pointer(&f.MaxTries, parse.Int),
		"replay_buffer":       parse.Pointer(&f.ReplayBuffer, parse.Size),
		"retry_unsafe":        parse.Pointer(&f.RetryUnsafe, parse.Switch),
		"keepalive":           parse.Pointer(&f.Keepalive, parse.DurationOrOff),
		"tls_trust_pool":      unmarshalTrustPool(&f.TLSTrustPoolRaw),
	}
}

// with adds options to others.
func with(all, more parse.Options) parse.Options {
	maps.Copy(all, more)
	return all
}

// parseHandlerDirective makes the directive proxy_pool into its handler.
func parseHandlerDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	err := handler.UnmarshalCaddyfile(h.Dispenser)
	return handler, err
}

// UnmarshalCaddyfile reads the directive.
//
//	proxy_pool [<matcher>] <target> {
//		pool                <name>
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
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	c := &h.HandlerConfig
	d.Next() // the directive's name
	if !d.NextArg() {
		return d.Errf("%s: expected the URL of a target, such as https://api.example.com", moduleName)
	}
	c.Target = d.Val()
	if err := checkTarget(c.Target); err != nil {
		return d.WrapErr(err)
	}
	if err := parse.NoMore(d, moduleName); err != nil {
		return err
	}
	return with(c.caddyfileOptions(), parse.Options{
		"pool": parse.Value(&c.Pool, parse.Text),
	}).Block(d, moduleName, c.validate)
}

// UnmarshalCaddyfile reads the transport.
//
//	transport proxy_pool [<pool>] {
//		pool <name>
//		...
//	}
//
// The pool is named in one of the two places. The other options are those of
// forwarding, as in the directive.
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	c := &t.TransportConfig
	options := with(c.caddyfileOptions(), parse.Options{
		"pool": parse.Value(&c.Pool, parse.Text),
	})
	d.Next() // the transport's name
	if d.NextArg() {
		c.Pool = d.Val()
		if err := checkPoolRef(c.Pool); err != nil {
			return d.WrapErr(err)
		}
		options["pool"] = parse.Once(func(d *caddyfile.Dispenser) error {
			return d.Errf("pool: is named before the block already, %q", c.Pool)
		})
	}
	if err := parse.NoMore(d, moduleName); err != nil {
		return err
	}
	return options.Block(d, "the transport "+moduleName, c.validate)
}

// UnmarshalCaddyfile reads the network proxy, which takes no block.
//
//	network_proxy proxy_pool [<pool>]
func (n *NetworkProxy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the network proxy's name
	if d.NextArg() {
		n.Pool = d.Val()
		if err := n.validate(); err != nil {
			return d.WrapErr(err)
		}
	}
	if err := parse.NoMore(d, "network_proxy "+moduleName); err != nil {
		return err
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("network_proxy %s: expected no block, got %s", moduleName, parse.Quote(d.Val()))
	}
	return nil
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*AppConfig)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*Transport)(nil)
	_ caddyfile.Unmarshaler = (*NetworkProxy)(nil)
)
