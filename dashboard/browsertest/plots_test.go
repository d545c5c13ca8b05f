package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

const quarter = 15 * time.Minute

// cell is some usage in a quarter of an hour, as the books keep it.
type cell struct {
	Pool, Proxy, Target string
	Quarter             int64
	Requests            int64         `json:"requests"`
	BytesIn             int64         `json:"bytes_in"`
	Cost                int64         `json:"cost"`
	Timed               int64         `json:"timed"`
	Took                time.Duration `json:"took"`
}

func at(proxy string, when time.Time, megabytes int64) cell {
	return cell{Pool: "main", Proxy: proxy, Target: "api.example.com:443", Quarter: when.Unix() / 900, Requests: 1, BytesIn: megabytes << 20}
}

// withPast starts a pool in Tehran whose books know of hours and days before.
// VPS has n MB, n hundredths of a dollar and n hundred milliseconds in the hour
// that began n hours before the present one; Edge 5 MB in the last quarter of
// yesterday, 7 MB in the first of today and 3 MB in that of 30 days before; six others next to nothing, the last of
// them a response time, but in a single hour.
func withPast(t *testing.T) (w *world, hour, day time.Time) {
	t.Helper()
	tehran, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(tehran)
	hour = now.Add(-time.Duration(now.Minute())*time.Minute - time.Duration(now.Second())*time.Second).Truncate(time.Second)
	day = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, tehran)
	cells := []cell{at("Edge", day.Add(-quarter), 5), at("Edge", day, 7), at("Edge", day.AddDate(0, 0, -30), 3)}
	for n := range int64(10) {
		c := at("VPS", hour.Add(time.Duration(-n)*time.Hour), n)
		c.Cost, c.Timed, c.Took = n*1e7, 2, time.Duration(n)*200*time.Millisecond
		cells = append(cells, c)
	}
	pools := "pool main {\nhealth_check off\nproxy VPS http://192.0.2.1:3128\nproxy Edge http://192.0.2.2:3128\n"
	for n := range 6 {
		name := fmt.Sprint("Spare-", n)
		pools += "proxy " + name + " http://192.0.2.3:3128\n"
		c := at(name, hour.Add(-2*time.Hour), 0)
		c.BytesIn = int64(n + 1)
		if n == 5 {
			c.Timed, c.Took = 1, 700*time.Millisecond
		}
		cells = append(cells, c)
	}
	file := filepath.Join(t.TempDir(), "proxy_pool.db")
	list, err := json.Marshal(cells)
	if err != nil {
		t.Fatal(err)
	}
	seed := exec.CommandContext(context.Background(), seedBinary, file)
	seed.Stdin = bytes.NewReader(list)
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return start(t, "storage sqlite "+file+"\ntimezone Asia/Tehran\n"+pools+"}\n", ""), hour, day
}

// legend is what the legends say of a name, plot by plot; name is "" for the time.
func (b *browser) legend(name string) []string {
	b.t.Helper()
	return eval[[]string](b, `[...document.querySelectorAll(".uplot")].map((plot) => {
		const rows = [...plot.querySelectorAll(".u-series")];
		const row = `+quote(name)+` ? rows.find((r) => r.querySelector(".u-label").textContent === `+quote(name)+`) : rows[0];
		return row ? row.querySelector(".u-value").textContent.replace(/[\u2066\u2069]/g, "") : "";
	})`)
}

// press presses a key in the first plot.
func (b *browser) press(key string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(`document.querySelector(".u-over").dispatchEvent(new KeyboardEvent("keydown", { key: "`+key+`" }))`, nil))
}

func (b *browser) drawn(plots int) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.querySelectorAll('.plots canvas').length === %d && [...document.querySelectorAll('.plots canvas')].every((c) => c.clientWidth > 200 && c.clientWidth <= c.closest('figure').clientWidth)", plots))
}

func (b *browser) hasAsked(part string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.asked, " "), part)
}

// TestPlotsOfHours: what is drawn is what the books say, all three at one time;
// uPlot is fetched no earlier than that.
func TestPlotsOfHours(t *testing.T) {
	w, hour, _ := withPast(t)
	b := open(t, w.page())
	b.until("document.querySelectorAll('li.row').length === 8")
	if b.hasAsked("vendor/") || b.hasAsked("chart.js") {
		t.Error("uPlot was fetched for nothing")
	}
	b.click("#tab-plots")
	b.drawn(3)
	if got := strings.Join(b.legend("VPS"), " | "); got != "45 MB | $0.45 | 450 ms" {
		t.Errorf("in all: %s", got)
	}
	if got := eval[string](b, "document.querySelector('.plots canvas').getAttribute('aria-label')"); !strings.Contains(got, "VPS \u206645 MB") {
		t.Errorf("for those who do not see it: %s", got)
	}
	if got := eval[string](b, "document.querySelector('.count').textContent"); got != "6 of 8 proxies: those with the most traffic" {
		t.Errorf("said: %s", got)
	}
	// The line of Spare-5 is a point: as large as one, and no larger.
	green := eval[int](b, `(() => {
		const canvas = document.querySelectorAll(".plots canvas")[2], pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		let n = 0;
		for (let i = 0; i < pixels.length; i += 4) if (pixels[i] === 0x3f && pixels[i + 1] === 0xae && pixels[i + 2] === 0x73) n++;
		return n;
	})()`)
	if green < 4 || green > 80 {
		t.Errorf("a single response time is drawn with %d pixels", green)
	}
	b.press("ArrowLeft") // from the end
	b.press("ArrowLeft")
	for range 4 {
		b.press("ArrowLeft")
		b.sameHour(hour)
	}
	var x, y float64
	b.run(chromedp.Evaluate("document.querySelectorAll('.u-over')[1].getBoundingClientRect().x + document.querySelectorAll('.u-over')[1].clientWidth * 20 / 24", &x),
		chromedp.Evaluate("document.querySelectorAll('.u-over')[1].getBoundingClientRect().y + 50", &y))
	b.run(chromedp.MouseEvent(input.MouseMoved, x, y))
	b.until("document.querySelector('.u-value').textContent.includes(':')")
	b.sameHour(hour)
	b.shoot("plots-hours")
}

// sameHour checks that the plots tell the same hour, and what VPS had in it.
func (b *browser) sameHour(hour time.Time) {
	b.t.Helper()
	var n int64
	got := b.legend("VPS")
	if _, err := fmt.Sscanf(got[0], "%d", &n); err != nil || n < 1 || n > 9 {
		b.t.Fatalf("VPS has %q", got)
	}
	want := fmt.Sprintf("%.1f MB | $%.2f | %d ms", float64(n), float64(n)/100, 100*n)
	if text := strings.Replace(strings.Join(got, " | "), fmt.Sprint(n, " MB"), fmt.Sprintf("%.1f MB", float64(n)), 1); text != want {
		b.t.Errorf("VPS has %s, want %s", text, want)
	}
	began := hour.Add(time.Duration(-n) * time.Hour).UnixMilli()
	clock := eval[string](b, fmt.Sprintf("new Date(%d).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })", began))
	for _, told := range b.legend("") {
		if !strings.Contains(told, clock) {
			b.t.Errorf("%d MB are told of %q, want %s", n, told, clock)
		}
	}
}

// TestPlotsOfDays: days are those of the server's time zone, wherever the browser is.
func TestPlotsOfDays(t *testing.T) {
	w, _, day := withPast(t)
	b := open(t, w.page())
	b.run(emulation.SetTimezoneOverride("America/Los_Angeles"), chromedp.Navigate(w.page()+"?view=plots&range=days30&q=edge"))
	b.drawn(2) // none of its response times is known
	told := make(map[string]string)
	b.press("ArrowRight")
	told[b.legend("")[0]] = b.legend("Edge")[0]
	b.run(chromedp.Evaluate(`document.querySelector(".u-over").dispatchEvent(new Event("blur")); 0`, nil))
	if got := b.legend("Edge")[0]; got != "15 MB" {
		t.Errorf("in all %s", got)
	}
	for range 5 {
		b.press("ArrowLeft")
		told[b.legend("")[0]] = b.legend("Edge")[0]
	}
	for when, want := range map[time.Time]string{day.AddDate(0, 0, -30): "3 MB", day.AddDate(0, 0, -2): "0 B", day.AddDate(0, 0, -1): "5 MB", day: "7 MB"} {
		name := eval[string](b, fmt.Sprintf("new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' }).format(Date.parse('%s'))", when.Format(time.DateOnly)))
		if told[name] != want {
			t.Errorf("on %s: %q, want %s; all: %v", name, told[name], want, told)
		}
	}
	b.shoot("plots-days")
}

func TestPlotsAreUsable(t *testing.T) {
	w, _, _ := withPast(t)
	b := open(t, w.page()+"?view=plots")
	b.drawn(3)
	const first = "document.querySelector('.u-legend .u-series:nth-child(2)')"
	b.run(chromedp.Evaluate(first+".querySelector('th').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }))", nil))
	b.until("document.querySelectorAll('.u-series.u-off').length === 3") // in every plot
	if got := eval[string](b, first+".querySelector('th').getAttribute('aria-pressed')"); got != "false" {
		t.Errorf("pressed: %s", got)
	}
	b.click(".u-legend .u-series:nth-child(2) th")
	b.until("document.querySelectorAll('.u-series.u-off').length === 0")

	const picture = "document.querySelector('.plots canvas').toDataURL()"
	b.run(chromedp.Evaluate("window.light = "+picture+"; 0", nil))
	b.click("#theme")
	b.until(picture + " !== window.light")
	b.shoot("plots-dark")

	b.click("#language")
	b.drawn(3)
	if got := strings.Join(b.legend("VPS"), " | "); got != "۴۵ MB | $۰٫۴۵ | ۴۵۰ م\u200cث" {
		t.Errorf("in Persian: %s", got)
	}
	if got := eval[string](b, "getComputedStyle(document.querySelector('.u-legend')).direction + ' ' + getComputedStyle(document.querySelector('.u-wrap')).direction"); got != "rtl ltr" {
		t.Errorf("directions: %s", got)
	}
	b.shoot("plots-persian")
	b.run(chromedp.EmulateViewport(375, 740))
	b.until("[...document.querySelectorAll('.plots canvas')].every((c) => c.clientWidth < 360)")
	if got := eval[int](b, "document.scrollingElement.scrollWidth"); got > 375 {
		t.Errorf("on a phone it is %d wide", got)
	}
	b.shoot("plots-phone")
	b.run(chromedp.Evaluate("{ const q = document.querySelector('#f-q'); q.value = 'VPS'; q.dispatchEvent(new Event('input')); }", nil))
	b.until("document.querySelector('.u-legend')?.querySelectorAll('.u-series').length === 2")
	if got := eval[string](b, "location.search"); got != "?view=plots&q=VPS" {
		t.Errorf("the URL keeps %q", got)
	}
	b.click("#tab-events")
	b.until("document.querySelectorAll('.uplot').length === 0")
}

// TestMoney: a little is not shown as nothing.
func TestMoney(t *testing.T) {
	b := open(t, newStage(t, proxyRow("VPS", nil)).page())
	b.until("document.querySelectorAll('li.row').length === 1")
	b.run(chromedp.Evaluate(`window.told = null; import("./words.js").then(({ dollars }) => {
		window.told = [0, 0.00002, 0.00012, 0.5, 12.345, 1234.5].map((n) => dollars(n).replace(/[\u2066\u2069]/g, "")).join(" ");
	});0`, nil))
	b.until("window.told !== null")
	if got := eval[string](b, "window.told"); got != "$0.00 <$0.0001 $0.0001 $0.50 $12.35 $1,235" {
		t.Error(got)
	}
}

// TestTicksDiffer: however little there is to plot, no two steps of an axis are
// told in the same words.
func TestTicksDiffer(t *testing.T) {
	b := open(t, newStage(t, proxyRow("VPS", nil)).page())
	b.until("document.querySelectorAll('li.row').length === 1")
	for _, test := range []struct {
		format string
		most   float64
		want   string
	}{
		{"dollars", 0.00022, "$0.00000 $0.00005 $0.00010 $0.00015 $0.00020"},
		{"dollars", 0.022, "$0.000 $0.005 $0.010 $0.015 $0.020"},
		{"dollars", 2.2, "$0.00 $0.50 $1.00 $1.50 $2.00"},
		{"dollars", 2200, "$0 $500 $1,000 $1,500 $2,000"},
		{"millis", 2.2, "0.0 ms 0.5 ms 1.0 ms 1.5 ms 2.0 ms"},
		{"millis", 220, "0 ms 50 ms 100 ms 150 ms 200 ms"},
	} {
		b.run(chromedp.Evaluate(fmt.Sprintf(`window.ticks = null;
			(async () => {
				const [{ load }, words] = await Promise.all([import("./chart.js"), import("./words.js")]), draw = CanvasRenderingContext2D.prototype.fillText, told = new Set();
				CanvasRenderingContext2D.prototype.fillText = function (text, ...at) { told.add(text.replace(/[\u2066\u2069]/g, "")); draw.call(this, text, ...at); };
				const plot = (await load())({ title: "", times: [0, 3600], days: false, format: words[%q], isBytes: false, lines: [{ name: "VPS", total: 0, values: [0, %v] }] });
				document.querySelector("#view").replaceChildren(plot.figure);
				await new Promise((resolve) => setTimeout(resolve, 200));
				CanvasRenderingContext2D.prototype.fillText = draw;
				plot.end();
				window.ticks = [...told].filter((text) => !text.includes(":")).join(" ");
			})();0`, test.format, test.most), nil))
		b.until("window.ticks !== null")
		if got := eval[string](b, "window.ticks"); got != test.want {
			t.Errorf("%s to %v: %s, want %s", test.format, test.most, got, test.want)
		}
	}
}
