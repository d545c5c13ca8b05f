package proxypool

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Transport is the pool as a transport for Caddy's own reverse_proxy. One try
// of reverse_proxy is one whole failover.
type Transport struct {
	TransportConfig

	// TLS to the upstreams. Its trust wins over that of tls_trust_pool.
	TLS *reverseproxy.TLSConfig `json:"tls,omitempty"`

	app     *App
	pool    *livePool
	trust   trust
	forward *pool.Forwarder
}

// CaddyModule returns the Caddy module information.
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.proxy_pool", New: func() caddy.Module { return new(Transport) }}
}

// Provision finds the pool.
func (t *Transport) Provision(ctx caddy.Context) error {
	if err := t.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := t.validate(); err != nil {
		return err
	}
	app, p, err := loadPool(ctx, t.Pool)
	if err != nil {
		return err
	}
	t.app, t.pool = app, p
	if t.trust, err = p.trustOf(ctx, app, &t.ForwardConfig); err != nil {
		return err
	}
	if t.trust, err = t.withTLS(ctx, app); err != nil {
		return err
	}
	t.forward = pool.NewForwarder(p.Pool, t.ForwardConfig.Over(p.forward).forwarding())
	return nil
}

// withTLS puts what reverse_proxy asks for over the trust of the pool.
func (t *Transport) withTLS(ctx caddy.Context, app *App) (trust, error) {
	if t.TLS == nil {
		return t.trust, nil
	}
	config, err := t.TLS.MakeTLSClientConfig(ctx)
	if err != nil {
		return trust{}, fmt.Errorf("tls: %w", err)
	}
	if config == nil {
		return t.trust, nil
	}
	if strings.Contains(t.TLS.ServerName, "{") {
		return trust{}, errors.New("tls: server_name: placeholders are not supported here")
	}
	id, err := json.Marshal(t.TLS)
	if err != nil {
		return trust{}, fmt.Errorf("tls: %w", err)
	}
	config.MinVersion = tls.VersionTLS12
	if config.RootCAs == nil && t.trust.base != nil {
		config.RootCAs = t.trust.base.RootCAs
	}
	made := trust{id: t.trust.id + string(id), base: config}
	if config.RootCAs != nil {
		made.id += app.registry.trustID(config.RootCAs)
	}
	if len(config.Certificates) > 0 || config.GetClientCertificate != nil {
		made.id += app.registry.uniqueID() // it may be another one after a reload
	}
	return made, nil
}

// RoundTrip implements http.RoundTripper. Where no byte was sent, the error is
// one that reverse_proxy always may try again.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := *req
	url := *req.URL
	url.Opaque = "" // would win over Host: see Handler.ServeHTTP
	if url.Scheme == "" {
		url.Scheme = "http"
		if t.TLSEnabled() && !slices.Contains(t.TLS.ExceptPorts, url.Port()) {
			url.Scheme = "https"
		}
	}
	out.URL = &url
	out.Header = req.Header.Clone()
	removeTraces(out.Header)
	e := &errand{app: t.app, req: req, start: time.Now()}
	t.app.begin(req.Context())
	resp, err := t.forward.Forward(&out, t.pool.target(&url, t.trust), &e.trace)
	if repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		for _, name := range placeholderNames {
			value, _ := placeholder(&e.trace, placeholderPrefix+name)
			repl.Set(placeholderPrefix+name, value)
		}
	}
	if err == nil {
		resp.Body = e.body(resp)
		return resp, nil
	}
	var failure *pool.Error
	if errors.As(err, &failure) {
		e.status = failure.Status
	}
	e.enter()
	switch {
	case req.Context().Err() != nil:
		return nil, req.Context().Err() // the client's doing, not the upstream's
	case failure != nil && failure.Unsent && failure.Status >= http.StatusInternalServerError:
		return nil, reverseproxy.NewDialError(err) // below 500 the request is at fault, and stays so
	default:
		return nil, err
	}
}

// RequestHeaderOps makes Host the upstream's, as the target expects it, unless
// header_up says otherwise.
func (*Transport) RequestHeaderOps() *headers.HeaderOps {
	return &headers.HeaderOps{Set: http.Header{"Host": {"{http.reverse_proxy.upstream.hostport}"}}}
}

// TLSEnabled reports whether upstreams are spoken to with TLS.
func (t *Transport) TLSEnabled() bool { return t.TLS != nil }

// EnableTLS makes upstreams be spoken to with TLS.
func (t *Transport) EnableTLS(base *reverseproxy.TLSConfig) error {
	t.TLS = base
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner                      = (*Transport)(nil)
	_ http.RoundTripper                      = (*Transport)(nil)
	_ reverseproxy.TLSTransport              = (*Transport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport = (*Transport)(nil)
)
