package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// defaultIdleTimeout is how long a tunnel in which nothing moves is kept, where
// the configuration does not say.
const defaultIdleTimeout = 10 * time.Minute

// FrontConfig is the configuration of the forward front.
type FrontConfig struct {
	// The name of the pool to forward through. Default: the only pool.
	Pool string `json:"pool,omitempty"`

	// The targets that may be reached: "host", or "*.suffix" for every name
	// below the suffix but not the suffix itself, or an IP address, IPv6 in
	// brackets. Each may have a ":port"; without one it is ports 80 and 443. "*"
	// is every host and every port, "*:443" every host on that port. Required:
	// nothing else is reached.
	Allow []string `json:"allow,omitempty"`

	// Who may use the front, by Proxy-Authorization (Basic). Default: no login
	// is asked for.
	BasicAuth []LoginConfig `json:"basic_auth,omitempty"`

	// The addresses of clients that may use the front: CIDR ranges such as
	// "10.0.0.0/8", or single addresses. A client that comes through a Unix
	// socket has no address and is on no list. Default: any.
	Clients []string `json:"clients,omitempty"`

	// Lets the front listen on a network without basic_auth and clients: an open
	// proxy, for networks that something else guards. Default: false.
	OpenToEveryone bool `json:"open_to_everyone,omitempty"`

	// What the machine's own connection ("direct" in the pool) may reach
	// although it is loopback, private, link-local or a cloud's metadata: CIDR
	// ranges or single addresses. Default: none.
	AllowPrivate []string `json:"allow_private,omitempty"`

	// How long a tunnel in which nothing moves is kept. 0 or -1 is without end.
	// Default: 10m.
	IdleTimeout *caddy.Duration `json:"idle_timeout,omitempty"`

	// How long running tunnels live on after a reload and when Caddy stops. 0
	// ends them at once. Default: without end at a reload, 3s at a stop.
	TunnelGrace *caddy.Duration `json:"tunnel_grace,omitempty"`

	ForwardConfig
}

// LoginConfig is one user of the forward front.
type LoginConfig struct {
	// The user's name, without ":".
	User string `json:"user"`

	// The password, or its bcrypt hash, which is recognised by its beginning:
	// "$2a$", "$2b$" or "$2y$". "caddy hash-password --algorithm bcrypt
	// --bcrypt-cost 10" makes one. Other hashes are refused.
	Password string `json:"password"`
}

// resolve puts the values of placeholders into the front's strings, in place.
// The configuration is one module's own, so that nobody else sees the values.
func (c *FrontConfig) resolve(repl *caddy.Replacer) error {
	if err := resolveWord(repl, "pool", &c.Pool); err != nil {
		return err
	}
	for _, list := range []struct {
		option string
		words  []string
	}{{"allow", c.Allow}, {"clients", c.Clients}, {"allow_private", c.AllowPrivate}} {
		for i := range list.words {
			if err := resolveWord(repl, list.option, &list.words[i]); err != nil {
				return err
			}
		}
	}
	for i := range c.BasicAuth {
		if err := c.BasicAuth[i].resolve(repl); err != nil {
			return fmt.Errorf("basic_auth: %w", err)
		}
	}
	return nil
}

// validate reports the first mistake in the front's configuration. A string
// that still holds a placeholder is taken to be right.
func (c *FrontConfig) validate() error {
	return cmp.Or(c.validateOptions(), c.validateComplete())
}

// validateOptions reports an option with an impossible value.
func (c *FrontConfig) validateOptions() error {
	_, allow := newAllowList(resolved(c.Allow))
	_, clients := newClientList(resolved(c.Clients))
	private, notRanges := parsePrefixes("allow_private", resolved(c.AllowPrivate))
	return cmp.Or(
		checkPoolRef(c.Pool),
		allow, clients, notRanges, checkPrivate(private),
		checkLogins(c.BasicAuth),
		lasting("idle_timeout", c.IdleTimeout, orZeroOff),
		lasting("tunnel_grace", c.TunnelGrace, orZero),
		c.ForwardConfig.validate(),
	)
}

// validateComplete reports what the front lacks.
func (c *FrontConfig) validateComplete() error {
	if len(c.Allow) == 0 {
		return errors.New(`expected "allow" and the hosts that may be reached, such as "allow api.telegram.org *.instagram.com:443"; nothing passes without it, and "allow *" is everything`)
	}
	return nil
}

// guarded reports whether somebody said who may use the front.
func (c *FrontConfig) guarded() bool {
	return len(c.BasicAuth) > 0 || len(c.Clients) > 0 || c.OpenToEveryone
}

// idleTimeout is how long a tunnel in which nothing moves is kept, 0 without end.
func (c *FrontConfig) idleTimeout() time.Duration {
	if c.IdleTimeout == nil {
		return defaultIdleTimeout
	}
	return max(0, time.Duration(*c.IdleTimeout))
}

// resolved are the words whose values are known.
func resolved(words []string) []string {
	var known []string
	for _, word := range words {
		if !hasPlaceholder(word) {
			known = append(known, word)
		}
	}
	return known
}

// resolve puts in the values of placeholders, literally. Braces that belong to
// no placeholder are part of a password, and are not shown in errors.
func (l *LoginConfig) resolve(repl *caddy.Replacer) error {
	value := func(placeholder string) (string, error) {
		if !hasPlaceholder(placeholder) {
			return placeholder, nil
		}
		return placeholderValue(placeholder, repl)
	}
	for _, part := range []*string{&l.User, &l.Password} {
		if !hasPlaceholder(*part) {
			continue
		}
		text, err := expand(*part, false, value)
		if err != nil {
			return err
		}
		*part = text
	}
	return nil
}

// checkLogins refuses users that nobody could log in as. No error shows a name
// or a password: they are easily swapped.
func checkLogins(logins []LoginConfig) error {
	names := make(map[string]int, len(logins))
	for i, l := range logins {
		if err := l.validate(); err != nil {
			return fmt.Errorf("basic_auth: user number %d: %w", i+1, err)
		}
		if hasPlaceholder(l.User) {
			continue
		}
		if first, twice := names[l.User]; twice {
			return fmt.Errorf("basic_auth: users number %d and %d have the same name", first, i+1)
		}
		names[l.User] = i + 1
	}
	return nil
}

func (l *LoginConfig) validate() error {
	switch {
	case l.User == "":
		return errors.New("expected a user name")
	case !hasPlaceholder(l.User) && strings.Contains(l.User, ":"):
		return errors.New(`expected a user name without ":" (RFC 7617, 2)`)
	case l.Password == "":
		return errors.New("expected a password")
	case hasPlaceholder(l.Password):
		return nil
	}
	return checkHash(l.Password)
}
