package browsertest

import (
	"maps"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focus says what has the focus.
const focus = `((e) => e.id || e.dataset.action || e.closest("li")?.dataset.id || e.className || e.textContent || e.tagName)(document.activeElement)`

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

func TestKeyboardAlone(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	s.head["actions"] = true
	b := open(t, s.page())
	b.until(within("Beta", "summary") + " !== null")
	var order []string
	for range 15 {
		b.keys(kb.Tab)
		order = append(order, eval[string](b, focus))
		if !eval[bool](b, "((s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))") {
			t.Errorf("%s has the focus, and nobody sees it", order[len(order)-1])
		}
	}
	want := []string{"skip", "checkall", "theme", "language", "tab-ladder", "f-q", "f-type", "f-status", "f-active", "Clear filters", "main/Alpha", "main/Beta", "main/Gamma", "main/Delta", "main/تهران-۱"}
	if !slices.Equal(order, want) {
		t.Errorf("Tab goes through %q, want %q", order, want)
	}

	b.keys(kb.Enter)
	b.until(focus + " === 'check'")
	b.keys(kb.Escape)
	b.until("document.querySelectorAll('details[open]').length === 0 && " + focus + " === 'main/تهران-۱'")
	b.keys(kb.Enter)
	b.until(focus + " === 'check'")
	for range 4 {
		b.keys(kb.Tab)
	}
	b.until(focus + " === 'reset-stats'")
	b.keys(kb.Enter)
	b.until("document.querySelector('#ask').open")
	b.keys(kb.Escape)
	b.until("!document.querySelector('#ask').open")

	b.run(chromedp.Focus("#tab-ladder"))
	b.keys(kb.ArrowRight)
	b.until("document.querySelector('#tab-matrix').ariaSelected === 'true' && " + focus + " === 'tab-matrix'")
	b.keys(kb.ArrowLeft)
	b.until("document.querySelector('#tab-ladder').ariaSelected === 'true' && " + focus + " === 'tab-ladder'")
}

// TestSkipLink goes past what comes before the proxies.
func TestSkipLink(t *testing.T) {
	b := open(t, newStage(t, fiveProxies()...).page())
	b.until("document.querySelectorAll('li.row').length === 5")
	b.keys(kb.Tab)
	b.keys(kb.Enter)
	b.until(focus + " === 'main'")
}

// TestFocusIsKept while rows change and move, and menus stay open.
func TestFocusIsKept(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	s.head["actions"] = true
	b := open(t, s.page())
	b.until(within("Delta", "summary") + " !== null")
	b.run(chromedp.Focus(`li[data-id="main/Delta"] summary`))
	changed := maps.Clone(rows[3])
	changed["total_requests"] = 99
	s.push(changed)
	b.until(textOf("Delta", "requests") + " === '99' && " + focus + " === 'main/Delta'")
	slices.Reverse(rows)
	s.reorder(rows...)
	b.until(shown + ".startsWith('تهران-۱ Delta')")
	if got := eval[string](b, focus); got != "main/Delta" {
		t.Errorf("after the order changed, %s has the focus", got)
	}
	b.keys(kb.Enter)
	b.until(focus + " === 'check'")
	slices.Reverse(rows)
	s.reorder(rows...)
	b.until(shown + ".startsWith('Alpha Beta')")
	if got := eval[string](b, focus); got != "check" || !eval[bool](b, within("Delta", "details")+".open") {
		t.Errorf("after the order changed, %s has the focus", got)
	}

	b.keys(kb.Escape)
	b.run(chromedp.Focus("#f-q"), chromedp.SendKeys("#f-q", "De"))
	s.push(changed)
	b.until(shown + " === 'Delta' && " + focus + " === 'f-q'")
}

// TestFarRowsAreFound by the browser, and reached with the keyboard, also by one
// who is faster than the page is with its rows.
func TestFarRowsAreFound(t *testing.T) {
	s := newStage(t, thousandRows()...)
	s.head["actions"] = true
	b := open(t, s.page())
	b.until("document.querySelectorAll('li.row').length === 1000")
	b.until("document.querySelectorAll('.c-status').length < 100")
	b.run(chromedp.Evaluate("window.requestAnimationFrame = (work) => setTimeout(work, 500); 0", nil))
	b.until("window.find('Proxy-0777')")
	b.until(within("Proxy-0777", ".c-status .badge") + "?.textContent === 'healthy'")
	b.run(chromedp.Focus(`li[data-id="main/Proxy-0777"] summary`))
	for range 30 {
		b.keys(kb.Tab)
		b.until("document.activeElement.matches('summary') && document.activeElement.closest('li').querySelector('.badge').textContent !== ''")
	}
	if got := eval[string](b, focus); got != "main/Proxy-0807" {
		t.Errorf("30 times Tab lead to %s", got)
	}
}
