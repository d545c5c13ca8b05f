// Package caddyfile holds what the module's Caddyfile parsers share: how a
// block of options is read, and how single words are.
//
// Every mistake is an error with the file and the line, the word that is wrong
// and what was expected in its place. A word that may hold a password is never
// shown.
package caddyfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Option reads what follows an option's name: its arguments and its block.
type Option struct {
	read       func(*caddyfile.Dispenser) error
	repeatable bool
}

// Options are what may stand in a block, by name.
type Options map[string]Option

// Once is an option that may be given once in a block.
func Once(read func(*caddyfile.Dispenser) error) Option { return Option{read: read} }

// Repeated is an option that may be given any number of times.
func Repeated(read func(*caddyfile.Dispenser) error) Option {
	return Option{read: read, repeatable: true}
}

// Value is an option with one argument. parse reads it into what dst points to.
func Value[T any](dst *T, parse func(word string) (T, error)) Option {
	return Once(func(d *caddyfile.Dispenser) error {
		return one(d, func(word string) (err error) {
			*dst, err = parse(word)
			return err
		})
	})
}

// Pointer is like [Value], for a field that is nil where the option is absent.
func Pointer[T any](dst **T, parse func(word string) (T, error)) Option {
	return Once(func(d *caddyfile.Dispenser) error {
		return one(d, func(word string) error {
			v, err := parse(word)
			*dst = &v
			return err
		})
	})
}

// List is an option with one argument or more.
func List[T any](dst *[]T, parse func(word string) (T, error)) Option {
	return Once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		for d.NextArg() {
			v, err := parse(d.Val())
			if err != nil {
				return d.Errf("%s: %w", name, err)
			}
			*dst = append(*dst, v)
		}
		if len(*dst) == 0 {
			return d.Errf("%s: expected at least one argument", name)
		}
		return nil
	})
}

// Block reads the block that opens after the current token, if one does. where
// is said in errors: "the pool". After each option, check is called; what is
// wrong by then is wrong with that option, whose file and line are added.
func (o Options) Block(d *caddyfile.Dispenser, where string, check func() error) error {
	seen := make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		option, ok := o[name]
		if !ok {
			return o.unknown(d, where)
		}
		if line, twice := seen[name]; twice && !option.repeatable {
			return d.Errf("%s is given twice in %s, the first time at line %d", name, where, line)
		}
		seen[name] = d.Line()
		at := *d
		if err := option.read(d); err != nil {
			return err
		}
		if err := check(); err != nil {
			return at.WrapErr(err)
		}
	}
	return nil
}

func (o Options) unknown(d *caddyfile.Dispenser, where string) error {
	if d.Val() == "{" {
		return d.Errf("unexpected block in %s", where)
	}
	known := slices.Sorted(maps.Keys(o))
	return d.Errf("unknown option %s in %s, expected one of %s", Quote(d.Val()), where, strings.Join(known, ", "))
}

// NoMore refuses what is left of the line after an option's arguments.
func NoMore(d *caddyfile.Dispenser, name string) error {
	if d.NextArg() {
		return d.Errf("%s: unexpected argument %s", name, Quote(d.Val()))
	}
	return nil
}

// one reads an option's only argument.
func one(d *caddyfile.Dispenser, parse func(word string) error) error {
	name := d.Val()
	if !d.NextArg() {
		return d.Errf("%s: expected an argument", name)
	}
	if err := parse(d.Val()); err != nil {
		return d.Errf("%s: %w", name, err)
	}
	return NoMore(d, name)
}
