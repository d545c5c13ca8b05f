// Command seedbooks gives a file of books a past, for tests of what is shown of
// one. It reads a JSON list of [pool.UsageCell] and adds them to the file.
//
//	seedbooks <file> < cells.json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: seedbooks <file> < cells.json")
	}
	if err := seed(context.Background(), os.Args[1], os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func seed(ctx context.Context, file string, cells io.Reader) error {
	batch := pool.Batch{ID: time.Now().UnixNano()}
	if err := json.NewDecoder(cells).Decode(&batch.Usage); err != nil {
		return fmt.Errorf("reading the usage: %w", err)
	}
	store, err := sqlite.Open(ctx, file, func(notice string) { log.Print(notice) })
	if err != nil {
		return err
	}
	return errors.Join(store.Write(ctx, &batch), store.Close())
}
