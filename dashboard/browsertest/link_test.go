package browsertest

import (
	"maps"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
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

// TestLateSnapshot: an answer that was asked for before the page followed again is
// older than what it shows by then.
func TestLateSnapshot(t *testing.T) {
	rows := fiveProxies()
	s := newStage(t, rows...)
	b := open(t, s.page())
	b.until(linkText + ".startsWith('live')")
	b.tolerate = true
	late, asked := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.hold = func() { close(asked); <-late }
	s.mu.Unlock()
	s.cut()
	<-asked
	down := maps.Clone(rows[0])
	down["status"] = "down"
	s.push(down) // which the snapshot under way lacks
	eval[bool](b, "window.dispatchEvent(new Event('online'))")
	b.until(badge("Alpha") + " === 'down'")
	close(late)
	b.until("performance.getEntriesByType('resource').some((e) => e.name.endsWith('api/snapshot'))")
	more := maps.Clone(rows[1])
	more["total_requests"] = 7777
	s.push(more)
	b.until(textOf(more["name"].(string), "requests") + " === '7,777'")
	if status := eval[string](b, badge("Alpha")); status != "down" {
		t.Errorf("an older snapshot made it %s again", status)
	}
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

// TestManyTabs: a browser has six connections for a server that speaks HTTP/1.1,
// and all its tabs share them. So only the one that is looked at follows.
func TestManyTabs(t *testing.T) {
	s := newStage(t, proxyRow("VPS", nil))
	first := open(t, s.page())
	first.until(badge("VPS") + " === 'healthy'")
	for range 7 {
		start := time.Now()
		open(t, s.page()).until(badge("VPS") + " === 'healthy'")
		if took := time.Since(start); took > 15*time.Second {
			t.Fatalf("a tab showed nothing for %v", took)
		}
	}
	s.mu.Lock()
	following := len(s.pages)
	s.mu.Unlock()
	if following > 2 { // the last but one may be leaving
		t.Errorf("%d tabs follow, and one is looked at", following)
	}
	s.push(proxyRow("VPS", map[string]any{"status": "down", "usable": false}))
	first.run(page.BringToFront())
	first.until(badge("VPS") + " === 'down' && " + linkText + ".startsWith('live')")
}
