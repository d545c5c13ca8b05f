package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var allViews = []string{"ladder", "matrix", "plots", "events", "log"}

// fits fails where one has to scroll sideways.
func (b *browser) fits(what string, width int) {
	b.t.Helper()
	if got := eval[int](b, "document.scrollingElement.scrollWidth"); got > width {
		b.t.Errorf("%s is %d wide on a screen of %d", what, got, width)
	}
}

func TestLanguagesAndPhone(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	b := open(t, w.page())
	b.until(badge("Datacenter-3") + " === 'degraded'")
	b.click("#language")
	b.until("document.documentElement.dir === 'rtl' && document.documentElement.lang === 'fa' && document.title === 'استخر پروکسی'")
	b.until(badge("Datacenter-2") + " === 'قطع'")
	b.until("/[۰-۹]/.test(document.querySelector('li .c-uptime').textContent)")
	b.until("document.querySelector('li .c-proxy').getBoundingClientRect().left > document.querySelector('li .c-next').getBoundingClientRect().left")
	b.shoot("desktop-persian")
	b.run(chromedp.Reload())
	b.until("document.documentElement.dir === 'rtl' && " + badge("Datacenter-2") + " === 'قطع'")
	b.click("#digits")
	b.until("!/[۰-۹]/.test(document.querySelector('li .c-uptime').textContent)")
	for _, language := range []string{"fa", "en"} {
		b.run(chromedp.EmulateViewport(375, 740))
		for _, view := range allViews {
			b.click("#tab-" + view)
			b.until("document.querySelector('#view').children.length > 0")
			b.fits(view+" in "+language, 375)
			b.shoot("phone-" + language + "-" + view)
		}
		b.click("#tab-ladder")
		b.until(within("Datacenter-1", "summary") + " !== null")
		b.click(`li[data-id="main/Datacenter-1"] summary`)
		b.until("document.querySelectorAll('.menu button').length > 2")
		b.run(chromedp.Evaluate("document.querySelector('.menu').scrollIntoView({ block: 'center' })", nil))
		b.fits("the menu in "+language, 375)
		b.shoot("phone-" + language + "-menu")
		b.click("#language")
	}
}

// TestDirection: in both languages, names in either script stand where their
// column begins, and an arrow points from what was to what is.
func TestDirection(t *testing.T) {
	s := newStage(t, proxyRow("VPS", nil), proxyRow("پروکسی", nil))
	pool, other := poolStrip("main", "VPS"), poolStrip("استخر", "")
	pool["targets"] = []string{"a.example:443", "a-long-name-that-makes-its-column-wide.example:443"}
	s.head["pools"] = []any{pool, other}
	s.books["events"] = []any{map[string]any{"id": 1, "time": "2026-11-26T18:00:00Z", "pool": "main", "proxy": "VPS", "from": "healthy", "to": "down", "reason": ""}}
	b := open(t, s.page())
	for _, language := range []string{"en", "fa"} {
		if language == "fa" {
			b.click("#language")
			b.until("document.documentElement.dir === 'rtl'")
		}
		b.click("#tab-matrix")
		b.until("document.querySelectorAll('.matrix tbody tr').length === 2")
		away := eval[[]string](b, `[...document.querySelectorAll(".card h2, .matrix caption, .matrix th")].filter((element) => {
			const text = document.createRange(), rtl = document.documentElement.dir === "rtl";
			text.selectNodeContents(element);
			const [inner, outer, style] = [text.getBoundingClientRect(), element.getBoundingClientRect(), getComputedStyle(element)];
			return (rtl ? outer.right - inner.right - parseFloat(style.paddingRight) : inner.left - outer.left - parseFloat(style.paddingLeft)) > 1;
		}).map((element) => element.textContent)`)
		if len(away) > 0 {
			t.Errorf("in %s, away from where their column begins: %q", language, away)
		}
		b.click("#tab-events")
		b.until("document.querySelectorAll('.books tbody tr').length === 1")
		if got, want := eval[string](b, "document.querySelector('.books td:nth-child(3)').textContent"), map[string]string{"en": "healthy → down", "fa": "سالم ← قطع"}[language]; got != want {
			t.Errorf("the event says %q, want %q", got, want)
		}
	}
}

// TestEveryWidth: a row never reaches beyond its place, where its menu could not
// be seen, while a window is made narrower and beside a scroll bar.
func TestEveryWidth(t *testing.T) {
	const bar = 17
	b := open(t, newStage(t, fiveProxies()...).page())
	b.until("document.querySelectorAll('li.row .c-menu').length === 5")
	b.run(chromedp.Evaluate(fmt.Sprintf("document.body.style.marginInlineEnd = '%dpx'", bar), nil))
	for width := int64(1400); width >= 320; width -= 20 {
		b.run(chromedp.EmulateViewport(width, 740))
		if over := eval[int](b, "Math.max(...[...document.querySelectorAll('li.row')].map((row) => row.scrollWidth - row.clientWidth))"); over > 0 {
			t.Errorf("in a window of %d, a row is %d too wide", width, over)
		}
	}
}

// TestThemes: as the system prefers, until one chooses, and then as one chose.
func TestThemes(t *testing.T) {
	b := open(t, newStage(t, fiveProxies()...).page())
	const background = "getComputedStyle(document.body).backgroundColor"
	const light, dark = background + " === 'rgb(244, 245, 247)'", background + " === 'rgb(20, 23, 28)'"
	b.until("document.querySelectorAll('li.row').length === 5")
	for _, scheme := range []string{"dark", "light"} {
		b.scheme(scheme)
		b.until(map[string]string{"dark": dark, "light": light}[scheme])
	}
	b.click("#theme")
	b.until(dark)
	b.run(chromedp.Reload())
	b.until(dark)
	b.click("#theme")
	b.until(light)
	b.scheme("dark")
	b.until(light)
}

// contrast is the least contrast of a text with what it stands on, and the text.
// See the WCAG, 1.4.3: 4.5 is asked for.
const contrast = `(() => {
	const channels = (color) => (/^rgba?\((.*)\)$/.exec(color)?.[1] ?? "").split(",").map(Number);
	const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	const ground = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c.length === 3) return c; } return [255, 255, 255]; };
	let worst = [99, ""];
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility({ visibilityProperty: true }) || e.closest("script, noscript, svg")) continue;
		const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (!(ratio >= worst[0])) worst = [ratio, e.className + ": " + e.textContent];
	}
	return worst;
})()`

func TestEveryTextHasContrast(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	for _, scheme := range []string{"light", "dark"} {
		b := open(t, w.page())
		b.scheme(scheme)
		for _, view := range []string{"ladder", "matrix", "events", "log"} {
			b.click("#tab-" + view)
			b.until("document.querySelectorAll('#view .badge, #view td').length > 5")
			worst := eval[[]any](b, contrast)
			if ratio, ok := worst[0].(float64); !ok || ratio < 4.5 {
				t.Errorf("%s, %s: the contrast of %q is %v", scheme, view, worst[1], worst[0])
			}
		}
	}
}

// TestUnusualPools: what has nothing, little, or too much to say is not broken.
func TestUnusualPools(t *testing.T) {
	long := strings.Repeat("a-very-long-name", 4)
	tests := []struct {
		name string
		rows []map[string]any
		says string
	}{
		{"no proxies", nil, "No proxy is configured."},
		{"one proxy", []map[string]any{proxyRow("Only", nil)}, "1 of 1 shown"},
		{"all down", []map[string]any{
			proxyRow("A", map[string]any{"status": "down", "usable": false, "uptime": 12.5, "reason": "check: dial_timeout"}),
			proxyRow("B", map[string]any{"status": "down", "usable": false, "uptime": 0, "reason": "proxy_payment"}),
		}, "No usable proxy"},
		{"long names", []map[string]any{
			proxyRow(long, map[string]any{"url": "https://" + long + ".example:65535", "status": "blocked", "blocked_for": []string{long + ".example:443"}, "reason": "blocked by " + long + ".example:443"}),
			proxyRow("سرور-مجازی-تهران-شمارهٔ-یک", map[string]any{"type": "vps"}),
		}, "سرور-مجازی-تهران-شمارهٔ-یک"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, newStage(t, tt.rows...).page())
			for _, width := range []int64{1360, 375} {
				b.run(chromedp.EmulateViewport(width, 740))
				b.until("document.body.innerText.includes(" + quote(tt.says) + ")")
				b.fits(tt.name, int(width))
				b.shoot(strings.ReplaceAll("unusual "+tt.name, " ", "-") + map[int64]string{1360: "", 375: "-phone"}[width])
			}
			for _, view := range allViews {
				b.click("#tab-" + view)
				b.until("document.querySelector('#view').children.length > 0")
				b.fits(tt.name+", "+view, 375)
			}
		})
	}
}
