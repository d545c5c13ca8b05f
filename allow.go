package proxypool

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// allowList are the targets that a forward front may reach. Nothing is in the
// zero value.
type allowList struct {
	everything bool
	anyHost    ports
	hosts      map[string]ports
	below      map[string]ports // what stands after "*."
}

// ports are the ports of a word of the list: few, so that they are looked at
// one by one.
type ports []uint16

// usualPorts are those of a word without a port.
var usualPorts = ports{80, 443}

// newAllowList reads the words of a list: a host or "*.suffix" or "*", each with
// an optional port.
func newAllowList(words []string) (allowList, error) {
	list := allowList{hosts: make(map[string]ports), below: make(map[string]ports)}
	for _, word := range words {
		if err := list.add(word); err != nil {
			return allowList{}, fmt.Errorf("allow: expected a host, *.suffix or *, with a port or without, got %s: %w", parse.Quote(word), err)
		}
	}
	return list, nil
}

// add adds one word.
func (a *allowList) add(word string) error {
	if strings.ContainsAny(word, "/@") {
		return errors.New("it stands without scheme, user part and path")
	}
	if word == "*" {
		a.everything = true
		return nil
	}
	if port, found := strings.CutPrefix(word, "*:"); found {
		n, err := portNumber(port)
		a.anyHost = append(a.anyHost, n)
		return err
	}
	name, wild := strings.CutPrefix(word, "*.")
	if strings.Contains(name, "*") {
		return errors.New("the only place of a * is at the start, before a dot or alone")
	}
	host, port, err := parseAuthority(name, 0)
	if err != nil {
		return err
	}
	in := a.hosts
	if wild {
		if strings.HasPrefix(name, "[") || endsInNumber(host) {
			return errors.New("after the *. stands a name, not an address; clients and allow_private know ranges")
		}
		in = a.below
	}
	if port == 0 {
		in[host] = append(in[host], usualPorts...)
	} else {
		in[host] = append(in[host], port)
	}
	return nil
}

// allows reports whether a target may be reached. The host is as
// [parseAuthority] returns it.
func (a allowList) allows(host string, port uint16) bool {
	if a.everything || slices.Contains(a.anyHost, port) || slices.Contains(a.hosts[host], port) {
		return true
	}
	if len(a.below) == 0 {
		return false
	}
	for {
		_, parent, found := strings.Cut(host, ".")
		if !found {
			return false
		}
		if slices.Contains(a.below[parent], port) {
			return true
		}
		host = parent
	}
}

// mayName reports whether a host, as a host matcher of Caddy has it, may be one
// of the list's on some port.
func (a allowList) mayName(host string) bool {
	if a.everything || len(a.anyHost) > 0 || strings.ContainsAny(host, "*{") {
		return true
	}
	name, err := comparedHost(host)
	if err != nil {
		return false
	}
	if a.hosts[name] != nil {
		return true
	}
	for _, name, found := strings.Cut(name, "."); found; _, name, found = strings.Cut(name, ".") {
		if a.below[name] != nil {
			return true
		}
	}
	return false
}
