package alert

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/bidi"
)

// visual is a line as it is seen, from left to right, without what nobody sees.
// Brackets are seen mirrored. It knows no direction within another but that of a
// line and of isolates and numbers in it.
func visual(t *testing.T, line string) string {
	t.Helper()
	var p bidi.Paragraph
	if _, err := p.SetString(line); err != nil {
		t.Fatal(err)
	}
	order, err := p.Order()
	if err != nil {
		t.Fatal(err)
	}
	runs := make([]string, order.NumRuns())
	for i := range runs {
		run := order.Run(i)
		runs[i] = run.String()
		if run.Direction() == bidi.RightToLeft {
			runs[i] = bidi.ReverseString(run.String())
		}
	}
	if first := order.Run(0); first.Direction() == bidi.RightToLeft {
		slices.Reverse(runs)
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(isolateStart+isolateEnd+rightToLeftMark, r) {
			return -1
		}
		return r
	}, strings.Join(runs, ""))
}

// TestPersianOnScreen reads lines from right to left: what comes first is at the
// right, and what is Latin in it still reads from left to right.
func TestPersianOnScreen(t *testing.T) {
	fromRight := func(line string, parts ...string) {
		t.Helper()
		seen := visual(t, line)
		end := len(seen)
		for _, part := range parts {
			at := strings.LastIndex(seen[:end], part)
			if at < 0 {
				t.Errorf("%q is not where it belongs, from right to left, in %q", part, seen)
				return
			}
			end = at
		}
	}
	reversed := bidi.ReverseString
	line := func(a Alert, n int) string {
		a.Pool = "main"
		return strings.Split(Persian.Message(&a, tehran).Plain, "\n")[n]
	}
	down := statusChanged(change("VPS-1", "healthy", "down", "dial_refused"))
	fromRight(line(down, 0), "🔔", reversed("پروکسی"), "VPS-1", reversed("از کار افتاد"))
	fromRight(line(down, 2), reversed("وضعیت:"), "healthy", "←", "down")
	fromRight(line(down, 3), reversed("علت:"), reversed("اتصال رد شد"), "(dial_refused)")
	fromRight(line(down, 6), reversed("آپ\u200cتایم:"), "٪۹۵٫۲")

	few := statusChanged(change("VPS-1", "healthy", "down", "dial_refused"), change("نام", "down", "healthy", ""))
	fromRight(line(few, 0), "🔔", reversed("وضعیت"), "۲", "pool main", reversed("عوض شد"))
	fromRight(line(few, 1), "•", "VPS-1", ":", "healthy", "←", "down", "،", reversed("اتصال"))
	fromRight(line(few, 2), "•", reversed("نام"), ":", "down", "←", "healthy")

	target := Alert{Kind: KindTargetUnreachable, Targets: []string{"api.telegram.org:443"}}
	fromRight(line(target, 0), "🔔", "api.telegram.org:443", reversed("از"), "pool main", reversed("در دسترس نیست"))

	report := alerts()["daily_report"]
	fromRight(line(report, 1), "۲۲", reversed("نوامبر"), "۲۰۲۶", "۱۷:۳۸", reversed("تا"), "۲۳", reversed("نوامبر"), "۲۰۲۶", "۱۷:۳۸")
	fromRight(line(report, 3), "✅", reversed("سالم"), "(healthy)", ":", "۳")
	fromRight(line(report, 12), reversed("تلاش\u200cها:"), "۱٬۲۳۴", ")", "۱۲", reversed("ناموفق"), "(")

	// Whatever comes before it, the sign is at the left of its number.
	s := Persian.speaker(nil)
	for _, before := range []piece{{}, s.name("VPS-1"), plainly("نام"), plainly("•")} {
		fromRight(rightToLeftMark+join(" ", before, s.uptime(95.2)).plain, "٪۹۵٫۲")
	}
}

// TestNamesCannotReorder: two languages beside each other stay where they were
// put, and so does what follows a name that would turn the rest around.
func TestNamesCannotReorder(t *testing.T) {
	a := statusChanged(change("آلمان \u202eو", "healthy", "down", ""), change("x", "healthy", "down", ""))
	seen := visual(t, strings.Split(English.Message(&a, nil).Plain, "\n")[1])
	if want := "• و " + bidi.ReverseString("آلمان") + ": healthy → down"; seen != want {
		t.Errorf("seen as %q, want %q", seen, want)
	}
}
