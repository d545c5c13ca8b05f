package proxypool

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestNoBody: answers to HEAD, and those of 304, may have the length of a body that
// does not come.
func TestNoBody(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%t", h2), func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: h2, Handler: http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "1234")
					if r.Method == http.MethodGet {
						w.WriteHeader(http.StatusNotModified)
					}
				})})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, onePool(t, "", proxy), reverse(origin.URL(), ""))
			for method, status := range map[string]int{http.MethodHead: http.StatusOK, http.MethodGet: http.StatusNotModified} {
				before := origin.Requests()
				resp, _ := s.do(client(t), method, "/", "", "")
				if resp.StatusCode != status || method == http.MethodHead && resp.ContentLength != 1234 {
					t.Errorf("%s: %s with a length of %d, want %d with 1234 for HEAD", method, resp.Status, resp.ContentLength, status)
				}
				if row := s.row("P1"); row.FailedRequests > 0 {
					t.Errorf("%s: the proxy has %d failures", method, row.FailedRequests)
				}
				if n := origin.Requests() - before; n != 1 {
					t.Errorf("%s: the origin was asked %d times", method, n)
				}
			}
		})
	}
}
