package proxypool

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestAllowList(t *testing.T) {
	for _, test := range []struct {
		name, words    string
		reaches, never string
	}{
		{"nothing", "", "", "example.com:443 [::1]:80"},
		{"host", "api.telegram.org", "api.telegram.org:443 API.telegram.org.:80", "api.telegram.org:8443 telegram.org:443 x.api.telegram.org:443"},
		{"host with port", "api.telegram.org:8443", "api.telegram.org:8443", "api.telegram.org:443"},
		{"ports add up", "a.example a.example:22", "a.example:22 a.example:80 a.example:443", "a.example:23"},
		{"suffix", "*.instagram.com", "www.instagram.com:443 a.b.instagram.com:80", "instagram.com:443 notinstagram.com:443 www.instagram.com:22"},
		{"suffix with port", "*.instagram.com:443", "i.instagram.com:443", "i.instagram.com:80"},
		{"suffixes nest", "*.b.example:1 *.example:2", "a.b.example:1 a.b.example:2 b.example:2", "b.example:1 c.example:1"},
		{"top level", "*.com", "example.com:443", "com:443 example.org:443"},
		{"capitals, dot and letters", "API.Example. *.BÜCHER.example.", "api.example:443 x.xn--bcher-kva.example:443", "xn--bcher-kva.example:443"},
		{"IPv4", "192.0.2.7", "192.0.2.7:443 [::ffff:192.0.2.7]:80", "192.0.2.8:443 x.192.0.2.7.example:443"},
		{"IPv6", "[2001:DB8:0::7] [::1]:8080", "[2001:db8::7]:443 [::1]:8080", "[::1]:443 [2001:db8::8]:443"},
		{"everything", "*", "example.com:1 192.0.2.7:65535 [::1]:22 localhost:2019", ""},
		{"every host on a port", "*:443 *:80", "example.com:443 [::1]:80", "example.com:22"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := newAllowList(strings.Fields(test.words))
			if err != nil {
				t.Fatal(err)
			}
			for targets, want := range map[string]bool{test.reaches: true, test.never: false} {
				for _, target := range strings.Fields(targets) {
					host, port, err := connectTarget(target)
					if err != nil {
						t.Fatal(err)
					}
					if got := list.allows(host, port); got != want {
						t.Errorf("%s: got %t, expected %t", target, got, want)
					}
				}
			}
		})
	}
}

func TestAllowListRefuses(t *testing.T) {
	for _, word := range []string{
		"", ".", "*.", "**", "*.*", "*a", "a.*.b", "a.*", "*.a.*", "*.*.a", "*example.com", "*:", "*:0", "*:65536", "*:x", "*:*", "a:*", "*.:443",
		":443", "a:", "a:0", "a:65536", "a:-1", "a:1:2", "a:443-445",
		"https://api.telegram.org", "api.telegram.org/bot", "user:secret@api.telegram.org", "a b", "a,b", "!a", "a..b",
		"10.0.0.0/8", "2001:db8::1", "[2001:db8::1", "[fe80::1%eth0]", "*.[::1]", "*.0.0.1", "*.10.0.0.1", "127.1", "[192.0.2.7]",
	} {
		list, err := newAllowList([]string{word})
		if err == nil {
			t.Errorf("%q: got %v, expected an error", word, list)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
}

func BenchmarkAllows(b *testing.B) {
	list := manyAllowed(b)
	b.ReportAllocs()
	for b.Loop() {
		if !list.allows("a.b.suffix499.example", 443) || list.allows("a.b.c.elsewhere.example", 443) {
			b.Fatal("wrong answer")
		}
	}
}

func TestAllowsAllocatesNothing(t *testing.T) {
	list := manyAllowed(t)
	if n := testing.AllocsPerRun(100, func() { list.allows("a.b.suffix499.example", 443) }); n > 0 {
		t.Errorf("got %v allocations, expected none", n)
	}
}

func manyAllowed(t testing.TB) allowList {
	t.Helper()
	var words []string
	for i := range 500 {
		n := strconv.Itoa(i)
		words = append(words, "host"+n+".example", "*.suffix"+n+".example:443", net.IPv4(192, 0, 2, byte(i)).String())
	}
	list, err := newAllowList(words)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// FuzzAllow: a word of the list allows its own host, or what is below it, on its
// ports, and nothing else.
func FuzzAllow(f *testing.F) {
	for _, seed := range [][2]string{
		{"example.com", "example.com"}, {"*.example.com:8443", "a.b.example.com"}, {"*", "x"}, {"*:443", "1.2.3.4"}, {"[::1]:80", "::1"},
		{"*.com", "com"}, {"BÜCHER.example.", "xn--bcher-kva.example"}, {"127.0.0.1", "127.1"}, {"*.1", "1.1.1.1"}, {"a..b", "b"}, {"*.", "x."},
	} {
		f.Add(seed[0], seed[1], uint16(443))
	}
	f.Fuzz(func(t *testing.T, word, target string, port uint16) {
		list, err := newAllowList([]string{word})
		if err != nil {
			return
		}
		host, _, err := parseAuthority(target, port)
		if err != nil || port == 0 || !list.allows(host, port) {
			return
		}
		if !list.mayName(host) {
			t.Errorf("%q allows %s, but no site of that name", word, host)
		}
		if word == "*" || word == "*:"+strconv.Itoa(int(port)) {
			return
		}
		name, below := strings.CutPrefix(word, "*.")
		own, ownPort, err := parseAuthority(name, 0)
		if err != nil {
			t.Fatalf("%q was taken: %v", word, err)
		}
		if below && !strings.HasSuffix(host, "."+own) || !below && host != own {
			t.Errorf("%q allows the host %q", word, host)
		}
		if ownPort != port && (ownPort != 0 || port != 80 && port != 443) {
			t.Errorf("%q allows port %d", word, port)
		}
	})
}
