package caddyfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
)

// Off is what the word "off" is for a duration.
const Off = caddy.Duration(-1)

// SizeOff is what the word "off" is for a size.
const SizeOff = int64(-1)

// maxQuoted is how much of a wrong word an error shows.
const maxQuoted = 64

// Quote is a word as errors show it. A word that may be a URL with a user part,
// or a piece of one, is not shown.
func Quote(word string) string {
	if strings.ContainsAny(word, "@") || strings.Contains(word, "://") {
		return "(a URL, not shown)"
	}
	if len(word) > maxQuoted {
		return strconv.Quote(word[:maxQuoted]) + "..."
	}
	return strconv.Quote(word)
}

// Text takes any word as it is.
func Text(word string) (string, error) { return word, nil }

// Duration reads a duration as Caddy writes them, days included ("1d12h"), or a
// bare number of seconds.
func Duration(word string) (caddy.Duration, error) {
	if seconds, err := strconv.ParseFloat(word, 64); err == nil && isDecimal(word) {
		nanos := seconds * float64(time.Second)
		if math.Abs(nanos) >= math.MaxInt64 {
			return 0, fmt.Errorf("the duration %s is too long", Quote(word))
		}
		return caddy.Duration(math.Round(nanos)), nil
	}
	d, err := caddy.ParseDuration(word)
	if err != nil {
		return 0, fmt.Errorf("expected a duration such as 500ms, 90s, 5m or 1d, or a number of seconds, got %s", Quote(word))
	}
	return caddy.Duration(d), nil
}

// DurationOrOff reads a duration or the word "off", which is [Off].
func DurationOrOff(word string) (caddy.Duration, error) {
	if word == "off" {
		return Off, nil
	}
	d, err := Duration(word)
	if err != nil {
		return 0, fmt.Errorf("%w; or off", err)
	}
	if d == Off { // written as "-1ns", which nobody means
		return 0, fmt.Errorf("must not be negative, got %s", Quote(word))
	}
	return d, nil
}

// Size reads a number of bytes: "512", "64KiB", "1.5MB". The units are powers of
// 1024, whichever way they are spelled.
func Size(word string) (int64, error) {
	number := strings.TrimRight(word, "KMGTiBkmgtb")
	unit := strings.ToUpper(word[len(number):])
	switch unit {
	case "KB", "MB", "GB", "TB":
		unit = unit[:1] + "IB"
	case "", "B", "KIB", "MIB", "GIB", "TIB":
	default:
		number = ""
	}
	// humanize would read the comma of "1,5MB" as a separator of thousands.
	if n, err := strconv.ParseFloat(number, 64); err != nil || n < 0 || !isDecimal(number) {
		return 0, fmt.Errorf("expected a size such as 512KiB, 1MB or 5GB, got %s", Quote(word))
	}
	size, err := humanize.ParseBytes(number + unit)
	if err != nil || size > math.MaxInt64 {
		return 0, fmt.Errorf("the size %s is too large", Quote(word))
	}
	return int64(size), nil
}

// SizeOrOff reads a number of bytes or the word "off", which is [SizeOff].
func SizeOrOff(word string) (int64, error) {
	if word == "off" {
		return SizeOff, nil
	}
	size, err := Size(word)
	if err != nil {
		return 0, fmt.Errorf("%w; or off", err)
	}
	return size, nil
}

// Switch reads "on" or "off".
func Switch(word string) (bool, error) {
	switch word {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, fmt.Errorf("expected on or off, got %s", Quote(word))
}

// Int reads a whole number.
func Int(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0, fmt.Errorf("expected a whole number, got %s", Quote(word))
	}
	return n, nil
}

// Number reads a decimal number.
func Number(word string) (float64, error) {
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || !isDecimal(word) {
		return 0, fmt.Errorf("expected a number, got %s", Quote(word))
	}
	return n, nil
}

// Status reads an HTTP status, 100 to 599, or a class of them as in "4xx", which
// is the one digit that stands for it, as in Caddy's response matchers.
func Status(word string) (int, error) {
	digits, class := strings.CutSuffix(word, "xx")
	n, err := strconv.Atoi(digits)
	if err != nil || !isDecimal(digits) || class != (len(digits) == 1) || !IsStatus(n) {
		return 0, fmt.Errorf("expected a status from 100 to 599 or a class such as 4xx, got %s", Quote(word))
	}
	return n, nil
}

// IsStatus reports whether n is a status or, as one digit, a class of them.
func IsStatus(n int) bool {
	return n >= 1 && n <= 5 || n >= 100 && n <= 599
}

// isDecimal reports whether word is a plain decimal number: no exponent, which a
// unit could be taken for, no "inf", no hexadecimal.
func isDecimal(word string) bool {
	return strings.ContainsAny(word, "0123456789") && strings.Trim(word, "0123456789.-") == ""
}
