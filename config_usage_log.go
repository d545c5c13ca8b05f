package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const (
	defaultRetention = 30 * 24 * time.Hour
	minRetention     = time.Hour
)

// UsageLogConfig is the configuration of the usage log: one row for each
// request, for audit and billing. It is apart from the usage that costs and
// budgets are counted from, which is always kept.
type UsageLogConfig struct {
	// Whether requests are logged. Default: false. Rows of before stay until
	// they are too old.
	Enabled bool `json:"enabled"`

	// How long a row is kept: from one hour to ten years. Default: 30d.
	Retention *caddy.Duration `json:"retention,omitempty"`

	// What is made unreadable in the paths that are logged, by each rule in
	// turn. The tokens of Telegram bots always are. Default: nothing else.
	Redact []RedactConfig `json:"redact,omitempty"`
}

// RedactConfig is a rule for secrets that stand in the path of a request.
type RedactConfig struct {
	// What is replaced, in the syntax of Go's package regexp. It must not match
	// the empty string. The values of {env.*} and {file.*} are taken literally,
	// in the replacement too. Required.
	Regexp string `json:"regexp"`

	// What is put in its place. $1 or ${1} is the first group of the
	// expression, ${name} a group with a name, $$ a dollar sign. Default: empty.
	Replacement string `json:"replacement"`
}

// withDefaults is the configuration with every option set. It may be called on
// nil, which is an app without usage_log.
func (c *UsageLogConfig) withDefaults() UsageLogConfig {
	var set UsageLogConfig
	if c != nil {
		set = *c
	}
	set.Retention = cmp.Or(set.Retention, lasts(defaultRetention))
	return set
}

func (c *UsageLogConfig) resolve(repl *caddy.Replacer) error {
	for i := range c.Redact {
		if err := c.Redact[i].resolve(repl); err != nil {
			return fmt.Errorf("redact: number %d: %w", i+1, err)
		}
	}
	return nil
}

// validate reports the first mistake in the usage log.
func (c *UsageLogConfig) validate() error {
	if c.Retention != nil && *c.Retention > 0 && time.Duration(*c.Retention) < minRetention {
		return fmt.Errorf("retention: must be at least one hour, got %s", time.Duration(*c.Retention))
	}
	if err := lasting("retention", c.Retention, positive); err != nil {
		return err
	}
	for i := range c.Redact {
		if err := c.Redact[i].validate(); err != nil {
			return fmt.Errorf("redact: number %d: %w", i+1, err)
		}
	}
	return nil
}

// compile is the rule's expression. An error does not show it, because it may
// hold what the rule is to hide.
func (c *RedactConfig) compile() (*regexp.Regexp, error) {
	re, err := regexp.Compile(c.Regexp)
	if err == nil {
		return re, nil
	}
	reason := "cannot be read"
	if wrong, ok := errors.AsType[*syntax.Error](err); ok {
		reason = string(wrong.Code)
	}
	return nil, fmt.Errorf("expected a regular expression as in Go: %s", reason)
}

// inText finds the placeholders in a text whose other braces are its own.
var inText = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)

// resolve puts the values of placeholders in literally: what is hidden with
// {env.API_KEY} is the key, whatever characters it holds. Caddy's replacer would
// take the braces and the backslashes of an expression for its own.
func (c *RedactConfig) resolve(repl *caddy.Replacer) (err error) {
	c.Regexp, err = putIn(c.Regexp, repl, regexp.QuoteMeta)
	if err != nil {
		return err
	}
	c.Replacement, err = putIn(c.Replacement, repl, func(value string) string {
		return strings.ReplaceAll(value, "$", "$$")
	})
	return err
}

// putIn replaces the placeholders in a text with their values, quoted.
func putIn(text string, repl *caddy.Replacer, quote func(string) string) (string, error) {
	var missing error
	text = inText.ReplaceAllStringFunc(text, func(placeholder string) string {
		value, err := placeholderValue(placeholder, repl)
		missing = cmp.Or(missing, err)
		return quote(value)
	})
	return text, missing
}

// validate reports what is wrong with the rule.
func (c *RedactConfig) validate() error {
	if inText.MatchString(c.Regexp) {
		return nil
	}
	re, err := c.compile()
	if err != nil {
		return err
	}
	if c.Regexp == "" || re.MatchString("") {
		return errors.New("expected a regular expression that does not match the empty string")
	}
	if inText.MatchString(c.Replacement) {
		return nil
	}
	return checkGroups(re, c.Replacement)
}

// inReplacement finds the groups that a replacement names, as [regexp.Regexp.Expand]
// does: a name is as long as it can be.
var inReplacement = regexp.MustCompile(`\$(?:\$|([\pL\p{Nd}_]+)|\{([\pL\p{Nd}_]+)\})`)

// checkGroups refuses a replacement with a group that the expression does not
// have, for which Go puts in nothing.
func checkGroups(re *regexp.Regexp, replacement string) error {
	for _, found := range inReplacement.FindAllStringSubmatch(replacement, -1) {
		name := found[1] + found[2]
		if name == "" { // $$
			continue
		}
		number, err := strconv.Atoi(name)
		numbered := err == nil && number <= re.NumSubexp()
		if !numbered && re.SubexpIndex(name) < 0 {
			return errors.New("the replacement names a group that the regular expression does not have; before letters and digits ${1} is written for $1, and $$ for a dollar sign")
		}
	}
	return nil
}
