package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// textOf is an expression for what a cell of the ladder says.
func textOf(proxy, column string) string {
	return fmt.Sprintf(`document.querySelector('li[data-id="main/%s"] .c-%s').innerText.replaceAll(/[\u2066\u2069]/g, "").replaceAll(/\s+/g, " ").trim()`, proxy, column)
}

// within is an element in a cell of the ladder.
func within(proxy, selector string) string {
	return fmt.Sprintf(`document.querySelector('li[data-id="main/%s"] %s')`, proxy, selector)
}

func TestBadgesChangeAtTheirThresholds(t *testing.T) {
	tests := []struct {
		column, key string
		value       float64
		want, says  string
	}{
		{"response", "response_time_ms", 499, "good", "499 ms"},
		{"response", "response_time_ms", 500, "fair", "500 ms"},
		{"response", "response_time_ms", 1999, "fair", "1,999 ms"},
		{"response", "response_time_ms", 2000, "bad", "2,000 ms"},
		{"response", "response_time_ms", 0, "", "—"},
		{"uptime", "uptime", 100, "good", "100%"},
		{"uptime", "uptime", 95, "good", "95%"},
		{"uptime", "uptime", 94.99, "fair", "94.9%"},
		{"uptime", "uptime", 80, "fair", "80%"},
		{"uptime", "uptime", 79.99, "bad", "79.9%"},
		{"uptime", "uptime", 0, "bad", "0%"},
	}
	rows := make([]map[string]any, len(tests))
	for i, tt := range tests {
		rows[i] = proxyRow(fmt.Sprint("P", i), map[string]any{tt.key: tt.value})
	}
	b := open(t, newStage(t, rows...).page())
	for i, tt := range tests {
		name := fmt.Sprint("P", i)
		b.until(within(name, ".c-"+tt.column+" .badge") + " !== null")
		got := strings.Fields(eval[string](b, within(name, ".c-"+tt.column+" .badge")+".className"))
		want := strings.Fields("badge " + tt.want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", tt.column, tt.value, diff)
		}
		if got := eval[string](b, textOf(name, tt.column)); got != tt.says {
			t.Errorf("%s %v: the page says %q, want %q", tt.column, tt.value, got, tt.says)
		}
	}
}

func TestBudgetBar(t *testing.T) {
	budget := func(used, limit float64, unit string, spent bool) map[string]any {
		return map[string]any{
			"cost_per_gb": 4, "estimated_cost": 1.5,
			"budget": map[string]any{"limit": limit, "used": used, "unit": unit, "per": "month", "hard": true, "spent": spent, "until": nil},
		}
	}
	tests := []struct {
		name        string
		row         map[string]any
		width, kind string
		says        string
	}{
		{"Little", budget(10, 50, "usd", false), "20.0", "good", "$4.00/GB · $1.50 Budget: $10.00 of $50.00 a month"},
		{"Nearly", budget(40, 50, "usd", false), "80.0", "fair", "$4.00/GB · $1.50 Budget: $40.00 of $50.00 a month"},
		{"Over", budget(60, 50, "usd", true), "100.0", "bad", "$4.00/GB · $1.50 Budget: $60.00 of $50.00 a month"},
		{"Traffic", budget(1.5, 3, "gb", false), "50.0", "good", "$4.00/GB · $1.50 Budget: 1.5 GB of 3 GB a month"},
	}
	rows := []map[string]any{proxyRow("Free", nil), proxyRow("Flat", map[string]any{"cost_per_month": 5})}
	for _, tt := range tests {
		rows = append(rows, proxyRow(tt.name, tt.row))
	}
	b := open(t, newStage(t, rows...).page())
	for _, tt := range tests {
		bar := within(tt.name, ".bar-svg rect")
		b.until(bar + " !== null")
		if got := eval[string](b, bar+".getAttribute('width')+' '+"+bar+".getAttribute('class')"); got != tt.width+" "+tt.kind {
			t.Errorf("%s: the bar is %s, want %s %s", tt.name, got, tt.width, tt.kind)
		}
		if got := eval[string](b, textOf(tt.name, "cost")); got != tt.says {
			t.Errorf("%s: the page says %q, want %q", tt.name, got, tt.says)
		}
	}
	if eval[bool](b, within("Free", ".bar-svg")+".getBoundingClientRect().width > 0") {
		t.Error("a proxy without a budget has a bar")
	}
	if got := eval[string](b, textOf("Flat", "cost")); got != "free · $5.00/month flat" {
		t.Errorf("of a flat price the page says %q", got)
	}
}

// TestMoneyOfPool: flat prices are beside what budgets count, not within.
func TestMoneyOfPool(t *testing.T) {
	s := newStage(t, proxyRow("Paid", map[string]any{
		"budget": map[string]any{"limit": 50, "used": 20, "unit": "usd", "per": "month", "hard": true, "spent": false, "until": nil},
	}))
	pool := poolStrip("main", "Paid")
	pool["money"] = map[string]any{
		"today": map[string]any{"cost_usd": 2},
		"month": map[string]any{"cost_usd": 20, "cost_per_month": 5, "saved_usd": 7, "requests": 20, "failed": 6},
	}
	s.head["pools"] = []any{pool}
	b := open(t, s.page())
	b.until("document.querySelectorAll('#pools dd').length >= 4")
	got := eval[string](b, `[...document.querySelectorAll("#pools dd")].slice(0, 4).map((e) => e.textContent.replace(/[\u2066\u2069]/g, "")).join(" | ")`)
	if want := "$2.00 | $20.00 of $50.00 + $5.00 flat | $7.00 | 70%"; got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
}

func TestHeartbeatAndClocks(t *testing.T) {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	b := open(t, newStage(t,
		proxyRow("Two", map[string]any{"beats": []int64{1, 30, 2, -501, 3, 40}, "next_check": at(10*time.Minute + 20*time.Second), "since": at(-2 * time.Hour)}),
		proxyRow("None", map[string]any{"response_time_ms": 0}),
		proxyRow("Off", map[string]any{"active": false}),
		proxyRow("Spent", map[string]any{"usable": false, "budget": map[string]any{"limit": 1, "used": 2, "unit": "gb", "per": "day", "hard": true, "spent": true}}),
	).page())
	b.until(within("Two", ".beats .good[d^=M]") + " !== null")
	count := func(kind string) int {
		return eval[int](b, within("Two", ".beats ."+kind)+".getAttribute('d').split('M').length - 1")
	}
	if got := [2]int{count("good"), count("bad")}; got != [2]int{2, 1} {
		t.Errorf("%v cells are good and bad, want 2 and 1", got)
	}
	if got := eval[string](b, within("Two", ".beats")+".getAttribute('aria-label')"); got != "3 Last checks, 1 failed" {
		t.Errorf("read out as %q", got)
	}
	for cellOf, want := range map[string]string{
		textOf("Two", "next"): "in 10 min", textOf("Two", "status"): "healthy for 2 h", textOf("None", "next"): "never", textOf("None", "response"): "—",
		textOf("Off", "status"): "disabled", textOf("Spent", "status"): "budget spent", // not since when it was healthy
	} {
		if got := eval[string](b, cellOf); got != want {
			t.Errorf("%s is %q, want %q", cellOf, got, want)
		}
	}
}

// TestReasons: in both languages, with what logs have left as it is.
func TestReasons(t *testing.T) {
	tests := []struct{ reason, english, persian string }{
		{"check: dial_refused", "a health check failed: connection refused (dial_refused)", "بررسی سلامت ناموفق بود: اتصال رد شد (dial_refused)"},
		{"check: answered 503", "a health check was answered with 503", "بررسی سلامت جواب 503 گرفت"},
		{"proxy_auth", "wrong user or password (proxy_auth)", "نام کاربری یا رمز اشتباه است (proxy_auth)"},
		{"marked down", "an admin marked it down", "ادمین آن را down کرد"},
		{"blocked by a.example:443, b.example:443, c.example:443, d.example:443", "blocked by a.example:443, b.example:443, c.example:443 and 1 more", "بلاک\u200cشده از طرف a.example:443، b.example:443، c.example:443 و ۱ تای دیگر"},
		{"its last checks took more than 1.5s", "its last checks took more than 1.5 s", "بررسی\u200cهای آخرش بیش از ۱٫۵ ثانیه طول کشید"},
		{"budget spent: 50.01 USD of 50.00 USD a month", "its budget is spent: $50.01 of $50.00 a month", "سقف بودجه\u200cاش پر شده: $۵۰٫۰۱ از $۵۰٫۰۰ در ماه"},
		{"budget spent: 3.00 MB of 2.00 MB in total", "its budget is spent: 3 MB of 2 MB in total", "سقف بودجه\u200cاش پر شده: ۳ MB از ۲ MB روی هم"},
		{"api.example:443 answered 429", "api.example:443 answered 429", "api.example:443 جواب 429 داد"},
		{"something: <b>new</b>", "something: <b>new</b>", "something: <b>new</b>"},
		{"constructor", "constructor", "constructor"},
	}
	rows := make([]map[string]any, len(tests))
	for i, tt := range tests {
		rows[i] = proxyRow(fmt.Sprint("P", i), map[string]any{"status": "down", "reason": tt.reason, "last_error": tt.reason})
	}
	s := newStage(t, rows...)
	s.head["warnings"] = []string{"pool main: health checks fail through every proxy while traffic flows; look at the check URLs"}
	s.head["store"] = map[string]any{"ok": false, "error": "disk full"}
	b := open(t, s.page())
	for i, tt := range tests {
		b.until(textOf(fmt.Sprint("P", i), "status") + " === " + quote("down for 60 min "+tt.english))
	}
	b.until("document.querySelector('#notices').innerText.includes('health checks of \u2066main\u2069')")
	b.click("#language")
	for i, tt := range tests {
		b.until(textOf(fmt.Sprint("P", i), "status") + " === " + quote("قطع از ۶۰ دقیقه پیش "+tt.persian))
	}
	b.until("document.querySelector('#notices').innerText.includes('دفترها نوشته نمی\u200cشوند: \u2066disk full\u2069')")
	b.shoot("reasons-persian")
}

func TestMatrixTellsWhoIsBlockedUntilWhen(t *testing.T) {
	until := time.Date(2026, 11, 26, 18, 30, 0, 0, time.UTC).Format(time.RFC3339)
	trouble := func(target string, blocked bool) map[string]any {
		return map[string]any{"target": target, "blocked": blocked, "until": until}
	}
	s := newStage(t,
		proxyRow("Fine", nil),
		proxyRow("Blocked", map[string]any{"status": "blocked", "troubles": []any{trouble("a.example:443", true)}}),
		proxyRow("Failing", map[string]any{"troubles": []any{trouble("b.example:443", false)}}),
		proxyRow("Down", map[string]any{"status": "down", "usable": false}),
		proxyRow("Off", map[string]any{"active": false, "usable": false}),
		proxyRow("Spent", map[string]any{"usable": false, "budget": map[string]any{"limit": 1, "used": 2, "unit": "gb", "per": "day", "hard": true, "spent": true}}),
	)
	pool := poolStrip("main", "Fine")
	pool["targets"] = []string{"a.example:443", "b.example:443"}
	s.head["pools"] = []any{pool}
	b := open(t, s.page()+"?view=matrix")
	b.until("document.querySelectorAll('.matrix tbody tr').length === 6")
	when := eval[string](b, "new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'medium' }).format(new Date('"+until+"'))")
	want := map[string][]string{
		"Fine": {"ok", "ok"}, "Blocked": {"blocked until " + when, "ok"}, "Failing": {"ok", "failing next try " + when},
		"Down": {"down", "down"}, "Off": {"disabled", "disabled"}, "Spent": {"budget spent", "budget spent"},
	}
	got := eval[map[string][]string](b, `Object.fromEntries([...document.querySelectorAll(".matrix tbody tr")].map((tr) =>
		[tr.firstChild.innerText, [...tr.querySelectorAll("td")].map((td) => td.innerText.replaceAll(/\s+/g, " ").trim())]))`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	b.shoot("matrix-all")
}
