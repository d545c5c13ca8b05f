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
		"VPS-Germany-Main": "blocked", "Datacenter-1": "healthy", "Datacenter-2": "down", "Datacenter-3": "degraded", "<img>": "disabled", "Residential": "healthy",
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
	b.until("document.querySelectorAll('li.row:not([hidden])').length === 2")
	w.act("Residential", "disable")
	b.until("document.querySelectorAll('li.row:not([hidden])').length === 1")
	w.act("Residential", "enable")
	b.until(badge("Residential") + " === 'healthy'")
	b.run(chromedp.SetValue("#f-status", ""), chromedp.Evaluate("document.querySelector('#f-status').dispatchEvent(new Event('change'))", nil))
	b.run(chromedp.SendKeys("#f-q", "-3"))
	b.until("location.search === '?q=-3' && document.querySelectorAll('li.row:not([hidden])').length === 1")
	if eval[bool](b, "getComputedStyle(document.querySelector('details.c-menu')).visibility !== 'hidden' || !document.querySelector('#checkall').hidden") {
		t.Error("a page that may do nothing shows what could be done")
	}
}

func TestActions(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	b := open(t, w.page())
	do := func(proxy, action string) {
		t.Helper()
		b.until(badge(proxy) + " !== undefined")
		b.click("li[data-id=\"main/" + proxy + "\"] summary")
		b.click("li[data-id=\"main/" + proxy + "\"] [data-action=" + action + "]")
	}
	b.click("li[data-id=\"main/Residential\"] summary")
	b.until("document.querySelectorAll('.menu button').length > 3")
	b.shoot("menu")
	b.click("li[data-id=\"main/Residential\"] summary")
	do("Residential", "disable")
	w.until("disabled", func() bool { return !w.row("Residential").Active })
	b.until(badge("Residential") + " === 'disabled'")
	do("Residential", "enable")
	w.until("enabled", func() bool { return w.row("Residential").Active })
	do("VPS-Germany-Main", "unblock")
	w.until("unblocked", func() bool { return w.row("VPS-Germany-Main").Status == "healthy" })
	do("Datacenter-1", "reset-stats")
	b.until("document.querySelector('#ask').open")
	before := w.row("Datacenter-1").Requests
	b.click("#ask [value=no]")
	b.until("!document.querySelector('#ask').open")
	if got := w.row("Datacenter-1").Requests; got < before || got == 0 {
		t.Errorf("reset although it was not confirmed: %d, before %d", got, before)
	}
	do("Datacenter-1", "reset-stats")
	b.click("#ask [value=yes]")
	w.until("reset", func() bool { return w.row("Datacenter-1").Requests == 0 })
	b.click("#checkall")
	b.until("document.querySelector('#toast').textContent.startsWith('Checked')")
}

func TestLanguagesAndPhone(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	b := open(t, w.page())
	b.until(badge("Datacenter-3") + " === 'degraded'")
	b.click("#language")
	b.until("document.documentElement.dir === 'rtl' && document.documentElement.lang === 'fa'")
	b.until(badge("Datacenter-2") + " === 'قطع'")
	b.until("/[۰-۹]/.test(document.querySelector('li .c-uptime').textContent)")
	b.shoot("desktop-persian")
	b.click("#digits")
	b.until("!/[۰-۹]/.test(document.querySelector('li .c-uptime').textContent)")
	for _, language := range []string{"fa", "en"} {
		b.run(chromedp.EmulateViewport(375, 740))
		for _, view := range []string{"ladder", "matrix", "plots", "events", "log"} {
			b.click("#tab-" + view)
			b.until("document.querySelector('#view').children.length > 0")
			if got := eval[int](b, "document.scrollingElement.scrollWidth"); got > 375 {
				t.Errorf("%s in %s is %d wide", view, language, got)
			}
			b.shoot("phone-" + language + "-" + view)
		}
		b.click("#language")
	}
	b.click("#theme")
	b.until("document.documentElement.dataset.theme === 'dark'")
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
