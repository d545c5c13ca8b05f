package browsertest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// mostOfFrame is how long the page may keep its thread busy at a stretch, in
// milliseconds.
const mostOfFrame = 50

// usage is what people do with a thousand proxies.
var usage = []struct{ name, script string }{
	{"scroll", `for (let y = 0; y < 40000; y += 500) { scrollTo(0, y); await frame(); }`},
	{"jump", `for (const y of [65000, 0, 30000, 1000, 50000, 0]) { scrollTo(0, y); await frame(); await frame(); await frame(); }`},
	{"search", `for (const q of ["1", "19", "198", "Proxy-09", "0999", "09", ""]) { set("q", "input", q); await frame(); await frame(); await frame(); }`},
	{"filter", `for (const s of ["healthy", "down", "degraded", ""]) { set("status", "change", s); await frame(); await frame(); await frame(); await frame(); }`},
	{"live", `for (let i = 0; i < 150; i++) { scrollTo(0, i * 20); await frame(); }`},
}

const prologue = `window.finished = false; (async () => {
	const frame = () => new Promise(requestAnimationFrame);
	const set = (name, kind, value) => { const f = document.querySelector("#f-" + name); f.value = value; f.dispatchEvent(new Event(kind)); };
	await frame();
	let last = performance.now(), on = true; window.gap = 0;
	const watch = (now) => { gap = Math.max(gap, now - last); last = now; if (on) requestAnimationFrame(watch); };
	requestAnimationFrame(watch);
	`

const epilogue = `
	await frame(); await frame(); on = false; scrollTo(0, 0); window.finished = true;
})()`

// TestThousand: with 1,000 proxies no frame of the page takes more than 50 ms,
// while one scrolls, searches and filters and the rows go on changing. What
// counts is the time for which the browser's main thread computed: the clock on
// the wall also counts what else the machine has to do, so its figures, and
// those of a page with nothing on it, are only told.
func TestThousand(t *testing.T) {
	rows := thousandRows()
	s := newStage(t, rows...)
	b := open(t, s.page())
	b.until("document.querySelectorAll('li.row').length === 1000 && document.querySelectorAll('.c-status').length > 10")
	for _, one := range usage {
		stop := func() {}
		if one.name == "live" {
			stop = s.churn(rows)
		}
		longest := b.longestTask(prologue + one.script + epilogue)
		stop()
		t.Logf("%-6s computed for %5.1f ms at most; %5.1f ms between two frames", one.name, longest, eval[float64](b, "gap"))
		if longest > mostOfFrame {
			t.Errorf("%s: a frame took %.1f ms", one.name, longest)
		}
	}
	b.shoot("thousand")
	b.run(chromedp.Navigate(s.page() + "bare"))
	b.longestTask(prologue + "document.body.style.height = '40000px';" + usage[0].script + epilogue)
	t.Logf("the empty page: %.1f ms between two frames", eval[float64](b, "gap"))
}

// longestTask is how many milliseconds the page's thread computed at most in one
// task, of which a frame is one, while a script ran.
func (b *browser) longestTask(script string) (longest float64) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	var trace trace
	complete := make(chan struct{})
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			for _, value := range e.Value {
				trace.take(value)
			}
		case *tracing.EventTracingComplete:
			close(complete)
		}
	})
	b.run(tracing.Start().WithTraceConfig(&tracing.TraceConfig{IncludedCategories: []string{"toplevel"}}), chromedp.Evaluate(script, nil))
	b.until("window.finished === true")
	b.run(tracing.End())
	<-complete
	if len(trace.pages) == 0 || len(trace.tasks) == 0 {
		b.t.Fatal("the browser's trace has no threads of pages, or no tasks")
	}
	for _, task := range trace.tasks {
		if trace.pages[task.thread] {
			longest = max(longest, task.computed)
		}
	}
	return longest
}

// trace is what the browser notes of its own work.
type trace struct {
	pages map[int]bool // the threads that are of a page
	tasks []task
}

type task struct {
	thread   int
	computed float64 // milliseconds
}

func (t *trace) take(raw []byte) {
	var event struct {
		Name string
		Tid  int
		Tdur float64 // microseconds of the thread's own clock
		Args struct{ Name string }
	}
	if json.Unmarshal(raw, &event) != nil {
		return // of a kind that is not asked for
	}
	switch {
	case event.Name == "thread_name" && event.Args.Name == "CrRendererMain":
		if t.pages == nil {
			t.pages = make(map[int]bool)
		}
		t.pages[event.Tid] = true
	case event.Name == "ThreadControllerImpl::RunTask":
		t.tasks = append(t.tasks, task{event.Tid, event.Tdur / 1000})
	}
}
