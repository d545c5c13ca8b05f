package proxypool

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/dashboard"
)

// DashboardConfig is what the configuration says of a dashboard.
type DashboardConfig struct {
	// Where the page is, without the slash at its end: "/proxies". It is taken
	// off the paths of requests. Default: the root of what leads to the handler.
	Path string `json:"path,omitempty"`

	// Whether the page may change anything: check, enable, disable and so on.
	// Default: false, read only.
	Actions bool `json:"actions,omitempty"`

	// Whether others than this machine may use the page. It asks for no password
	// itself: put basic_auth before it. Default: false.
	AllowRemote bool `json:"allow_remote,omitempty"`

	// The only pool that the page shows. Default: all of them.
	Pool string `json:"pool,omitempty"`
}

// validate reports the first mistake in the configuration.
func (c *DashboardConfig) validate() error {
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		return errors.New("path: expected a slash at its beginning")
	}
	return checkPoolRef(c.Pool)
}

// Dashboard is a page that shows what the pools are doing, with the JSON that it
// asks for below api/. It takes CONNECT and requests for other hosts for what is
// meant for a forward front, and hands them on.
type Dashboard struct {
	DashboardConfig

	app    *App
	logger *zap.Logger
	prefix string // Path, percent-encoded
	page   *dashboard.Page
	hosts  []caddyhttp.MatchHost // of its site
	purse  *purse
	live   *live
}

// CaddyModule returns the Caddy module information.
func (*Dashboard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxy_pool_dashboard", New: func() caddy.Module { return new(Dashboard) }}
}

// Provision finds the pools and the site that the page is on.
func (d *Dashboard) Provision(ctx caddy.Context) error {
	d.logger = ctx.Logger()
	if err := resolveWord(caddy.NewReplacer(), "pool", &d.Pool); err != nil {
		return err
	}
	d.Path = strings.TrimRight(d.Path, "/")
	if err := d.validate(); err != nil {
		return err
	}
	d.prefix = (&url.URL{Path: d.Path}).EscapedPath()
	value, err := ctx.AppIfConfigured(moduleName)
	if err != nil {
		return errors.New("the proxy_pool app is needed, with a pool")
	}
	d.app = value.(*App)
	if d.Pool != "" {
		if _, err := d.app.pool(d.Pool); err != nil {
			return err
		}
	}
	if d.page, err = dashboard.New(); err != nil {
		return err
	}
	s, ok := siteOf(ctx)
	if ok {
		d.hosts = s.hosts()
		s.server.RegisterOnShutdown(func() { d.live.end() })
	}
	if d.AllowRemote && !(ok && s.asksForLogin(d.Path)) {
		d.logger.Warn(openToAll)
	}
	d.purse = newPurse(d.spent)
	d.live = newLive(&painter{dashboard: d})
	return nil
}

// Cleanup ends the pages' streams and whoever feeds them.
func (d *Dashboard) Cleanup() error {
	if d.purse != nil {
		d.purse.end()
	}
	if d.live != nil {
		d.live.end()
		d.live.wait()
	}
	return nil
}

// ServeHTTP serves the page and its API.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method == http.MethodConnect || r.URL.IsAbs() || r.URL.Opaque != "" {
		return next.ServeHTTP(w, r)
	}
	harden(w.Header())
	name, ok := cutPath(r.URL.EscapedPath(), d.prefix)
	if !ok {
		http.NotFound(w, r)
		return nil
	}
	if err := d.admits(r); err != nil {
		d.logger.Debug("refused a visitor of the dashboard", zap.String("remote", r.RemoteAddr), zap.String("reason", err.Error()))
		return answerError(w, refused(err.Error()))
	}
	if name == "" || name == "/" {
		if missing := withoutSlash(r); missing != "" {
			redirectInto(w, r, missing)
			return nil
		}
		name = "/"
	}
	if call, isAPI := strings.CutPrefix(name, "/api/"); isAPI {
		w.Header().Set("Cache-Control", "no-store")
		if err := d.serveAPI(w, r, call); err != nil {
			return answerError(w, d.discreet(err))
		}
		return nil
	}
	return d.servePage(w, r, strings.TrimPrefix(name, "/"))
}

func (d *Dashboard) servePage(w http.ResponseWriter, r *http.Request, name string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return answerError(w, wrongMethod(w, "GET, HEAD"))
	}
	if !d.page.Serve(w, r, name) {
		http.NotFound(w, r)
	}
	return nil
}

// harden sets what keeps browsers from doing with an answer what is not meant.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", dashboard.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// cutPath takes the place of the page off a path. Caddy's matchers do not mind
// capitals, so neither does this.
func cutPath(escaped, prefix string) (rest string, ok bool) {
	if len(escaped) < len(prefix) || !strings.EqualFold(escaped[:len(prefix)], prefix) {
		return "", false
	}
	rest = escaped[len(prefix):]
	return rest, rest == "" || rest[0] == '/'
}

// withoutSlash is the last part of the path that the client asked for, where
// that has no slash at its end: relative URLs would lead out of the page. What
// was taken off the path before us does not count.
func withoutSlash(r *http.Request) string {
	u := r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		u = original.URL
	}
	asked := u.EscapedPath()
	if asked == "" || strings.HasSuffix(asked, "/") {
		return ""
	}
	return path.Base(asked)
}

// redirectInto leads to the same path with a slash, relatively: what is before
// us may have taken some of it off.
func redirectInto(w http.ResponseWriter, r *http.Request, last string) {
	to := "./" + last + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store") // the page may move
	w.WriteHeader(http.StatusPermanentRedirect)
}

// answerError answers as the admin API does.
func answerError(w http.ResponseWriter, err error) error {
	status := http.StatusInternalServerError
	var known caddy.APIError
	if errors.As(err, &known) && known.HTTPStatus != 0 {
		status = known.HTTPStatus
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

func refused(message string) error {
	return caddy.APIError{HTTPStatus: http.StatusForbidden, Err: errors.New(message)}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Dashboard)(nil)
	_ caddy.CleanerUpper          = (*Dashboard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Dashboard)(nil)
)
