package proxypool

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// serveAPI carries out a call of the page. The path is still percent-encoded.
func (d *Dashboard) serveAPI(w http.ResponseWriter, r *http.Request, path string) error {
	path = strings.Trim(path, "/")
	api := &adminAPI{app: d.current(), audience: d.audience()}
	api.app.begin(r.Context())
	switch path {
	case "live":
		d.purse.await(r.Context())
		return api.get(w, r, d.live.serve)
	case "snapshot":
		d.purse.await(r.Context())
		return api.get(w, r, d.snapshot)
	case "active":
		return notFound("active is not served here, because it shows passwords; ask Caddy's admin endpoint")
	}
	if r.Method == http.MethodPost {
		if err := d.mayAct(r); err != nil {
			return err
		}
	}
	confined, err := d.confine(r, path)
	if err != nil {
		return err
	}
	return api.route(w, confined, path)
}

// current is the configuration that holds: ours may be one that still starts.
func (d *Dashboard) current() *App {
	if running := runningApp(); running != nil {
		return running
	}
	return d.app
}

// confine keeps a call to the pool that the page shows.
func (d *Dashboard) confine(r *http.Request, path string) (*http.Request, error) {
	if d.Pool == "" {
		return r, nil
	}
	if path == "alerts/test" {
		return nil, refused("the dashboard is of one pool, and alerts are for all of them; ask Caddy's admin endpoint")
	}
	params := r.URL.Query()
	if asked := params.Get("pool"); asked != "" && asked != d.Pool {
		return nil, notFound(fmt.Sprintf("unknown pool %q", asked))
	}
	if rest, ok := strings.CutPrefix(path, "proxies/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		if name, err := url.PathUnescape(name); err != nil || name != d.Pool {
			return nil, notFound("unknown pool")
		}
	}
	params.Set("pool", d.Pool)
	u := *r.URL
	u.RawQuery = params.Encode()
	confined := r.WithContext(r.Context())
	confined.URL = &u
	return confined, nil
}

// snapshot is what a page that cannot follow live asks for now and then.
func (d *Dashboard) snapshot(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(d.live.whole())
	return err
}
