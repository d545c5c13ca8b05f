package proxypool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/pool"
)

// adminBase is where the API is on Caddy's admin endpoint.
const adminBase = "/proxy_pool/"

// adminAPI answers what the pools are doing, and carries out what an admin asks
// for, on Caddy's admin endpoint. Where no pool is configured it knows none.
type adminAPI struct {
	app      *App
	audience audience
}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.proxy_pool", New: func() caddy.Module { return new(adminAPI) }}
}

// Provision finds the app, without making one where none is configured.
func (a *adminAPI) Provision(ctx caddy.Context) error {
	if app, err := ctx.AppIfConfigured("proxy_pool"); err == nil {
		a.app = app.(*App)
	}
	return nil
}

// Routes returns the routes of the API.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminBase, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// serve finds the call by its path. Trailing slashes are accepted.
func (a *adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	// Caddy's admin endpoint is that of a configuration which still starts, and
	// stays so where that is given up and the one before goes on.
	if running := runningApp(); running != nil {
		a = &adminAPI{app: running}
	}
	if a.app == nil {
		return notFound("no proxy pool is configured")
	}
	a.app.begin(r.Context()) // until then what was disabled would be told to be in use
	return a.route(w, r, strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(adminBase, "/")))
}

// route carries out the call of a path, which is still percent-encoded.
func (a *adminAPI) route(w http.ResponseWriter, r *http.Request, path string) error {
	path = strings.Trim(path, "/")
	switch path {
	case "status":
		return a.get(w, r, a.status)
	case "active":
		return a.get(w, r, a.active)
	case "explain":
		return a.get(w, r, a.explain)
	case "usage":
		return a.get(w, r, a.usage)
	case "log":
		return a.get(w, r, a.log)
	case "events":
		return a.get(w, r, a.events)
	case "health-check":
		return a.post(w, r, a.healthCheck)
	case "alerts/test":
		return a.post(w, r, a.testAlerts)
	}
	if rest, ok := strings.CutPrefix(path, "proxies/"); ok {
		return a.post(w, r, func(w http.ResponseWriter, r *http.Request) error { return a.act(w, r, rest) })
	}
	return notFound("unknown call: expected status, active, usage, log, events, explain, health-check, alerts/test or proxies/{pool}/{proxy}/{action}")
}

func (a *adminAPI) get(w http.ResponseWriter, r *http.Request, call caddy.AdminHandlerFunc) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return wrongMethod(w, "GET, HEAD")
	}
	return call(w, r)
}

func (a *adminAPI) post(w http.ResponseWriter, r *http.Request, call caddy.AdminHandlerFunc) error {
	if r.Method != http.MethodPost {
		return wrongMethod(w, "POST")
	}
	return call(w, r)
}

func (a *adminAPI) status(w http.ResponseWriter, r *http.Request) error {
	pools, err := a.poolsAsked(r)
	if err != nil {
		return err
	}
	now := time.Now()
	answer := statusAnswer{
		Pools: []poolRow{}, Proxies: []statusRow{}, Store: a.store(), Notifiers: a.notifiers(),
		Timestamp: *stamp(now),
	}
	var cost pool.Money
	for _, p := range pools {
		answer.Proxies = slices.Grow(answer.Proxies, len(p.Proxies()))
		one := newPoolRow(p, now)
		for _, proxy := range p.Proxies() {
			row := proxy.Snapshot()
			answer.Summary.Add(string(row.Status), row.Active)
			answer.Proxies = append(answer.Proxies, newStatusRow(p.Name, &row))
			cost += row.Cost
			if row.Usable {
				one.Usable++
			}
		}
		answer.Pools = append(answer.Pools, one)
		if p.ChecksFailing() {
			answer.Warnings = append(answer.Warnings, checksFailingWarning(p.Name))
		}
	}
	answer.Summary.TotalCostUSD = cost.USD()
	return answerJSON(w, answer)
}

func checksFailingWarning(poolName string) string {
	return fmt.Sprintf("pool %s: health checks fail through every proxy while traffic flows; look at the check URLs", poolName)
}

func (a *adminAPI) healthCheck(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("pool")
	if _, err := a.poolsAsked(r); err != nil {
		return err
	}
	results := a.app.checker.CheckAll(r.Context(), name)
	return answerJSON(w, map[string]any{"message": "Health check completed", "results": results})
}

// active answers with the address of the proxy in use, credentials included,
// as Python's requests takes it.
func (a *adminAPI) active(w http.ResponseWriter, r *http.Request) error {
	p, err := a.poolAsked(r)
	if err != nil {
		return err
	}
	var target *pool.Target
	if raw := r.URL.Query().Get("target"); raw != "" {
		key, err := p.targetKey(raw)
		if err != nil {
			return err
		}
		target = p.State().Known(key)
	}
	w.Header().Set("Cache-Control", "no-store")
	proxies := map[string]string{}
	if proxy, hand := p.handOut(target); proxy != nil {
		w.Header().Set("X-Proxy-Pool-Proxy", url.PathEscape(proxy.Name))
		for _, scheme := range []string{"http", "https"} {
			if u := hand.address(scheme); u != nil {
				proxies[scheme] = u.String()
			}
		}
	}
	return answerJSON(w, proxies)
}

func (a *adminAPI) explain(w http.ResponseWriter, r *http.Request) error {
	p, err := a.poolAsked(r)
	if err != nil {
		return err
	}
	key, err := p.targetKey(r.URL.Query().Get("target"))
	if err != nil {
		return err
	}
	answer := explainAnswer{Target: key.Addr, Pool: p.Name, Proxies: []explainRow{}}
	for _, v := range p.Explain(key, time.Now()) {
		answer.Proxies = append(answer.Proxies, explainRow{v.Name, v.Usable, v.Reason, stamp(v.Until)})
	}
	return answerJSON(w, answer)
}

// act carries out proxies/{pool}/{proxy}/{action}, names percent-encoded.
func (a *adminAPI) act(w http.ResponseWriter, r *http.Request, path string) error {
	parts := strings.Split(path, "/")
	for i := range parts {
		part, err := url.PathUnescape(parts[i])
		if err != nil {
			return badRequest("the path is not percent-encoded as it should be")
		}
		parts[i] = part
	}
	if len(parts) != 3 {
		return notFound("expected proxies/{pool}/{proxy}/{action}")
	}
	p, err := a.named(parts[0])
	if err != nil {
		return err
	}
	proxy := p.Proxy(parts[1])
	if proxy == nil {
		return notFound(fmt.Sprintf("pool %q has no proxy %q", p.Name, parts[1]))
	}
	if err := a.carryOut(r, proxy, parts[2]); err != nil {
		return err
	}
	row := proxy.Snapshot()
	return answerJSON(w, newStatusRow(p.Name, &row))
}

func (a *adminAPI) carryOut(r *http.Request, proxy *pool.Proxy, action string) error {
	if action == "check" {
		if proxy.Spent() {
			return badRequest("the budget of the proxy is spent, so that it is not checked")
		}
		if !a.app.checker.Check(r.Context(), proxy) {
			return badRequest("the pool has health_check off")
		}
		return nil
	}
	if err := proxy.Do(action); errors.Is(err, pool.ErrUnknownAction) {
		return notFound(fmt.Sprintf("unknown action %q: expected enable, disable, mark-healthy, mark-down, unblock, reset-stats or check", action))
	}
	a.settle(r.Context())
	return nil
}

// settleWithin is how long an action waits at most for a slow store.
const settleWithin = time.Second

// settle waits until what an admin did is written, so that a crash right after the
// answer undoes nothing. A store that fails is told of in the status.
func (a *adminAPI) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	_ = a.app.books.Sync(ctx)
}

// poolsAsked are the pools that a call is about: the one named, or all.
func (a *adminAPI) poolsAsked(r *http.Request) ([]*livePool, error) {
	name := r.URL.Query().Get("pool")
	if name == "" {
		return a.app.pools, nil
	}
	p, err := a.named(name)
	return []*livePool{p}, err
}

// poolAsked is the one pool that a call is about.
func (a *adminAPI) poolAsked(r *http.Request) (*livePool, error) {
	name := r.URL.Query().Get("pool")
	if name == "" {
		p, err := a.app.pool("")
		if err != nil {
			return nil, badRequest("pool: " + err.Error())
		}
		return p, nil
	}
	return a.named(name)
}

func (a *adminAPI) named(name string) (*livePool, error) {
	i := slices.IndexFunc(a.app.pools, func(p *livePool) bool { return p.Name == name })
	if i < 0 {
		return nil, notFound(fmt.Sprintf("unknown pool %q", name))
	}
	return a.app.pools[i], nil
}

// targetKey reads a target as people write it: a host, host:port, or a URL.
func (l *livePool) targetKey(raw string) (pool.TargetKey, error) {
	if raw == "" {
		return pool.TargetKey{}, badRequest("target: expected a host, host:port or URL")
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return pool.TargetKey{}, badRequest("target: expected a host, host:port or an http:// or https:// URL")
	}
	addr, err := hostPort(u.Host, u.Scheme)
	if err != nil {
		return pool.TargetKey{}, badRequest("target: " + err.Error())
	}
	return pool.TargetKey{Scheme: u.Scheme, Addr: addr, Trust: l.trust.id}, nil
}

func notFound(message string) error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New(message)}
}

func badRequest(message string) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(message)}
}

func wrongMethod(w http.ResponseWriter, allowed string) error {
	w.Header().Set("Allow", allowed)
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method not allowed, expected %s", allowed)}
}

// Interface guards
var (
	_ caddy.Provisioner = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
