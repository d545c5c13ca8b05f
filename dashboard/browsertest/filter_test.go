package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// shown are the names of the proxies that the ladder shows, in its order.
const shown = `[...document.querySelectorAll("li.row:not([hidden]) strong")].map((e) => e.textContent).join(" ")`

func (b *browser) choose(filter, value string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(fmt.Sprintf(`{ const f = document.querySelector("#f-%s"); f.value = %q; f.dispatchEvent(new Event(f.matches("input") ? "input" : "change")); }`, filter, value), nil))
}

func fiveProxies() []map[string]any {
	return []map[string]any{
		proxyRow("Alpha", map[string]any{"type": "vps", "url": "http://198.51.100.1:3128"}),
		proxyRow("Beta", map[string]any{"type": "vps", "url": "http://203.0.113.7:8080", "status": "down", "usable": false}),
		proxyRow("Gamma", map[string]any{"type": "datacenter", "url": "socks5://alpha.example:1080", "active": false, "usable": false}),
		proxyRow("Delta", map[string]any{"type": "residential", "url": "http://198.51.100.2:3128", "status": "degraded"}),
		proxyRow("تهران-۱", map[string]any{"type": "other", "url": "direct", "status": "blocked"}),
	}
}

func TestSearchAndFilters(t *testing.T) {
	tests := []struct{ name, filters, want string }{
		{"a name, or an address, whatever the case", "q=aLpHa", "Alpha Gamma"},
		{"an address", "q=203.0.113", "Beta"},
		{"a port", "q=:3128", "Alpha Delta"},
		{"a Persian name", "q=تهران", "تهران-۱"},
		{"nothing of the kind", "q=omega", ""},
		{"a type", "type=vps", "Alpha Beta"},
		{"a status", "status=degraded", "Delta"},
		{"disabled as a status", "status=disabled", "Gamma"},
		{"active", "active=true", "Alpha Beta Delta تهران-۱"},
		{"not active", "active=false", "Gamma"},
		{"all at once", "q=198&type=vps&status=healthy&active=true", "Alpha"},
	}
	b := open(t, newStage(t, fiveProxies()...).page())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.until("document.querySelectorAll('li.row').length === 5")
			b.run(chromedp.Click("//button[text()='Clear filters']"))
			for pair := range strings.SplitSeq(tt.filters, "&") {
				name, value, _ := strings.Cut(pair, "=")
				b.choose(name, value)
			}
			b.until(shown + " === " + quote(tt.want))
			b.until("document.querySelector('.count').textContent === '" + fmt.Sprint(len(strings.Fields(tt.want))) + " of 5 shown'")
			if nothing := eval[bool](b, "document.querySelector('.empty').checkVisibility()"); nothing != (tt.want == "") {
				t.Errorf("says that nothing matches: %v", nothing)
			}
			for pair := range strings.SplitSeq(tt.filters, "&") {
				name, value, _ := strings.Cut(pair, "=")
				if got := eval[string](b, "new URLSearchParams(location.search).get('"+name+"')"); got != value {
					t.Errorf("the URL keeps %s as %q, want %q", name, got, value)
				}
			}
		})
	}
}

// TestFiltersAreKept over a reload, and by the buttons back and forward.
func TestFiltersAreKept(t *testing.T) {
	b := open(t, newStage(t, fiveProxies()...).page())
	b.until("document.querySelectorAll('li.row').length === 5")
	all := eval[string](b, shown)
	b.choose("type", "vps")
	b.choose("status", "down")
	b.choose("q", "bet")
	b.until(shown + " === 'Beta'")
	b.run(chromedp.Reload())
	b.until(shown + " === 'Beta' && document.querySelector('#f-q').value === 'bet' && document.querySelector('#f-status').value === 'down'")
	for _, want := range []string{"Alpha Beta", all} {
		b.run(chromedp.NavigateBack())
		b.until(shown + " === " + quote(want))
	}
	if got := eval[string](b, "location.search + document.querySelector('#f-type').value"); got != "" {
		t.Errorf("back at the start the filters are %q", got)
	}
	b.run(chromedp.NavigateForward())
	b.until(shown + " === 'Alpha Beta' && document.querySelector('#f-type').value === 'vps'")
	b.click("#tab-matrix")
	b.until("document.querySelector('#tab-matrix').ariaSelected === 'true'")
	b.run(chromedp.NavigateBack())
	b.until("document.querySelector('#tab-ladder').ariaSelected === 'true' && " + shown + " === 'Alpha Beta'")
}

// TestOrderAndReload: the rows stand in the order of trying, also when that
// changes, and those of proxies that are gone are too.
func TestOrderAndReload(t *testing.T) {
	rows := thousandRows()[:35]
	s := newStage(t, rows...)
	b := open(t, s.page())
	names := func(rows []map[string]any) string {
		var list []string
		for _, row := range rows {
			list = append(list, row["name"].(string))
		}
		return strings.Join(list, " ")
	}
	b.until(shown + " === " + quote(names(rows)))
	turned := slices.Clone(rows[3:])
	slices.Reverse(turned)
	for _, next := range [][]map[string]any{turned, rows[:1], {}, rows} {
		s.reorder(next...)
		b.until(shown + " === " + quote(names(next)))
		b.until("document.querySelector('.count').textContent === '" + fmt.Sprint(len(next)) + " of " + fmt.Sprint(len(next)) + " shown'")
	}
}
