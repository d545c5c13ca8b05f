package proxypool

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClientList(t *testing.T) {
	for _, test := range []struct{ name, ranges, admits, never string }{
		{"everybody", "", "127.0.0.1 192.0.2.7 2001:db8::1", ""},
		{"ranges", "127.0.0.0/8 10.0.0.0/8", "127.0.0.1 127.255.255.255 10.1.2.3 ::ffff:10.1.2.3", "11.0.0.0 ::1 128.0.0.1"},
		{"addresses", "192.0.2.7 ::1", "192.0.2.7 ::1 ::ffff:192.0.2.7", "192.0.2.8 ::2"},
		{"IPv6", "fe80::/10", "fe80::1 fe80::1%eth0", "fec0::1"},
		{"IPv4 in IPv6", "::ffff:10.0.0.0/104 ::ffff:192.0.2.7", "10.1.2.3 192.0.2.7", "11.0.0.1 192.0.2.8"},
		{"every IPv4", "0.0.0.0/0", "192.0.2.7", "2001:db8::1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := newClientList(strings.Fields(test.ranges))
			if err != nil {
				t.Fatal(err)
			}
			for addrs, want := range map[string]bool{test.admits: true, test.never: false} {
				for _, addr := range strings.Fields(addrs) {
					if got := list.admits(netip.MustParseAddr(addr)); got != want {
						t.Errorf("%s: got %t, expected %t", addr, got, want)
					}
				}
			}
			if got, want := list.admits(netip.Addr{}), len(list) == 0; got != want {
				t.Errorf("without an address: got %t, expected %t", got, want)
			}
		})
	}
}

func TestParsePrefixesHostBits(t *testing.T) {
	for word, want := range map[string]string{
		"10.0.0.5/8":            `clients: "10.0.0.5/8" is an address within a range, did you mean 10.0.0.0/8 or 10.0.0.5?`,
		"fd00::1/8":             `clients: "fd00::1/8" is an address within a range, did you mean fd00::/8 or fd00::1?`,
		"::ffff:10.0.0.5/104":   `clients: "::ffff:10.0.0.5/104" is an address within a range, did you mean 10.0.0.0/8 or 10.0.0.5?`,
		"10.0.0.5/32":           "",
		"0.0.0.0/0":             "",
		"::ffff:192.0.2.7/128":  "",
		"::ffff:192.0.2.0/120":  "",
		"2001:db8::/32":         "",
		"2001:db8:0:0:1::1/128": "",
	} {
		_, err := newClientList([]string{word})
		checkError(t, err, want)
	}
}

func TestParsePrefixesRefuses(t *testing.T) {
	for _, word := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "10.0.0.1:80", "[::1]", "fe80::1%eth0", "fe80::%eth0/10", "10.0.0.0-10.0.0.9", "*"} {
		_, err := parsePrefixes("allow_private", []string{"::1", word})
		if err == nil || !strings.HasPrefix(err.Error(), "allow_private: expected a range") {
			t.Errorf("%q: got %v, expected an error", word, err)
		}
	}
}
