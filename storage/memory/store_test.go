package memory_test

import (
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/memory"
	"github.com/caddy-proxypool/proxypool/storage/storagetest"
)

func TestStore(t *testing.T) {
	storagetest.Suite{
		New:      func(*testing.T) pool.Storage { return new(memory.Storage) },
		Volatile: true,
	}.Run(t)
}
