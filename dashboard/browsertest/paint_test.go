package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// mostUntilPaint is how many milliseconds the first paint may take.
const mostUntilPaint = 200

// paint is how long the first paint of a page took, in milliseconds.
func (b *browser) paint(url string) (after float64) {
	b.t.Helper()
	b.run(chromedp.Navigate(url), chromedp.Evaluate(`new Promise((resolve) => new PerformanceObserver((list) => {
		for (const entry of list.getEntriesByName("first-contentful-paint")) resolve(entry.startTime);
	}).observe({ type: "paint", buffered: true }))`, &after, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return after
}

// TestFirstPaint of the page, over what a page with nothing but a word takes on
// the same machine at the same time: other work only ever adds to both, so the
// best of some tries counts.
func TestFirstPaint(t *testing.T) {
	for name, rows := range map[string][]map[string]any{"five proxies": fiveProxies(), "a thousand": thousandRows()} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, rows...)
			b := open(t, s.page()+"bare")
			b.run(network.SetCacheDisabled(true))
			bare, ours := b.paint(s.page()+"bare"), b.paint(s.page())
			for range 5 {
				bare, ours = min(bare, b.paint(s.page()+"bare")), min(ours, b.paint(s.page()))
			}
			t.Logf("first paint after %.0f ms, of an empty page after %.0f ms", ours, bare)
			if ours > mostUntilPaint+bare {
				t.Errorf("first paint after %.0f ms", ours)
			}
		})
	}
}

// TestWholePageIsSmall, as it comes over the wire, and comes from here alone.
func TestWholePageIsSmall(t *testing.T) {
	w := inEveryStatus(t, "")
	b := open(t, w.page())
	b.until(badge("Datacenter-1") + " === 'healthy'")
	for _, view := range allViews {
		b.click("#tab-" + view)
		b.until("document.querySelector('#tab-" + view + "')?.ariaSelected === 'true'")
	}
	size := eval[int](b, `performance.getEntriesByType("resource").filter((e) => !e.name.includes("/api/")).reduce((n, e) => n + e.transferSize, performance.getEntriesByType("navigation")[0].transferSize)`)
	t.Logf("the whole page is %d bytes", size)
	if size > 150_000 || size < 10_000 {
		t.Errorf("the whole page is %d bytes", size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.asked {
		if !strings.HasPrefix(url, w.page()) {
			t.Errorf("the page asked %s", url)
		}
	}
}
