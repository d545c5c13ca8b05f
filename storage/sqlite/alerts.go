package sqlite

import (
	"context"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// writeAlerts adds alerts, and then removes those that were delivered, of which
// some may be new.
func (w *writer) writeAlerts(ctx context.Context, b *pool.Batch) error {
	for _, a := range b.Alerts {
		body := a.Body
		if body == nil {
			body = []byte{} // nil would be NULL
		}
		if _, err := w.setAlert.ExecContext(ctx, a.ID, a.Time.UnixMilli(), a.Notifier, body); err != nil {
			return err
		}
	}
	for _, id := range b.Delivered {
		if _, err := w.deliver.ExecContext(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeNotes(ctx context.Context, b *pool.Batch) (err error) {
	for _, n := range b.Notes {
		if len(n.Body) == 0 {
			_, err = w.removeNote.ExecContext(ctx, n.Name)
		} else {
			_, err = w.setNote.ExecContext(ctx, n.Name, n.Body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readAlerts(ctx context.Context) ([]pool.Alert, error) {
	rows, err := r.alerts.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var alerts []pool.Alert
	for rows.Next() {
		var a pool.Alert
		var at int64
		if err := rows.Scan(&a.ID, &at, &a.Notifier, &a.Body); err != nil {
			return nil, err
		}
		a.Time = time.UnixMilli(at).UTC()
		alerts = append(alerts, a)
	}
	return alerts, rows.Err()
}

func (r *reader) readNotes(ctx context.Context) ([]pool.Note, error) {
	rows, err := r.notes.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var notes []pool.Note
	for rows.Next() {
		var n pool.Note
		if err := rows.Scan(&n.Name, &n.Body); err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, rows.Err()
}
