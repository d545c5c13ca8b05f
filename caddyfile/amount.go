package caddyfile

import (
	"fmt"
	"strings"
)

// gigabytes is what units of traffic are in gigabytes. All are powers of 1024.
var gigabytes = map[string]float64{
	"KB": 1.0 / (1 << 20), "MB": 1.0 / (1 << 10), "GB": 1, "TB": 1 << 10,
	"KIB": 1.0 / (1 << 20), "MIB": 1.0 / (1 << 10), "GIB": 1, "TIB": 1 << 10,
}

// Amount reads some money, "50USD" or "$50", or some traffic, "5GB" or "500MB".
// It returns US dollars or gigabytes of 1024^3 bytes; the other one is nil.
func Amount(word string) (usd, gb *float64, err error) {
	unit := strings.TrimLeft(word, "0123456789.-")
	number := word[:len(word)-len(unit)]
	if dollars, found := strings.CutPrefix(word, "$"); found {
		number, unit = dollars, "USD"
	}
	unit = strings.ToUpper(unit)
	n, err := Number(number)
	factor, traffic := gigabytes[unit]
	switch {
	case err == nil && unit == "USD":
		return &n, nil, nil
	case err == nil && traffic:
		n *= factor
		return nil, &n, nil
	}
	return nil, nil, fmt.Errorf("expected an amount in one word, such as 5GB or 50USD, got %s", Quote(word))
}
