package alert

import (
	"testing"
	"time"
)

var tehran = time.FixedZone("Asia/Tehran", 3.5*60*60)

func TestAmounts(t *testing.T) {
	en, fa := English.speaker(time.UTC), Persian.speaker(tehran)
	newYear := time.Date(2026, 12, 31, 20, 30, 0, 0, time.UTC)
	tests := []struct {
		name   string
		say    func(*speaker) piece
		en, fa string
	}{
		{"nothing", func(s *speaker) piece { return s.traffic(0) }, "0 MB", "۰ مگابایت"},
		{"a byte", func(s *speaker) piece { return s.traffic(1) }, "less than 0.01 MB", "کمتر از ۰٫۰۱ مگابایت"},
		{"a check", func(s *speaker) piece { return s.traffic(56_000) }, "0.05 MB", "۰٫۰۵ مگابایت"},
		{"a few MB", func(s *speaker) piece { return s.traffic(10_355_737) }, "9.88 MB", "۹٫۸۸ مگابایت"},
		{"some MB", func(s *speaker) piece { return s.traffic(262_720_717) }, "250.6 MB", "۲۵۰٫۶ مگابایت"},
		{"nearly a GB", func(s *speaker) piece { return s.traffic(gigabyte - 1) }, "1 GB", "۱ گیگابایت"},
		{"many GB", func(s *speaker) piece { return s.traffic(2469 * gigabyte / 2) }, "1,234.5 GB", "۱٬۲۳۴٫۵ گیگابایت"},

		{"no money", func(s *speaker) piece { return s.money(0) }, "$0.00", "۰٫۰۰ دلار"},
		{"money", func(s *speaker) piece { return s.money(1234.5) }, "$1,234.50", "۱٬۲۳۴٫۵۰ دلار"},
		{"a cent", func(s *speaker) piece { return s.money(0.01) }, "$0.01", "۰٫۰۱ دلار"},
		{"nearly a cent", func(s *speaker) piece { return s.money(0.00996) }, "$0.01", "۰٫۰۱ دلار"},
		{"less than a cent", func(s *speaker) piece { return s.money(0.0034) }, "$0.0034", "۰٫۰۰۳۴ دلار"},
		{"hardly anything", func(s *speaker) piece { return s.money(1e-9) }, "$0.000000001", "۰٫۰۰۰۰۰۰۰۰۱ دلار"},

		{"free", func(s *speaker) piece { return s.price(0) }, "$0/GB", "گیگی ۰ دلار"},
		{"a price", func(s *speaker) piece { return s.price(12) }, "$12/GB", "گیگی ۱۲ دلار"},
		{"an odd price", func(s *speaker) piece { return s.price(0.5) }, "$0.50/GB", "گیگی ۰٫۵۰ دلار"},

		{"always up", func(s *speaker) piece { return s.uptime(100) }, "100.0%", "۱۰۰٫۰\u200f٪"},
		{"not quite always", func(s *speaker) piece { return s.uptime(99.999) }, "99.9%", "۹۹٫۹\u200f٪"},
		{"as it is", func(s *speaker) piece { return s.uptime(95.2) }, "95.2%", "۹۵٫۲\u200f٪"},
		{"as it is computed", func(s *speaker) piece { return s.uptime(float64(1000-3) / 1000 * 100) }, "99.7%", "۹۹٫۷\u200f٪"},
		{"never up", func(s *speaker) piece { return s.uptime(0) }, "0.0%", "۰٫۰\u200f٪"},

		{"no time", func(s *speaker) piece { return s.duration(0) }, "0 s", "۰ ثانیه"},
		{"seconds", func(s *speaker) piece { return s.duration(59 * time.Second) }, "59 s", "۵۹ ثانیه"},
		{"a minute", func(s *speaker) piece { return s.duration(time.Minute) }, "1 min", "۱ دقیقه"},
		{"minutes", func(s *speaker) piece { return s.duration(200 * time.Second) }, "3 min 20 s", "۳ دقیقه و ۲۰ ثانیه"},
		{"an hour", func(s *speaker) piece { return s.duration(time.Hour + 59*time.Second) }, "1 h", "۱ ساعت"},
		{"days", func(s *speaker) piece { return s.duration(50 * time.Hour) }, "2 days 2 h", "۲ روز و ۲ ساعت"},
		{"milliseconds", func(s *speaker) piece { return s.short(1234567 * time.Microsecond) }, "1,235 ms", "۱٬۲۳۵ میلی‌ثانیه"},
		{"a round limit", func(s *speaker) piece { return s.short(2 * time.Second) }, "2 s", "۲ ثانیه"},
		{"long", func(s *speaker) piece { return s.short(12345 * time.Millisecond) }, "12 s", "۱۲ ثانیه"},

		{"a date", func(s *speaker) piece { return s.date(newYear, true) }, "31 December 2026, 20:30", "۱ ژانویه ۲۰۲۷ ساعت ۰۰:۰۰"},
		{"a second", func(s *speaker) piece { return s.date(newYear.Add(5*time.Second), true) }, "31 December 2026, 20:30:05", "۱ ژانویه ۲۰۲۷ ساعت ۰۰:۰۰:۰۵"},
		{"no second", func(s *speaker) piece { return s.date(newYear.Add(5*time.Second), false) }, "31 December 2026, 20:30", "۱ ژانویه ۲۰۲۷ ساعت ۰۰:۰۰"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.say(en).plain; got != tt.en {
				t.Errorf("%q, want %q", got, tt.en)
			}
			if got := tt.say(fa).plain; got != tt.fa {
				t.Errorf("%q, want %q", got, tt.fa)
			}
		})
	}
}
