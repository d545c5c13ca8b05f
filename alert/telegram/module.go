package telegram

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-proxypool/proxypool/alert"
	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

func init() {
	caddy.RegisterModule(new(Telegram))
}

// CaddyModule returns the Caddy module information.
func (*Telegram) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "proxy_pool.notifiers.telegram", New: func() caddy.Module { return new(Telegram) }}
}

// Provision puts in the values of placeholders. It connects to nothing.
func (t *Telegram) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	// What stands in braces may be a token that somebody wrote so.
	token, err := repl.ReplaceOrErr(t.Token, false, true)
	if err != nil {
		return errors.New("telegram: token: unknown placeholder (not shown), expected one such as {env.NAME} or {file./path}")
	}
	t.Token = strings.TrimSpace(token)
	if t.ChatID, err = repl.ReplaceOrErr(t.ChatID, false, true); err != nil {
		return fmt.Errorf("telegram: chat_id: %w", err)
	}
	for i, way := range t.Via {
		if way, err = repl.ReplaceOrErr(way, true, true); err != nil {
			return fmt.Errorf("telegram: via: %w", err)
		}
		t.Via[i] = strings.TrimSpace(way)
	}
	if t.APIURL, err = repl.ReplaceOrErr(t.APIURL, true, true); err != nil {
		return errors.New("telegram: api_url: a placeholder is unknown or has no value")
	}
	t.APIURL = strings.TrimSpace(t.APIURL)
	return t.validate()
}

// UnmarshalCaddyfile reads the notifier. Token and chat may be left empty, so that
// {$NAME} can stand there whether it is set or not.
//
//	telegram {
//		token             [<token>]
//		chat_id           [<chats...>]
//		message_thread_id <topic>
//		via               direct|<pool>...
//		api_url           <url>
//		commands          on|off
//	}
func (t *Telegram) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the notifier's name
	if d.NextArg() {
		return d.Err("telegram: unexpected argument (not shown, it may be a token), expected a block with token and chat_id")
	}
	return parse.Options{
		"token": parse.Once(t.unmarshalToken),
		"chat_id": parse.Once(func(d *caddyfile.Dispenser) error {
			t.ChatID = strings.Join(d.RemainingArgs(), " ")
			return nil
		}),
		"message_thread_id": parse.Value(&t.MessageThreadID, topic),
		"via":               parse.List(&t.Via, parse.Text),
		"api_url":           parse.Value(&t.APIURL, parse.Text),
		"commands":          parse.Value(&t.Commands, parse.Switch),
	}.Block(d, "telegram", t.validate)
}

func (t *Telegram) unmarshalToken(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		t.Token = d.Val()
	}
	if d.NextArg() {
		return d.Err("token: expected one argument, got more (not shown)")
	}
	return nil
}

func topic(word string) (int, error) {
	n, err := parse.Int(word)
	if err == nil && n <= 0 {
		err = fmt.Errorf("expected a number above 0, got %d", n)
	}
	return n, err
}

// Interface guards.
var (
	_ caddy.Module          = (*Telegram)(nil)
	_ caddy.Provisioner     = (*Telegram)(nil)
	_ caddyfile.Unmarshaler = (*Telegram)(nil)
	_ alert.Notifier        = (*Telegram)(nil)
)
