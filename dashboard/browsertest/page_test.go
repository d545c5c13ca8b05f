package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// badge is the word of a proxy's status.
func badge(proxy string) string {
	return "document.querySelector('li[data-id=\"main/" + proxy + "\"] .c-status .badge')?.textContent"
}

func TestEveryStatusIsShown(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	b := open(t, w.page())
	for proxy, status := range map[string]string{
		"VPS-Germany-Main": "blocked", "VPS-Finland": "healthy", "Datacenter-1": "healthy", "Datacenter-2": "down", "Datacenter-3": "degraded", "<img>": "disabled", "Residential": "healthy",
	} {
		b.until(badge(proxy) + " === '" + status + "'")
	}
	if got := eval[int](b, "document.querySelectorAll('#view img').length"); got != 0 {
		t.Errorf("a name became %d elements", got)
	}
	b.until("document.querySelector('.carrier strong').textContent === 'Datacenter-1'")
	b.until("document.querySelectorAll('.beats path.good[d^=M]').length > 2 && document.querySelectorAll('.beats path.bad[d^=M]').length > 0")
	b.until("document.querySelector('li[data-id=\"main/Residential\"] .c-cost').textContent.includes('of \u2066$50.00')")
	b.until("document.querySelector('#link').className === 'link live'")
	if eval[bool](b, "document.documentElement.outerHTML.includes('hush')") {
		t.Error("a password is on the page")
	}
	t.Logf("first paint after %v ms", eval[float64](b, "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"))
	b.shoot("desktop-light")
	b.scheme("dark")
	b.shoot("desktop-dark")
}

func TestViews(t *testing.T) {
	w := inEveryStatus(t, "")
	b := open(t, w.page()+"?view=matrix")
	b.until("[...document.querySelectorAll('.matrix td.fair')].some((c) => c.textContent.includes('until'))")
	b.shoot("matrix")
	b.click("#tab-events")
	b.until("document.querySelectorAll('.books tbody tr').length >= 3")
	b.click("#tab-log")
	b.until("[...document.querySelectorAll('.books .trail')].some((c) => c.textContent.includes('VPS-Germany-Main:'))")
	b.shoot("log")
	b.click("#tab-plots")
	b.until("document.querySelectorAll('.plots canvas').length === 3")
	b.shoot("plots")
	if got := eval[string](b, "location.search"); got != "?view=plots" {
		t.Errorf("the URL keeps %q", got)
	}
}

func TestLiveAndFilters(t *testing.T) {
	w := inEveryStatus(t, "")
	b := open(t, w.page()+"?status=healthy")
	b.until("document.querySelectorAll('li.row:not([hidden])').length === 4")
	w.act("Residential", "disable")
	b.until("document.querySelectorAll('li.row:not([hidden])').length === 3")
	w.act("Residential", "enable")
	b.until(badge("Residential") + " === 'healthy'")
	b.run(chromedp.SetValue("#f-status", ""), chromedp.Evaluate("document.querySelector('#f-status').dispatchEvent(new Event('change'))", nil))
	b.run(chromedp.SendKeys("#f-q", "-3"))
	b.until("location.search === '?q=-3' && document.querySelectorAll('li.row:not([hidden])').length === 1")
	if eval[bool](b, "getComputedStyle(document.querySelector('details.c-menu')).visibility !== 'hidden' || !document.querySelector('#checkall').hidden") {
		t.Error("a page that may do nothing shows what could be done")
	}
}

func TestServerIsLost(t *testing.T) {
	w := inEveryStatus(t, "")
	b := open(t, w.page())
	b.until("document.querySelector('#link').className === 'link live'")
	b.tolerate = true
	w.stop()
	b.until("document.querySelector('#link').textContent.startsWith('Lost the server')")
	b.shoot("lost")
}
