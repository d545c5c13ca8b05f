package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// BlockConfig recognises the answer with which a target blocks a proxy. All
// that is given must match.
type BlockConfig struct {
	// Any of these statuses. One digit stands for its class: 4 is 4xx.
	Status []int `json:"status,omitempty"`

	// Each of these fields must have a value that matches one of its patterns.
	// "*" at the start or the end of a pattern stands for anything, alone for
	// any value.
	Header map[string][]string `json:"header,omitempty"`

	// How long the proxy is not used for the target. The answer's Retry-After
	// wins, between a second and a day. Default: 10m.
	For *caddy.Duration `json:"for,omitempty"`

	// How many proxies the request is tried on, the first one included. At
	// least 1. Default: 3.
	Tries *int `json:"tries,omitempty"`
}

// withDefaults is the configuration with every option set.
func (c BlockConfig) withDefaults() BlockConfig {
	c.For = cmp.Or(c.For, lasts(10*time.Minute))
	c.Tries = cmp.Or(c.Tries, new(3))
	return c
}

func (c *BlockConfig) resolve(repl *caddy.Replacer) error {
	for _, patterns := range c.Header {
		for i := range patterns {
			if err := resolveText(repl, "header", &patterns[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// validate reports the first mistake in the block.
func (c *BlockConfig) validate() error {
	return cmp.Or(c.validateOptions(), c.validateComplete())
}

// validateOptions checks the options that were given.
func (c *BlockConfig) validateOptions() error {
	for field, patterns := range c.Header {
		if !isFieldName(field) {
			return fmt.Errorf("header: expected the name of a header field, got %s", parse.Quote(field))
		}
		if len(patterns) == 0 {
			return fmt.Errorf(`header: %s: expected at least one pattern, "*" for any value`, field)
		}
	}
	return cmp.Or(
		statuses("status", c.Status),
		lasting("for", c.For, positive),
		within("tries", c.Tries, 1, maxCount),
	)
}

// validateComplete reports what the block lacks.
func (c *BlockConfig) validateComplete() error {
	if len(c.Status) == 0 && len(c.Header) == 0 {
		return errors.New("expected a status or a header to recognise an answer by")
	}
	return nil
}

// isFieldName reports whether name is a token (RFC 9110, 5.6.2). A "!" at its
// start is none: Caddy's matchers negate with it, which a block cannot.
func isFieldName(name string) bool {
	const letters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return name != "" && name[0] != '!' && strings.Trim(name, letters) == ""
}
