package browsertest

import (
	"maps"
	"testing"
)

const linkText = "document.querySelector('#link').textContent"

// TestLiveChangeAppears without a reload, in the row and in the strip.
func TestLiveChangeAppears(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	b := open(t, s.page())
	b.until(badge("Alpha") + " === 'healthy'")
	eval[bool](b, "window.same = true")
	down := maps.Clone(rows[0])
	maps.Copy(down, map[string]any{"status": "down", "usable": false, "reason": "dial_refused", "total_requests": 7})
	s.mu.Lock()
	s.head["pools"] = []any{poolStrip("main", "Delta")}
	s.mu.Unlock()
	s.push(down)
	b.until(badge("Alpha") + " === 'down' && " + textOf("Alpha", "requests") + " === '7'")
	b.until("document.querySelector('.carrier strong').textContent === 'Delta' && " + within("Delta", "") + ".classList.contains('carries')")
	if !eval[bool](b, "window.same === true") {
		t.Error("the page was loaded again")
	}
}

// TestPollsWhereLiveIsCut, and follows again where it is not any more.
func TestPollsWhereLiveIsCut(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	b := open(t, s.page())
	b.until(linkText + ".startsWith('live')")
	b.tolerate = true
	s.set(true)
	s.cut()
	b.until(linkText + ".startsWith('polling')")
	down := maps.Clone(rows[0])
	down["status"] = "down"
	s.push(down) // which no page hears
	b.until(badge("Alpha") + " === 'down'")
	b.shoot("polling")
	s.set(false)
	b.until(linkText + ".startsWith('live')")
}

// TestServerGoneAndBack: the page says that it has lost it, and that what it
// shows is old, until it is back.
func TestServerGoneAndBack(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	b := open(t, s.page())
	b.until(linkText + ".startsWith('live')")
	b.tolerate = true
	s.close()
	b.until(linkText + ".startsWith('Lost the server') && document.body.classList.contains('stale')")
	b.until("Number(getComputedStyle(document.querySelector('#view')).opacity) < 0.9")
	s.rows[0] = proxyRow("Alpha", map[string]any{"status": "degraded"})
	s.open()
	b.until(linkText + ".startsWith('live') && !document.body.classList.contains('stale') && " + badge("Alpha") + " === 'degraded'")
}
