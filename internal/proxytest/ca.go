// Package proxytest has the real parts that tests and benchmarks run against,
// in process and on loopback: origins with and without TLS and HTTP/2, and
// upstream proxies that can be made to fail in every way that proxies do.
package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// authority is the process's own CA, with one certificate for all its servers:
// for loopback, for every name under ".test" and, as OpenSSL takes no wildcard
// there, for those under ".example.test".
type authority struct {
	ca         *x509.Certificate
	leaf, long tls.Certificate
}

var theAuthority = sync.OnceValues(newAuthority)

func newAuthority() (*authority, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxytest CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "proxytest"},
		NotBefore: template.NotBefore, NotAfter: template.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "*.test", "*.example.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	a := &authority{ca: ca}
	for _, cert := range []*tls.Certificate{&a.leaf, &a.long} {
		der, err = x509.CreateCertificate(rand.Reader, &leaf, ca, &key.PublicKey, caKey)
		if err != nil {
			return nil, err
		}
		*cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		for i := range 100 { // the second one has many names, as those of large services have
			leaf.DNSNames = append(leaf.DNSNames, fmt.Sprintf("one-of-many-names-%d.example.test", i))
		}
	}
	return a, nil
}

func (a *authority) tlsConfig(ordinary bool) *tls.Config {
	if !ordinary {
		return &tls.Config{Certificates: []tls.Certificate{a.leaf}}
	}
	return &tls.Config{Certificates: []tls.Certificate{a.long}, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
}

// CAPool trusts every server of this package. It panics where the system has
// no randomness.
func CAPool() *x509.CertPool {
	a, err := theAuthority()
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.ca)
	return pool
}

// ServerTLS is the TLS of a server whose certificate is trusted by [CAPool]. It
// panics where the system has no randomness.
func ServerTLS(protocols ...string) *tls.Config {
	a, err := theAuthority()
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{a.leaf}, NextProtos: protocols}
}

// CAPEM is the certificate in [CAPool] as PEM.
func CAPEM() []byte {
	a, err := theAuthority()
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw})
}

// CAFile writes the certificate in [CAPool] to a file of the test's.
func CAFile(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(path, CAPEM(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
