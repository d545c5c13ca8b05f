package caddyfile

import (
	"strings"
	"testing"
)

func TestAmount(t *testing.T) {
	type amount struct{ usd, gb float64 }
	read := func(word string) (a amount, err error) {
		usd, gb, err := Amount(word)
		if usd != nil {
			a.usd = *usd
		}
		if gb != nil {
			a.gb = *gb
		}
		if err == nil && (usd == nil) == (gb == nil) {
			t.Errorf("%q: expected one of the two, got %v and %v", word, usd, gb)
		}
		return a, err
	}
	words(t, read, map[string]amount{
		"50USD": {usd: 50}, "50usd": {usd: 50}, "$50": {usd: 50}, "12.50USD": {usd: 12.5}, "$.5": {usd: 0.5}, "-5USD": {usd: -5}, "0USD": {},
		"5GB": {gb: 5}, "5gb": {gb: 5}, "5GiB": {gb: 5}, "0.1GB": {gb: 0.1}, "512MB": {gb: 0.5}, "512MiB": {gb: 0.5}, "2TB": {gb: 2048}, "1tib": {gb: 1024},
		"1048576KB": {gb: 1}, "1048576KiB": {gb: 1}, "-5GB": {gb: -5},
	}, "", "50", "USD", "GB", "$", "$50USD", "$5GB", "USD50", "50$", "50EUR", "50 USD", "5e3GB", "1,5GB", "5B", "5G", "5PB", "5GBit", "NaNUSD", "InfGB", "0x5GB", "1-2GB", "1.2.3USD")
	if _, _, err := Amount("http://user:secret@192.0.2.1"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got the error %v, expected one that shows no password", err)
	}
}
