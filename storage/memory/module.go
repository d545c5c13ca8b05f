package memory

import (
	"context"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/pool"
)

func init() {
	caddy.RegisterModule(new(Storage))
}

// Storage keeps the books in memory. They outlive a reload, and end with the
// process. So that memory is bounded, the usage log, the status events and the
// waiting alerts keep their newest 10,000 rows, the notes of the alerts their
// newest 4,096, and where usage has more than 100,000 rows the older ones are
// merged: no money is lost, but which target or which quarter of an hour it
// belongs to is.
type Storage struct{}

// CaddyModule returns the Caddy module information.
func (*Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "proxy_pool.storage.memory", New: func() caddy.Module { return new(Storage) }}
}

// StoreID says that all configurations share one store in memory.
func (*Storage) StoreID() string { return "memory" }

// Open makes a store with nothing in it.
func (*Storage) Open(context.Context, func(message string)) (pool.Store, error) {
	return New(), nil
}

// Interface guards.
var (
	_ caddy.Module = (*Storage)(nil)
	_ pool.Storage = (*Storage)(nil)
)
