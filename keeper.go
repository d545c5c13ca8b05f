package proxypool

import (
	"context"
	"strings"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// keeper keeps the alerts in the books.
type keeper struct{ *books.Books }

// Keep implements [alert.Keeper].
func (k keeper) Keep(add []alert.Letter, done []int64, notes map[string][]byte) {
	alerts := make([]pool.Alert, len(add))
	for i, l := range add {
		alerts[i] = pool.Alert{ID: l.ID, Time: l.Time, Notifier: l.To, Body: l.Body}
	}
	list := make([]pool.Note, 0, len(notes))
	for name, body := range notes {
		list = append(list, pool.Note{Name: name, Body: body})
	}
	k.Books.Keep(alerts, done, list)
}

// kept is what a store has of alerts.
func kept(ctx context.Context, store pool.Store) (alert.Kept, error) {
	alerts, err := store.Alerts(ctx)
	if err != nil {
		return alert.Kept{}, err
	}
	notes, err := store.Notes(ctx)
	if err != nil {
		return alert.Kept{}, err
	}
	k := alert.Kept{Notes: make(map[string][]byte, len(notes))}
	for _, a := range alerts {
		k.Letters = append(k.Letters, alert.Letter{ID: a.ID, Time: a.Time, To: a.Notifier, Body: a.Body})
	}
	for _, n := range notes {
		if strings.HasPrefix(n.Name, alert.NotePrefix) {
			k.Notes[n.Name] = n.Body
		}
	}
	return k, nil
}
