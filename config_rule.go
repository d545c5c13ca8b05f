package proxypool

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

const (
	// maxCount bounds what is counted: more would be a slip of the finger.
	maxCount = 1_000_000

	// maxDuration leaves room for what is computed from durations: ten of them
	// fit into a time.Duration.
	maxDuration = 10 * 365 * 24 * time.Hour

	// maxDollars bounds prices, so that money fits into nano-dollars.
	maxDollars = 1e6
)

// within checks that the value of an option lies in a range. Nil is an option
// that was not given.
func within[T int | int64 | float64](option string, v *T, low, high T) error {
	switch {
	case v == nil || low <= *v && *v <= high:
		return nil
	case math.IsNaN(float64(*v)):
		return fmt.Errorf("%s: expected a number, got NaN", option)
	case *v > high:
		return fmt.Errorf("%s: must be at most %v, got %v", option, high, *v)
	case low == 0:
		return fmt.Errorf("%s: must not be negative, got %v", option, *v)
	default:
		return fmt.Errorf("%s: must be at least %v, got %v", option, low, *v)
	}
}

// durationRule is what a duration may be beside one above zero.
type durationRule struct{ zero, off bool }

var (
	positive  = durationRule{}
	orZero    = durationRule{zero: true}
	orZeroOff = durationRule{zero: true, off: true}
)

// lasting checks the duration of an option. Nil is an option not given.
func lasting(option string, d *caddy.Duration, rule durationRule) error {
	switch {
	case d == nil, *d == 0 && rule.zero, *d == parse.Off && rule.off:
		return nil
	case time.Duration(*d) > maxDuration:
		return fmt.Errorf("%s: must be at most ten years, got %s", option, time.Duration(*d))
	case *d > 0:
		return nil
	case rule.zero:
		return fmt.Errorf("%s: must not be negative, got %s", option, time.Duration(*d))
	default:
		return fmt.Errorf("%s: must be more than 0, got %s", option, time.Duration(*d))
	}
}

// oneOf checks that an option is one of the words, or was not given.
func oneOf[T ~string](option, word string, words ...T) error {
	if word == "" || slices.Contains(words, T(word)) {
		return nil
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return fmt.Errorf("%s: expected one of %s, got %s", option, strings.Join(list, ", "), parse.Quote(word))
}

// statuses checks a list of statuses and of classes of them.
func statuses(option string, list []int) error {
	for _, n := range list {
		if !parse.IsStatus(n) {
			return fmt.Errorf("%s: expected a status from 100 to 599 or, for a class, one digit from 1 to 5, got %d", option, n)
		}
	}
	return nil
}

// findModule is the module of a name in a namespace.
func findModule(option, namespace, name string) (caddy.ModuleInfo, error) {
	module, err := caddy.GetModule(namespace + "." + name)
	if err != nil {
		return module, fmt.Errorf("%s: unknown module %s, expected one of %s", option, parse.Quote(name), moduleNames(namespace))
	}
	return module, nil
}

// moduleNames lists the modules that stand in a namespace, for messages.
func moduleNames(namespace string) string {
	modules := caddy.GetModules(namespace)
	names := make([]string, 0, len(modules))
	for _, m := range modules {
		names = append(names, m.ID.Name())
	}
	return strings.Join(names, ", ")
}

// hasPlaceholder reports whether a string waits for a value that is known only
// when the module is provisioned.
func hasPlaceholder(s string) bool {
	return strings.Contains(s, "{env.") || strings.Contains(s, "{file.")
}

// resolveText puts the values of placeholders into an option. One that is
// unknown or has no value is a mistake.
func resolveText(repl *caddy.Replacer, option string, s *string) error {
	if !hasPlaceholder(*s) {
		return nil
	}
	value, err := repl.ReplaceOrErr(*s, true, true)
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	*s = value
	return nil
}

// resolveWord is like resolveText, for what can hold no braces itself.
func resolveWord(repl *caddy.Replacer, option string, s *string) error {
	given := *s
	if err := resolveText(repl, option, s); err != nil {
		return err
	}
	if *s != given && strings.ContainsAny(*s, "{}") {
		return fmt.Errorf("%s: the value of %s must not hold a brace", option, given)
	}
	return nil
}

// nullEntry refuses a null among the entries of a list.
func nullEntry(list string, i int) error {
	return fmt.Errorf("%s: number %d must not be null", list, i+1)
}
