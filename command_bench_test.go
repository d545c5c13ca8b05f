package proxypool

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// manyProxies is a pool of 10,000.
func manyProxies() string {
	var pools strings.Builder
	pools.WriteString("pool main {\nhealth_check off\n")
	for i := range 10_000 {
		fmt.Fprintf(&pools, "proxy Proxy-%d http://user:secret@127.%d.%d.1:3128\n", i, i/250, i%250)
	}
	pools.WriteString("}")
	return pools.String()
}

// BenchmarkStatus10000 is the API's share of `caddy proxy-pool status`, and what
// the command makes of it.
func BenchmarkStatus10000(b *testing.B) {
	text := "{\nadmin off\nauto_https off\npersist_config off\nproxy_pool {\nstorage memory\n" + manyProxies() + "\n}\n}"
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		err = caddy.Load(adapted, true)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer caddy.Stop()
	api := &adminAPI{app: runningApp()}
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			if err := api.serve(w, httptest.NewRequest(http.MethodGet, "/proxy_pool/status", http.NoBody)); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(w.Body.Len()))
		}
	})
	w := httptest.NewRecorder()
	if err := api.serve(w, httptest.NewRequest(http.MethodGet, "/proxy_pool/status", http.NoBody)); err != nil {
		b.Fatal(err)
	}
	b.Run("show", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			status, err := decode[statusAnswer](&remote{}, &reply{body: w.Body.Bytes()})
			if err != nil {
				b.Fatal(err)
			}
			a := &asked{screen: screen{out: io.Discard, width: 120, colour: true}}
			if err := a.showStatus(status); err != nil {
				b.Fatal(err)
			}
		}
	})
}
