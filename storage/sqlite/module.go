package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
	"github.com/caddy-proxypool/proxypool/pool"
)

func init() {
	caddy.RegisterModule(new(Storage))
}

// Storage keeps the books in a SQLite file, so that they survive a restart. The
// file is opened when Caddy starts, not when a configuration is validated. One
// process can use a file at a time.
type Storage struct {
	// Where the file is. A relative path is relative to the directory that
	// Caddy was started in. The directory is made where there is none. Takes
	// placeholders such as {env.*} and {file.*}. Default: proxy_pool.db in
	// Caddy's data directory.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "proxy_pool.storage.sqlite", New: func() caddy.Module { return new(Storage) }}
}

// Provision finds out where the file is. It opens nothing.
func (s *Storage) Provision(caddy.Context) error {
	if s.Path == "" {
		s.Path = filepath.Join(caddy.AppDataDir(), "proxy_pool.db")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(s.Path, true, true)
	if err != nil {
		return fmt.Errorf("storage sqlite: path: %w", err)
	}
	if path == "" {
		return errors.New("storage sqlite: path: is empty, expected the path of a file")
	}
	if s.Path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("storage sqlite: path: %w", err)
	}
	return nil
}

// UnmarshalCaddyfile reads the store.
//
//	storage sqlite [<path>]
func (s *Storage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const name = "storage sqlite"
	d.Next() // the store's name
	if d.NextArg() {
		if s.Path = d.Val(); s.Path == "" {
			return d.Errf("%s: the path is empty, expected the path of a file", name)
		}
	}
	if err := parse.NoMore(d, name); err != nil {
		return err
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("%s: unexpected block", name)
	}
	return nil
}

// StoreID tells files apart.
func (s *Storage) StoreID() string { return "sqlite:" + s.Path }

// Open opens the file.
func (s *Storage) Open(ctx context.Context, notice func(message string)) (pool.Store, error) {
	store, err := Open(ctx, s.Path, notice)
	if err != nil {
		return nil, err // not a nil *Store
	}
	return store, nil
}

// Interface guards.
var (
	_ caddy.Module          = (*Storage)(nil)
	_ caddy.Provisioner     = (*Storage)(nil)
	_ caddyfile.Unmarshaler = (*Storage)(nil)
	_ pool.Storage          = (*Storage)(nil)
)
