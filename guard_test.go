package proxypool

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

func TestCheckPrivate(t *testing.T) {
	for word, public := range map[string]bool{
		"8.8.8.8": true, "8.8.8.0/24": true, "2a00:1450:4001::8a": true, "2a00::/16": true, "11.0.0.0/8": true,
		"10.0.0.0/8": false, "10.1.2.3": false, "127.0.0.1": false, "169.254.169.254": false, "::1": false,
		"0.0.0.0/0": false, "8.0.0.0/6": false, "::/0": false, "2000::/3": false, "fd00::/8": false,
		"2001:db8::/32": false, "2002::/16": false, "2002:a00::/24": false, "64:ff9b::/96": false, "168.63.129.16": false,
	} {
		want := ""
		if public {
			want = "allow_private: " + word + " is public already"
		}
		ranges, err := parsePrefixes("allow_private", []string{"192.168.0.0/16", word})
		if err != nil {
			t.Fatal(err)
		}
		checkError(t, checkPrivate(ranges), want)
	}
}

func TestGuard(t *testing.T) {
	public := newGuard(nil)
	office := newGuard(prefixes(t, "10.0.0.0/8"))
	tests := []struct {
		name    string
		guard   guard
		address string
		refused bool
	}{
		{"public IPv4", public, "8.8.8.8:443", false},
		{"public IPv6", public, "[2a00:1450:4001::8a]:443", false},
		{"this network", public, "0.0.0.0:80", true},
		{"this network's last", public, "0.255.255.255:80", true},
		{"private 10", public, "10.1.2.3:80", true},
		{"before private 10", public, "9.255.255.255:80", false},
		{"after private 10", public, "11.0.0.0:80", false},
		{"carrier's NAT", public, "100.64.0.1:80", true},
		{"carrier's NAT, last", public, "100.127.255.255:80", true},
		{"after carrier's NAT", public, "100.128.0.0:80", false},
		{"Alibaba's metadata", public, "100.100.100.200:80", true},
		{"loopback", public, "127.0.0.1:2019", true},
		{"loopback's last", public, "127.255.255.255:2019", true},
		{"link-local", public, "169.254.1.1:80", true},
		{"metadata", public, "169.254.169.254:80", true},
		{"private 172", public, "172.16.0.1:80", true},
		{"private 172, last", public, "172.31.255.255:80", true},
		{"after private 172", public, "172.32.0.0:80", false},
		{"protocol assignments", public, "192.0.0.192:80", true},
		{"documentation 1", public, "192.0.2.1:80", true},
		{"documentation 2", public, "198.51.100.1:80", true},
		{"documentation 3", public, "203.0.113.1:80", true},
		{"private 192", public, "192.168.255.255:80", true},
		{"benchmarks", public, "198.19.255.255:80", true},
		{"before benchmarks", public, "198.17.255.255:80", false},
		{"multicast", public, "224.0.0.1:80", true},
		{"reserved", public, "240.0.0.1:80", true},
		{"broadcast", public, "255.255.255.255:80", true},
		{"Azure's wire server", public, "168.63.129.16:80", true},
		{"Azure's neighbour", public, "168.63.129.17:80", false},

		{"unspecified IPv6", public, "[::]:80", true},
		{"loopback IPv6", public, "[::1]:80", true},
		{"unique local", public, "[fd00:ec2::254]:80", true},
		{"unique local, lower half", public, "[fc00::1]:80", true},
		{"link-local IPv6", public, "[fe80::1]:80", true},
		{"link-local IPv6 with zone", public, "[fe80::1%eth0]:80", true},
		{"site-local", public, "[fec0::1]:80", true},
		{"multicast IPv6", public, "[ff02::1]:80", true},
		{"documentation IPv6", public, "[2001:db8::1]:80", true},
		{"documentation IPv6, new", public, "[3fff::1]:80", true},
		{"discard", public, "[100::1]:80", true},

		{"mapped private", public, "[::ffff:10.0.0.1]:80", true},
		{"mapped public", public, "[::ffff:8.8.8.8]:80", false},
		{"compatible loopback", public, "[::127.0.0.1]:80", true},
		{"translated loopback", public, "[::ffff:0:127.0.0.1]:80", true},
		{"NAT64 of metadata", public, "[64:ff9b::169.254.169.254]:80", true},
		{"NAT64 of public", public, "[64:ff9b::8.8.8.8]:80", false},
		{"NAT64 of Azure", public, "[64:ff9b::168.63.129.16]:80", true},
		{"local NAT64", public, "[64:ff9b:1::a00:1]:80", true},
		{"6to4 of private", public, "[2002:c0a8:101::1]:80", true},
		{"6to4 of public", public, "[2002:808:808::1]:80", false},
		{"Teredo", public, "[2001:0:808:808::1]:80", true},

		{"allowed", office, "10.1.2.3:80", false},
		{"allowed, mapped", office, "[::ffff:10.1.2.3]:80", false},
		{"allowed, by NAT64", office, "[64:ff9b::10.1.2.3]:80", false},
		{"another private one", office, "192.168.1.1:80", true},
		{"public beside the allowed", office, "8.8.8.8:80", false},
		{"link-local allowed with zone", newGuard(prefixes(t, "fe80::/10")), "[fe80::1%eth0]:80", false},
		{"loopback IPv6 is not IPv4", newGuard(prefixes(t, "0.0.0.0/0")), "[::1]:80", true},

		{"no guard", "", "127.0.0.1:80", false},
		{"no guard, no address", "", "/run/socket", false},
		{"no address", public, "/run/socket", true},
		{"a name", public, "localhost:80", true},
		{"nothing", public, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.guard.control("tcp", test.address, nil)
			if (err != nil) != test.refused {
				t.Fatalf("%s: got %v, want refused %v", test.address, err, test.refused)
			}
			var e *dial.Error
			if test.refused && (!errors.As(err, &e) || !e.Forbidden() || e.ProxyFault() || e.Timeout()) {
				t.Errorf("%s: got %#v, want a forbidden dial", test.address, err)
			}
		})
	}
}

func prefixes(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	read, err := parsePrefixes("allow_private", texts)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestGuardText: guards that allow the same are the same key of a map.
func TestGuardText(t *testing.T) {
	tests := []struct {
		name  string
		allow []netip.Prefix
		want  guard
	}{
		{"nothing", nil, "public"},
		{"one", prefixes(t, "10.0.0.0/8"), "public,10.0.0.0/8"},
		{"order and repetition", prefixes(t, "fd00::/8", "192.168.0.0/16", "10.0.0.0/8", "10.0.0.0/8"), "public,10.0.0.0/8,192.168.0.0/16,fd00::/8"},
		{"mapped", prefixes(t, "::ffff:10.0.0.0/104"), "public,10.0.0.0/8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, newGuard(test.allow)); diff != "" {
				t.Errorf("guard (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGuardDials asks the guard where it stands: before a socket connects.
func TestGuardDials(t *testing.T) {
	t.Parallel()
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	port := origin.Port()
	tests := []struct {
		name   string
		guard  guard
		target string
		open   bool
	}{
		{"address", newGuard(nil), net.JoinHostPort("127.0.0.1", port), false},
		{"mapped address", newGuard(nil), net.JoinHostPort("::ffff:127.0.0.1", port), false},
		{"unspecified", newGuard(nil), net.JoinHostPort("0.0.0.0", port), false},
		{"name", newGuard(nil), net.JoinHostPort("localhost", port), false},
		{"address allowed", newGuard(prefixes(t, "127.0.0.0/8")), net.JoinHostPort("127.0.0.1", port), true},
		{"name allowed", newGuard(prefixes(t, "127.0.0.0/8", "::1/128")), net.JoinHostPort("localhost", port), true},
		{"no guard", "", net.JoinHostPort("127.0.0.1", port), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := dial.Dialer{Proxy: dial.Proxy{Scheme: direct}, Control: test.guard.control}
			conn, err := d.Tunnel(t.Context(), test.target, nil)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != test.open {
				t.Fatalf("got %v, want open %v", err, test.open)
			}
			var e *dial.Error
			if !test.open && (!errors.As(err, &e) || !e.Forbidden()) {
				t.Errorf("got %v, want a forbidden dial", err)
			}
		})
	}
}
