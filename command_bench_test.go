package proxypool

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// crowd is a running Caddy with a pool of many proxies, of which the first is the
// machine's own connection, and a front to an origin.
type crowd struct {
	*testing.B
	admin, front string
}

func newCrowd(b *testing.B, proxies int, more string) *crowd {
	b.Helper()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	b.Cleanup(origin.Close)
	c := &crowd{B: b, admin: caddytest.FreeAddr(b), front: caddytest.FreeAddr(b)}
	var text strings.Builder
	fmt.Fprintf(&text, "{\nadmin %s\nauto_https off\npersist_config off\nlog {\noutput discard\n}\nproxy_pool {\nstorage memory\npool main {\nhealth_check off\n", c.admin)
	text.WriteString("proxy Own direct {\npriority 1\n}\n")
	for i := range proxies - 1 {
		fmt.Fprintf(&text, "proxy Proxy-%d http://user:secret@127.%d.%d.1:3128 {\n%s\n}\n", i, i/250, i%250, more)
	}
	fmt.Fprintf(&text, "}\n}\n}\nhttp://%s {\nproxy_pool %s\n}\n", c.front, origin.URL)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text.String()), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		err = caddy.Load(adapted, true)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = caddy.Stop() })
	return c
}

// get asks an address, and returns how much the answer has.
func (c *crowd) get(ctx context.Context, client *http.Client, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

// BenchmarkStatus10000: the answer of the API; the same over the network; what the
// command makes of it; and the whole command, from the start of the process to its
// end, beside a command of Caddy that does nothing.
func BenchmarkStatus10000(b *testing.B) {
	c := newCrowd(b, 10_000, "")
	api := &adminAPI{app: runningApp()}
	answer := func(b *testing.B) []byte {
		w := httptest.NewRecorder()
		if err := api.serve(w, httptest.NewRequest(http.MethodGet, "/proxy_pool/status", http.NoBody)); err != nil {
			b.Fatal(err)
		}
		return w.Body.Bytes()
	}
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.SetBytes(int64(len(answer(b))))
		}
	})
	b.Run("fetch", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.get(b.Context(), http.DefaultClient, "http://"+c.admin+"/proxy_pool/status"); err != nil {
				b.Fatal(err)
			}
		}
	})
	body := answer(b)
	b.Run("show", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			status, err := decode(&remote{}, &reply{body: body}, (*statusAnswer).complete)
			if err != nil {
				b.Fatal(err)
			}
			a := &asked{screen: screen{out: io.Discard, width: 120, colour: true}}
			if err := a.showStatus(status); err != nil {
				b.Fatal(err)
			}
		}
	})
	binary := filepath.Join(".build", "caddy")
	if _, err := os.Stat(binary); err != nil {
		b.Skip("the whole command is left out: make build comes before it")
	}
	for _, args := range []string{"version", "proxy-pool status --address " + c.admin, "proxy-pool status --json --address " + c.admin} {
		b.Run(strings.TrimSuffix(args, " --address "+c.admin), func(b *testing.B) {
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), binary, strings.Fields(args)...)
				cmd.Env, cmd.Stderr = os.Environ(), os.Stderr
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkForwardWhileStatus10000 is the share of requests that still get through
// while the status of 10,000 proxies is asked once a second, as --watch=1s does,
// against as many without it in the same run: a second of each, in turn.
func BenchmarkForwardWhileStatus10000(b *testing.B) {
	c := newCrowd(b, 10_000, "")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	b.Cleanup(client.CloseIdleConnections)
	var ratios []float64
	for b.Loop() {
		alone := c.forward(client)
		asked := make(chan error, 1)
		go func() {
			_, err := c.get(b.Context(), http.DefaultClient, "http://"+c.admin+"/proxy_pool/status")
			asked <- err
		}()
		with := c.forward(client)
		if err := <-asked; err != nil {
			b.Fatal(err)
		}
		ratios = append(ratios, float64(with)/float64(alone))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

// forward sends requests through the front for a second, from 8 clients, and counts
// them.
func (c *crowd) forward(client *http.Client) int {
	ctx, cancel := context.WithTimeout(c.Context(), time.Second)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		done int
	)
	for range 8 {
		wg.Go(func() {
			n := 0
			for ctx.Err() == nil {
				if _, err := c.get(ctx, client, "http://"+c.front+"/"); err == nil {
					n++
				} else if ctx.Err() == nil {
					c.Error(err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done += n
		})
	}
	wg.Wait()
	return done
}

// BenchmarkScrape1000 is a scrape of 1,000 proxies with budgets, as Prometheus does
// it: over the network, compressed.
func BenchmarkScrape1000(b *testing.B) {
	c := newCrowd(b, 1000, "cost_per_gb 1\nbudget 5GB month")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.get(b.Context(), http.DefaultClient, "http://"+c.admin+"/metrics"); err != nil {
			b.Fatal(err)
		}
	}
}
