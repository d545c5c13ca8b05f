package browsertest

import (
	"testing"
)

// TestNothingOfOthersIsMarkup: whatever names, errors, targets and logs hold is
// shown as text.
func TestNothingOfOthersIsMarkup(t *testing.T) {
	const evil = `"><img src=x onerror="window.broken=1"><script>window.broken=1</script><svg onload=window.broken=1>`
	row := proxyRow(evil, map[string]any{
		"url": evil, "reason": evil, "last_error": evil, "status": "blocked", "blocked_for": []string{evil}, "failing_for": []string{evil},
		"troubles": []any{map[string]any{"target": evil, "blocked": true, "until": nil}},
	})
	s := newStage(t, row)
	pool := poolStrip(evil, evil)
	pool["targets"] = []string{evil}
	row["pool"], row["id"] = evil, evil+"/"+evil
	s.head["actions"], s.head["pools"], s.head["warnings"] = true, []any{pool, poolStrip("other", "")}, []string{evil}
	s.head["store"] = map[string]any{"ok": false, "error": evil}
	s.head["notifiers"] = []any{map[string]any{"notifier": evil, "ok": false, "error": evil}}
	s.books["events"] = []any{map[string]any{"id": 1, "time": "2026-11-26T18:00:00Z", "pool": evil, "proxy": evil, "from": "healthy", "to": "down", "reason": evil}}
	s.books["log"] = []any{map[string]any{
		"id": 1, "time": "2026-11-26T18:00:00Z", "pool": evil, "proxy": evil, "method": evil, "target": evil, "path": evil,
		"status": 200, "success": true, "duration_ms": 5, "bytes_in": 1, "bytes_out": 1, "trail": evil, "error": evil,
	}}
	b := open(t, s.page()+"?q=%3Cimg%20src%3Dx")
	b.until("document.querySelectorAll('li.row').length === 1")
	for _, view := range []string{"matrix", "events", "log", "ladder"} {
		b.click("#tab-" + view)
		b.until("document.querySelector('#view').innerText.includes('window.broken=1')")
	}
	b.click("summary")
	b.until("document.querySelectorAll('.menu button').length > 2")
	b.click("[data-action=reset-stats]")
	b.until("document.querySelector('#question').textContent.includes('onerror')")
	b.click("#ask [value=yes]")
	b.until("document.querySelector('#toast').textContent.includes('onerror')")
	if eval[bool](b, "window.broken === 1 || document.querySelectorAll('img:not([src=\"icon.svg\"]), script:not([src]), svg:not(.beats, .bar-svg), [onerror], [onload]').length > 0") {
		t.Error("something that others wrote became a part of the page")
	}
}
