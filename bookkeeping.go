package proxypool

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// defaultStorage is where the books are kept where nothing else is said.
var defaultStorage = json.RawMessage(`{"module": "sqlite"}`)

// loadStorage loads the module of the store, which opens nothing, and works out
// how the books are kept.
func (a *App) loadStorage(ctx caddy.Context) error {
	if absent(a.StorageRaw) {
		a.StorageRaw = defaultStorage
	}
	module, err := ctx.LoadModule(&a.AppConfig, "StorageRaw")
	if err != nil {
		return fmt.Errorf("loading storage: %w", err)
	}
	storage, ok := module.(pool.Storage)
	if !ok {
		return fmt.Errorf("storage: %T is no store", module)
	}
	log := a.UsageLog.withDefaults()
	a.settings = books.Settings{
		Storage: storage, Log: log.Enabled, Retention: time.Duration(*log.Retention),
		Hooks: books.Hooks{
			Failed: func(err error) {
				a.logger.Error("store failed; forwarding goes on and the books are held in memory", zap.Error(err))
			},
			Recovered: func(after time.Duration) {
				a.logger.Info("store works again; what was held in memory is written", zap.Duration("duration", after))
			},
			Lost: func(err error) { a.logger.Error("books that were held in memory are lost", zap.Error(err)) },
			Switched: func(from, to string) {
				a.logger.Info("books go on in another store; usage, log and events of before stay where they are",
					zap.String("from", from), zap.String("to", to))
			},
			Noticed: func(message string) { a.logger.Warn("notice from the store", zap.String("notice", message)) },
			Dropped: func(rows int64) { a.logger.Warn("rows of the books were dropped", zap.Int64("rows", rows)) },
		},
	}
	for i := range log.Redact {
		re, err := log.Redact[i].compile()
		if err != nil {
			return fmt.Errorf("usage_log: redact: %w", err)
		}
		a.redact = append(a.redact, books.Rule{Regexp: re, Replacement: log.Redact[i].Replacement})
	}
	return nil
}

// Collect implements [books.Subject] for all pools.
func (r *registry) Collect(b *pool.Batch, all bool) {
	r.mu.Lock()
	pools := maps.Clone(r.pools)
	r.mu.Unlock()
	for name, s := range pools {
		s.Collect(name, b, all)
	}
}

// Restore implements [books.Subject] for the pools of the newest configuration.
func (r *registry) Restore(ctx context.Context, id string, store pool.Store) error {
	newest := r.newest()
	if newest == nil {
		return nil
	}
	for _, p := range newest.pools {
		if !p.Lacks(id) {
			continue
		}
		records, err := store.Records(ctx, p.Name)
		if err != nil {
			return err
		}
		if err := p.Pool.Restore(id, records); err != nil {
			newest.logger.Error("some of what was stored cannot be read", zap.Error(err))
		}
	}
	k, err := kept(ctx, store)
	if err != nil {
		return err
	}
	r.desk.Restore(k)
	return nil
}
