package proxypool

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// ForwardConfig is how a request is forwarded. It stands in a pool and in what
// forwards through it, where it wins.
type ForwardConfig struct {
	// How long it may take to reach the target through one proxy: dialling, the
	// proxy's handshake and TLS. Default: 5s.
	ConnectTimeout *caddy.Duration `json:"connect_timeout,omitempty"`

	// When the next proxy's connect starts because this one's is not done:
	// "auto" (twice the proxy's usual connect time, between 250ms and 2s), a
	// duration, or -1 for never. Default: "auto".
	HedgeDelay *HedgeDelay `json:"hedge_delay,omitempty"`

	// The same where the next proxy costs more for a gigabyte than the one that
	// is waited for: a duration, or -1 for never. Default: 2s.
	HedgeMeteredDelay *caddy.Duration `json:"hedge_metered_delay,omitempty"`

	// How long a target may take from the request being sent to the header of
	// its answer. 0 is no limit. Default: 60s.
	ResponseTimeout *caddy.Duration `json:"response_timeout,omitempty"`

	// How many proxies are tried for one request. 0 is all of them. Default: 0.
	MaxTries *int `json:"max_tries,omitempty"`

	// How many bytes of a request's body are kept so that it can be sent again.
	// A body that is longer is forwarded without failover. Default: 1 MiB.
	ReplayBuffer *int64 `json:"replay_buffer,omitempty"`

	// Also repeat requests whose method is not idempotent, such as POST, when
	// their bytes were already sent. Default: false.
	RetryUnsafe *bool `json:"retry_unsafe,omitempty"`

	// How long an idle connection is kept. 0 or -1 is not at all. Default: 55s.
	Keepalive *caddy.Duration `json:"keepalive,omitempty"`

	// Whom to trust for the TLS of targets and checks. Default: the system's CAs.
	TLSTrustPoolRaw json.RawMessage `json:"tls_trust_pool,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`
}

// Over is f with what it leaves out taken from base.
func (f ForwardConfig) Over(base ForwardConfig) ForwardConfig {
	f.ConnectTimeout = cmp.Or(f.ConnectTimeout, base.ConnectTimeout)
	f.HedgeDelay = cmp.Or(f.HedgeDelay, base.HedgeDelay)
	f.HedgeMeteredDelay = cmp.Or(f.HedgeMeteredDelay, base.HedgeMeteredDelay)
	f.ResponseTimeout = cmp.Or(f.ResponseTimeout, base.ResponseTimeout)
	f.MaxTries = cmp.Or(f.MaxTries, base.MaxTries)
	f.ReplayBuffer = cmp.Or(f.ReplayBuffer, base.ReplayBuffer)
	f.RetryUnsafe = cmp.Or(f.RetryUnsafe, base.RetryUnsafe)
	f.Keepalive = cmp.Or(f.Keepalive, base.Keepalive)
	if absent(f.TLSTrustPoolRaw) {
		f.TLSTrustPoolRaw = base.TLSTrustPoolRaw
	}
	return f
}

// defaultForward has every option but the trust pool.
func defaultForward() ForwardConfig {
	return ForwardConfig{
		ConnectTimeout:    lasts(5 * time.Second),
		HedgeDelay:        new(HedgeAuto),
		HedgeMeteredDelay: lasts(2 * time.Second),
		ResponseTimeout:   lasts(time.Minute),
		MaxTries:          new(0),
		ReplayBuffer:      new(int64(1 << 20)),
		RetryUnsafe:       new(false),
		Keepalive:         lasts(55 * time.Second),
	}
}

// validate reports the first option with an impossible value.
func (f *ForwardConfig) validate() error {
	return cmp.Or(
		lasting("connect_timeout", f.ConnectTimeout, positive),
		f.HedgeDelay.validate(),
		lasting("hedge_metered_delay", f.HedgeMeteredDelay, orZeroOff),
		lasting("response_timeout", f.ResponseTimeout, orZero),
		within("max_tries", f.MaxTries, 0, maxCount),
		within("replay_buffer", f.ReplayBuffer, 0, math.MaxInt64),
		lasting("keepalive", f.Keepalive, orZeroOff),
	)
}

// HedgeDelay is a duration, [HedgeAuto] or -1, which is never.
type HedgeDelay caddy.Duration

// HedgeAuto is a delay that follows what connects through the proxy usually take.
const HedgeAuto HedgeDelay = math.MinInt64

const hedgeAutoWord = "auto"

func (h *HedgeDelay) validate() error {
	if h == nil || *h == HedgeAuto {
		return nil
	}
	return lasting("hedge_delay", (*caddy.Duration)(h), orZeroOff)
}

// MarshalJSON implements [json.Marshaler].
func (h HedgeDelay) MarshalJSON() ([]byte, error) {
	if h == HedgeAuto {
		return json.Marshal(hedgeAutoWord)
	}
	return json.Marshal(caddy.Duration(h))
}

// UnmarshalJSON implements [json.Unmarshaler]: "auto" or a duration.
func (h *HedgeDelay) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte(`"auto"`)) {
		*h = HedgeAuto
		return nil
	}
	return (*caddy.Duration)(h).UnmarshalJSON(b)
}

// parseHedgeDelay reads a hedge delay as it stands in a Caddyfile.
func parseHedgeDelay(word string) (HedgeDelay, error) {
	if word == hedgeAutoWord {
		return HedgeAuto, nil
	}
	d, err := parse.DurationOrOff(word)
	if err != nil {
		return 0, fmt.Errorf("expected auto, off or a duration such as 500ms, got %s", parse.Quote(word))
	}
	return HedgeDelay(d), nil
}

// HandlerConfig is the configuration of the reverse front.
type HandlerConfig struct {
	// The one target that requests are forwarded to: http:// or https://, a
	// host and an optional port. Required.
	Target string `json:"target"`

	// The name of the pool to forward through. Default: the only pool.
	Pool string `json:"pool,omitempty"`

	ForwardConfig
}

func (c *HandlerConfig) resolve(repl *caddy.Replacer) error {
	return cmp.Or(resolveWord(repl, "target", &c.Target), resolveWord(repl, "pool", &c.Pool))
}

// validate reports the first mistake in the front's configuration.
func (c *HandlerConfig) validate() error {
	return cmp.Or(checkTarget(c.Target), checkPoolRef(c.Pool), c.ForwardConfig.validate())
}

// TransportConfig is the configuration of the pool as a transport.
type TransportConfig struct {
	// The name of the pool to forward through. Default: the only pool.
	Pool string `json:"pool,omitempty"`

	ForwardConfig
}

func (c *TransportConfig) resolve(repl *caddy.Replacer) error {
	return resolveWord(repl, "pool", &c.Pool)
}

// validate reports the first mistake in the transport's configuration.
func (c *TransportConfig) validate() error {
	return cmp.Or(checkPoolRef(c.Pool), c.ForwardConfig.validate())
}
