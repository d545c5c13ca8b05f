package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
	"github.com/caddy-proxypool/proxypool/storage/storagetest"
)

func TestStore(t *testing.T) {
	storagetest.Suite{
		New: func(t *testing.T) pool.Storage {
			return &sqlite.Storage{Path: filepath.Join(t.TempDir(), "proxy_pool.db")}
		},
	}.Run(t)
}
