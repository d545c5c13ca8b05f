package proxypool

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// How many rows of the usage log and of the events one answer has.
const (
	defaultRows = 100
	maxRows     = 1000
)

type logRow struct {
	ID         int64  `json:"id"`
	Time       string `json:"time"`
	Pool       string `json:"pool"`
	Proxy      string `json:"proxy"`
	Method     string `json:"method"`
	Target     string `json:"target"`
	Path       string `json:"path"`
	Success    bool   `json:"success"`
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
	BytesIn    int64  `json:"bytes_in"`
	BytesOut   int64  `json:"bytes_out"`
	Attempts   int    `json:"attempts"`
	Trail      string `json:"trail"`
	Error      string `json:"error"`
}

type eventRow struct {
	ID     int64  `json:"id"`
	Time   string `json:"time"`
	Pool   string `json:"pool"`
	Proxy  string `json:"proxy"`
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`
}

// log answers with rows of the usage log, newest first.
func (a *adminAPI) log(w http.ResponseWriter, r *http.Request) error {
	params := r.URL.Query()
	q := pool.LogQuery{Pool: params.Get("pool"), Proxy: params.Get("proxy")}
	var err error
	if q.Limit, q.Before, err = pageAsked(params); err != nil {
		return err
	}
	if raw := params.Get("success"); raw != "" {
		success, err := strconv.ParseBool(raw)
		if err != nil {
			return badRequest(fmt.Sprintf("success: expected true or false, got %q", raw))
		}
		q.Success = &success
	}
	found, err := a.app.books.Log(r.Context(), q)
	if err != nil {
		return storeFailed(err)
	}
	if len(found) == 0 {
		if err := a.known(r.Context(), q.Pool, q.Proxy); err != nil {
			return err
		}
	}
	rows := make([]logRow, 0, len(found))
	for i := range found {
		f := &found[i]
		rows = append(rows, logRow{
			ID: f.ID, Time: exactStamp(f.Time), Pool: f.Pool, Proxy: f.Proxy, Method: f.Method, Target: f.Target, Path: f.Path,
			Success: f.Success, Status: f.Status, DurationMS: f.Duration.Milliseconds(),
			BytesIn: f.BytesIn, BytesOut: f.BytesOut, Attempts: f.Attempts, Trail: f.Trail, Error: f.Error,
		})
	}
	return answerJSON(w, map[string]any{"rows": rows})
}

// events answers with changes of status, newest first.
func (a *adminAPI) events(w http.ResponseWriter, r *http.Request) error {
	params := r.URL.Query()
	q := pool.EventQuery{Pool: params.Get("pool"), Proxy: params.Get("proxy")}
	var err error
	if q.Limit, q.Before, err = pageAsked(params); err != nil {
		return err
	}
	found, err := a.app.books.Events(r.Context(), q)
	if err != nil {
		return storeFailed(err)
	}
	if len(found) == 0 {
		if err := a.known(r.Context(), q.Pool, q.Proxy); err != nil {
			return err
		}
	}
	rows := make([]eventRow, 0, len(found))
	for i := range found {
		f := &found[i]
		rows = append(rows, eventRow{
			ID: f.ID, Time: exactStamp(f.Time), Pool: f.Pool, Proxy: f.Proxy,
			From: string(f.From), To: string(f.To), Reason: f.Reason,
		})
	}
	return answerJSON(w, map[string]any{"rows": rows})
}

// pageAsked reads how many rows are wanted, and before which.
func pageAsked(params url.Values) (limit int, before int64, err error) {
	limit = defaultRows
	if raw := params.Get("limit"); raw != "" {
		if limit, err = strconv.Atoi(raw); err != nil || limit < 1 || limit > maxRows {
			return 0, 0, badRequest(fmt.Sprintf("limit: expected a number from 1 to %d, got %q", maxRows, raw))
		}
	}
	if raw := params.Get("before"); raw != "" {
		if before, err = strconv.ParseInt(raw, 10, 64); err != nil || before < 1 {
			return 0, 0, badRequest(fmt.Sprintf("before: expected the id of a row, got %q", raw))
		}
	}
	return limit, before, nil
}

// exactStamp is a time to the millisecond.
func exactStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
