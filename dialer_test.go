package proxypool

import (
	"net/http"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/pool"
)

// TestWholeHandshake: sessions are resumed, but for who wants to learn whether
// large packets pass.
func TestWholeHandshake(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	config := trust{}.config()
	config.RootCAs = proxytest.CAPool()
	for _, step := range []struct {
		name        string
		whole, want bool
	}{
		{"the first", false, false},
		{"the next", false, true},
		{"a whole one", true, false},
		{"one after that", false, true},
	} {
		base := targetTLS(pool.Dialing{Target: &pool.Target{TLS: config}, Whole: step.whole})
		client := http.Client{Transport: &http.Transport{TLSClientConfig: base, DisableKeepAlives: true}}
		resp, err := client.Get(origin.URL())
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.TLS.DidResume; got != step.want {
			t.Errorf("%s: resumed %v, want %v", step.name, got, step.want)
		}
	}
	if targetTLS(pool.Dialing{Target: &pool.Target{}, Whole: true}) != nil {
		t.Error("a target without TLS has some")
	}
}
