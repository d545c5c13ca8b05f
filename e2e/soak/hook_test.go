package soak

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// told is an alert as a webhook gets it.
type told struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Text    string `json:"text"`
	Changes []struct {
		Proxy string `json:"proxy"`
		To    string `json:"to"`
	} `json:"changes"`
	More int `json:"more"`
}

// hook is where alerts go besides Telegram.
type hook struct {
	server *httptest.Server
	fails  atomic.Bool

	mu     sync.Mutex
	alerts []told
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := new(hook)
	h.server = httptest.NewServer(http.HandlerFunc(h.take))
	t.Cleanup(h.server.Close)
	return h
}

func (h *hook) url() string { return h.server.URL + "/hook" }

func (h *hook) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var a told
	if err != nil || json.Unmarshal(body, &a) != nil || h.fails.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alerts = append(h.alerts, a)
}

func (h *hook) all() []told {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.alerts)
}
