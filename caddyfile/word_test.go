package caddyfile

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// words checks what words are read as, and that errors show the bad ones.
func words[T comparable](t *testing.T, parse func(string) (T, error), good map[string]T, bad ...string) {
	t.Helper()
	for word, want := range good {
		if got, err := parse(word); err != nil || got != want {
			t.Errorf("%q: got %v, %v, expected %v", word, got, err, want)
		}
	}
	for _, word := range bad {
		got, err := parse(word)
		if err == nil {
			t.Errorf("%q: read as %v, expected an error", word, got)
		} else if word != "" && !strings.Contains(err.Error(), word[:min(len(word), 20)]) {
			t.Errorf("%q: the error %q does not show it", word, err)
		}
	}
}

func TestDuration(t *testing.T) {
	good := map[string]caddy.Duration{
		"0": 0, "5": caddy.Duration(5 * time.Second), "0.5": caddy.Duration(500 * time.Millisecond),
		".5": caddy.Duration(500 * time.Millisecond), "-5": caddy.Duration(-5 * time.Second),
		"250ms": caddy.Duration(250 * time.Millisecond), "1d12h": caddy.Duration(36 * time.Hour),
	}
	words(t, Duration, good, "", "soon", "5 s", "1e3", "Inf", "NaN", "0x10", "off", "5x", "1.2.3", "99999999999", "292y")
	good["off"] = Off
	words(t, DurationOrOff, good, "", "soon", "OFF", "-1ns")
}

func TestSize(t *testing.T) {
	good := map[string]int64{
		"0": 0, "512": 512, "512B": 512, "1KB": 1 << 10, "1KiB": 1 << 10, "1kb": 1 << 10, "1.5MB": 3 << 19, "64MiB": 64 << 20,
		"2GB": 2 << 30, "2gib": 2 << 30, "1TB": 1 << 40, "0.5KiB": 512,
	}
	words(t, Size, good, "", "MB", "-1MB", "1,5MB", "1K", "1e3", "1PB", "1MBit", "one", "1.2.3", "1-2MB", "9223372036854775808", "99999999999GB", "off")
	good["off"] = SizeOff
	words(t, SizeOrOff, good, "", "OFF", "-1", "none")
}

func TestSwitch(t *testing.T) {
	words(t, Switch, map[string]bool{"on": true, "off": false}, "", "yes", "true", "ON", "1")
}

func TestNumbers(t *testing.T) {
	words(t, Int, map[string]int{"0": 0, "-3": -3, "64": 64}, "", "1.5", "1_000", "99999999999999999999", "ten")
	words(t, Number, map[string]float64{"0": 0, "-1": -1, "12": 12, "0.5": 0.5}, "", "NaN", "Inf", "1e3", "0x1p4", "1_0", "12USD")
}

func TestStatus(t *testing.T) {
	words(t, Status, map[string]int{"100": 100, "599": 599, "200": 200, "4xx": 4, "1xx": 1},
		"", "99", "600", "0", "4", "6xx", "0xx", "40x", "44xx", "+200", "xx", "-200", "ok")
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"many":                       `"many"`,
		"":                           `""`,
		"http://user:secret@h":       "(a URL, not shown)",
		"user:secret@h":              "(a URL, not shown)",
		"https://h/bot123:secret/x":  "(a URL, not shown)",
		strings.Repeat("x", 65):      `"` + strings.Repeat("x", 64) + `"...`,
		"line\nbreak":                `"line\nbreak"`,
		strings.Repeat("\xff", 1000): `"` + strings.Repeat(`\xff`, 64) + `"...`,
	} {
		if got := Quote(word); got != want {
			t.Errorf("%q is shown as %s, expected %s", word, got, want)
		}
	}
}
