package proxypool

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// sessionsPerTarget bounds the TLS sessions that are kept to be resumed.
const sessionsPerTarget = 16

// trust says whose certificates are believed. Its id tells two apart, because
// targets that are trusted in different ways share no connection.
type trust struct {
	id   string
	base *tls.Config // nil for the system's roots
}

// config is the TLS configuration for one target or proxy. Sessions are kept,
// because resuming one costs about half of a handshake's bytes.
func (t trust) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.base != nil {
		c = t.base.Clone()
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsPerTarget)
	return c
}

// loadTrust loads the tls_trust_pool of a part of the configuration, whose
// field is TLSTrustPoolRaw; raw is what stands there.
func (r *registry) loadTrust(ctx caddy.Context, holder any, raw json.RawMessage) (trust, error) {
	if absent(raw) {
		return trust{}, nil
	}
	if moduleNamed(raw, "provider") == "" {
		return trust{}, errors.New(`tls_trust_pool: expected a "provider", the name of a module`)
	}
	module, err := ctx.LoadModule(holder, "TLSTrustPoolRaw")
	if err != nil {
		return trust{}, fmt.Errorf("loading tls_trust_pool: %w", err)
	}
	ca, ok := module.(caddytls.CA)
	if !ok {
		return trust{}, fmt.Errorf("tls_trust_pool: %T is no source of certificates", module)
	}
	roots := ca.CertPool()
	return trust{id: r.trustID(roots), base: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, nil
}

// maxTrusts bounds the sets of roots that are told apart.
const maxTrusts = 256

// trustID is the same for equal sets of roots, in all configurations, and
// another one once the certificates in a file have changed.
func (r *registry) trustID(roots *x509.CertPool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.trusts {
		if known.roots.Equal(roots) {
			return known.id
		}
	}
	known := knownTrust{roots: roots, id: r.nextID()}
	r.trusts = append(r.trusts, known)
	if len(r.trusts) > maxTrusts {
		r.trusts = r.trusts[1:]
	}
	return known.id
}

// uniqueID is equal to no other.
func (r *registry) uniqueID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nextID()
}

func (r *registry) nextID() string {
	r.trustCount++
	return "trust-" + strconv.Itoa(r.trustCount)
}

// knownTrust is a set of roots that was seen before.
type knownTrust struct {
	roots *x509.CertPool
	id    string
}
