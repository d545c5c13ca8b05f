package proxypool

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// frontSite is a Caddyfile in whose sites FRONT stands for a forward front with
// options.
func frontSite(options, sites string) string {
	front := "proxy_pool_forward {\n" + options + "\n}"
	return "{\nadmin off\nskip_install_trust\nlog {\noutput proxypool_test\n}\nproxy_pool {\nstorage memory\npool {\nproxy Own direct\nhealth_check off\n}\n}\n}\n" +
		strings.ReplaceAll(sites, "FRONT", front)
}

// validateSite adapts and provisions a Caddyfile, and starts nothing.
func validateSite(t *testing.T, text string) error {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatalf("adapting: %v\n%s", err, text)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	captured.reset()
	return caddy.Validate(&config)
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got the error %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got the error\n%v\nexpected one with\n%s", err, want)
	}
}

func TestSiteReached(t *testing.T) {
	const (
		host = "no CONNECT can reach this front: its site has the host "
		path = "no CONNECT can reach this front: it stands behind a matcher of paths"
		only = "no CONNECT can reach this front: it stands behind a matcher of the host "
		vps  = host + "vps.example.com, and Caddy answers CONNECT for other hosts with an empty 200; write "
	)
	for _, test := range []struct{ name, sites, want string }{
		{"port", ":3128 {\nFRONT\n}", ""},
		{"port without TLS", "http://:3128 {\nFRONT\n}", ""},
		{"port with TLS", "https://:3128 {\nFRONT\n}", ""},
		{"port and host", ":443, vps.example.com {\nFRONT\n}", ""},
		{"host and port", "vps.example.com, :443 {\nFRONT\n}", ""},
		{"other port and host", ":8443, vps.example.com:8443 {\nFRONT\n}", ""},
		{"beside a host", "vps.example.com:3128 {\nrespond hi\n}\n:3128 {\nFRONT\n}", ""},
		{"beside a port", "vps.example.com:3128 {\nFRONT\n}\n:3128 {\nrespond hi\n}", host},
		{"host", "vps.example.com {\nFRONT\n}", vps + `":443, vps.example.com {" (or ":3128 {" without TLS)`},
		{"hosts", "vps.example.com, b.example.com {\nFRONT\n}", `write ":443, vps.example.com, b.example.com {"`},
		{"host with port", "vps.example.com:8443 {\nFRONT\n}", vps + `":8443, vps.example.com:8443 {" (or ":3128 {" without TLS)`},
		{"host without TLS", "http://vps.example.com:3128 {\nFRONT\n}", vps + `":3128 {"`},
		{"host on the HTTP port", "http://vps.example.com {\nFRONT\n}", vps + `":80 {"`},
		{"wildcard", "*.example.com {\nFRONT\n}", host + "*.example.com"},
		{"localhost", "localhost:3128 {\nFRONT\n}", `write ":3128 {" and, in it, "bind 127.0.0.1"`},
		{"address", "http://127.0.0.1:3128 {\nFRONT\n}", `write ":3128 {" and, in it, "bind 127.0.0.1"`},
		{"host at a socket", "http://vps.example.com {\nbind unix//run/front.sock\nFRONT\n}", vps + `":80 {"`},
		{"host with an allowed name", "api.telegram.org {\nFRONT\n}", host + "api.telegram.org"},
		{"handle", ":3128 {\nhandle {\nFRONT\n}\n}", ""},
		{"handle with host", "vps.example.com {\nhandle {\nFRONT\n}\n}", host},
		{"handle after a path", ":3128 {\nhandle /x {\nrespond hi\n}\nhandle {\nFRONT\n}\n}", ""},
		{"handle of a path", ":3128 {\nhandle /proxy/* {\nFRONT\n}\n}", path},
		{"handle of every path", ":3128 {\nhandle * {\nFRONT\n}\n}", ""},
		{"handle before another front", ":3128 {\nhandle {\nFRONT\n}\nhandle /x {\nrespond hi\n}\n}", ""},
		{"second front", ":3128 {\nroute {\nFRONT\nhandle /x {\nFRONT\n}\n}\n}", path},
		{"route", ":3128 {\nroute {\nheader X y\nFRONT\n}\n}", ""},
		{"path", ":3128 {\n@x path /a /b\nroute @x {\nFRONT\n}\n}", path},
		{"every path below the root", ":3128 {\nroute /* {\nFRONT\n}\n}", path},
		{"path by expression", ":3128 {\n@x path_regexp ^/x\nroute @x {\nFRONT\n}\n}", path},
		{"empty path by expression", ":3128 {\n@x path_regexp ^$\nroute @x {\nFRONT\n}\n}", path},
		{"not a path", ":3128 {\n@x not path /x\nroute @x {\nFRONT\n}\n}", ""},
		{"method", ":3128 {\n@x method CONNECT\nroute @x {\nFRONT\n}\n}", ""},
		{"allowed host", ":3128 {\n@x host API.telegram.org\nroute @x {\nFRONT\n}\n}", ""},
		{"allowed suffix", ":3128 {\n@x host a.instagram.com\nroute @x {\nFRONT\n}\n}", ""},
		{"hosts, one allowed", ":3128 {\n@x host vps.example.com api.telegram.org\nroute @x {\nFRONT\n}\n}", ""},
		{"other host", ":3128 {\n@x host vps.example.com\nroute @x {\nFRONT\n}\n}", only + "vps.example.com"},
		{"suffix itself", ":3128 {\n@x host instagram.com\nroute @x {\nFRONT\n}\n}", only + "instagram.com"},
		{"alternatives", ":3128 {\n@x expression {method} == 'CONNECT' || path('/x')\nroute @x {\nFRONT\n}\n}", ""},
		{"named route", "&(front) {\nFRONT\n}\n:3128 {\ninvoke front\n}", ""},
		{"error route", ":3128 {\nrespond hi\nhandle_errors {\nFRONT\n}\n}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, validateSite(t, frontSite("allow api.telegram.org *.instagram.com:443\nopen_to_everyone", test.sites)), test.want)
		})
	}
}

func TestSiteGuarded(t *testing.T) {
	const (
		site    = ":3128 {\nFRONT\n}"
		refused = "this front would be an open proxy for everybody who can reach "
	)
	for _, test := range []struct{ name, sites, options, want string }{
		{"network", site, "", refused + `:3128: write "bind 127.0.0.1" into its site, or "basic_auth <user> <password>" or "clients <range...>" into the front, or "open_to_everyone"`},
		{"login", site, "basic_auth app secret", ""},
		{"clients", site, "clients 10.0.0.0/8", ""},
		{"open", site, "open_to_everyone", ""},
		{"allow everything", site, "allow *", refused},
		{"loopback", ":3128 {\nbind 127.0.0.1\nFRONT\n}", "", ""},
		{"other loopback", ":3128 {\nbind 127.9.9.9 [::1]\nFRONT\n}", "", ""},
		{"loopback by name", ":3128 {\nbind localhost\nFRONT\n}", "", ""},
		{"loopback and network", ":3128 {\nbind 127.0.0.1 192.0.2.7\nFRONT\n}", "", refused + "192.0.2.7:3128"},
		{"all addresses", ":3128 {\nbind 0.0.0.0\nFRONT\n}", "", refused + "0.0.0.0:3128"},
		{"socket", ":3128 {\nbind unix//run/front.sock\nFRONT\n}", "", ""},
		{"abstract socket", ":3128 {\nbind unix/@front\nFRONT\n}", "", ""},
		{"descriptor", ":3128 {\nbind fd/3\nFRONT\n}", "", refused + "fd/3"},
		{"TLS", ":443, vps.example.com {\nFRONT\n}", "", refused + ":443"},
		{"reverse front beside it", ":8080 {\nproxy_pool https://api.telegram.org\n}\n:3128 {\nbind 127.0.0.1\nFRONT\n}", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, validateSite(t, frontSite("allow api.telegram.org\n"+test.options, test.sites)), test.want)
		})
	}
}

func TestSiteWarnsOfPlainPasswords(t *testing.T) {
	const login, clients = "basic_auth app secret", "clients 10.0.0.0/8"
	for _, test := range []struct {
		name, sites, options string
		want                 bool
	}{
		{"network", ":3128 {\nFRONT\n}", login, true},
		{"HTTP port", ":80 {\nFRONT\n}", login, true},
		{"no password", ":3128 {\nFRONT\n}", clients, false},
		{"loopback", ":3128 {\nbind 127.0.0.1\nFRONT\n}", login, false},
		{"socket", ":3128 {\nbind unix//run/front.sock\nFRONT\n}", login, false},
		{"TLS", ":443, vps.example.com {\nFRONT\n}", login, false},
		{"HTTPS port", ":443 {\nFRONT\n}", login, false},
		{"TLS on another port", ":8443, vps.example.com:8443 {\nFRONT\n}", login, false},
		{"beside TLS", ":8443, vps.example.com:8443 {\nFRONT\n}\nhttp://:3128 {\nFRONT\n}", login, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, validateSite(t, frontSite("allow api.telegram.org\n"+test.options, test.sites)), "")
			want := 0
			if test.want {
				want = 1
			}
			logged := captured.String()
			if got := strings.Count(logged, "cross the network unencrypted"); got != want {
				t.Errorf("warned %d times, expected %d", got, want)
			}
			if strings.Contains(logged, "secret") {
				t.Error("the log has the password")
			}
		})
	}
}

// TestSiteNamed: what shows only when provisioned says of which front it is.
func TestSiteNamed(t *testing.T) {
	t.Setenv("PP_EMPTY", "")
	const good = "allow *\nopen_to_everyone"
	for _, test := range []struct{ name, options, sites, want string }{
		{"pool", good + "\npool mian", ":3128 {\nFRONT\n}", `: forward front on :3128: pool "mian" does not exist, expected one of default`},
		{"value", good + "\nallow {env.PP_EMPTY}", ":3128 {\nFRONT\n}", ": forward front on :3128: allow: "},
		{"open", "allow *", ":3128 {\nFRONT\n}", ": forward front on :3128: this front would be an open proxy"},
		{"address", good + "\npool mian", ":3128 {\nbind 127.0.0.1 ::1\nFRONT\n}", ": forward front on 127.0.0.1:3128, [::1]:3128: pool"},
		{"path", good, ":3128 {\nhandle_path /x/* {\nFRONT\n}\n}", ": forward front on :3128: no CONNECT can reach this front: it stands behind a matcher of paths, " +
			"and CONNECT has no path; write proxy_pool_forward without a path, and outside of handle_path and of what else has one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, validateSite(t, frontSite(test.options, test.sites)), test.want)
		})
	}
}

func TestSiteShadowed(t *testing.T) {
	shadowed := func(name string) string {
		return fmt.Sprintf("no CONNECT can reach this front: %q answers before it; give it a matcher, or write route { ... } with proxy_pool_forward first", name)
	}
	hash := strings.ReplaceAll("basic_auth {\napp HASH\n}", "HASH", testHashes()[0])
	for _, test := range []struct{ name, site, want string }{
		{"respond", "respond hi\nFRONT", shadowed("respond")},
		{"respond after it", "FRONT\nrespond hi", shadowed("respond")},
		{"redir", "redir https://example.com\nFRONT", shadowed("redir")},
		{"abort", "abort\nFRONT", shadowed("abort")},
		{"error", "error 403\nFRONT", shadowed("error")},
		{"basic_auth", hash + "\nFRONT", shadowed("basic_auth") + ", or let the front ask itself"},
		{"forward_auth", "forward_auth 127.0.0.1:9 {\nuri /auth\n}\nFRONT", shadowed("forward_auth")},
		{"file_server in a route", "route {\nfile_server\nFRONT\n}", shadowed("file_server")},
		{"reverse_proxy in a route", "route {\nreverse_proxy 127.0.0.1:9\nFRONT\n}", shadowed("reverse_proxy")},
		{"reverse front in a route", "route {\nproxy_pool https://api.telegram.org\nFRONT\n}", shadowed("proxy_pool")},
		{"route before it", "route {\nheader X y\nrespond hi\n}\nFRONT", shadowed("respond")},
		{"handle before it", "route {\nhandle {\nrespond hi\n}\nFRONT\n}", shadowed("respond")},
		{"handles of everything before it", "handle /x {\nrespond x\n}\nhandle {\nrespond hi\n}\nFRONT", shadowed("respond")},
		{"before its handle", "route {\nrespond hi\nhandle {\nFRONT\n}\n}", shadowed("respond")},
		{"in its handle", "handle {\nrespond hi\nFRONT\n}", shadowed("respond")},
		{"handles", "handle {\nheader X y\n}\nhandle {\n@c method CONNECT\nroute @c {\nFRONT\n}\n}", ""},
		{"group", "@a method CONNECT\nhandle @a {\nheader X y\n}\nhandle {\nFRONT\n}", shadowed("handle")},
		{"method", "@c method CONNECT GET\nrespond @c 403\nFRONT", shadowed("respond")},
		{"all but a path", "@c not path /x\nrespond @c 404\nFRONT", shadowed("respond")},
		{"in a route that has a matcher", "@c method CONNECT\nroute @c {\nrespond hi\nFRONT\n}", shadowed("respond")},

		{"respond to a path", "respond /health OK\nFRONT", ""},
		{"respond to a host", "@x host vps.example.com\nrespond @x hi\nFRONT", ""},
		{"respond to other methods", "@x not method CONNECT\nrespond @x hi\nFRONT", ""},
		{"respond to an address", "@x remote_ip 192.0.2.7\nrespond @x 403\nFRONT", ""},
		{"respond to all addresses but one", "@x not remote_ip 192.0.2.7\nrespond @x 403\nFRONT", ""},
		{"respond to one address of a method", "@x {\nmethod CONNECT\nremote_ip 192.0.2.7\n}\nrespond @x 403\nFRONT", ""},
		{"early hints", "route {\nrespond 103\nFRONT\n}", ""},
		{"redir of a path", "redir /old /new\nFRONT", ""},
		{"basic_auth of a path", strings.Replace(hash, "{", "/admin/* {", 1) + "\nFRONT", ""},
		{"header", "header X y\nFRONT", ""},
		{"log_append", "log_append x y\nFRONT", ""},
		{"encode", "encode gzip\nFRONT", ""},
		{"file_server", "root /srv\nfile_server\nFRONT", ""},
		{"reverse_proxy", "reverse_proxy 127.0.0.1:9\nFRONT", ""},
		{"reverse front", "proxy_pool https://api.telegram.org\nFRONT", ""},
		{"file_server that hands on", "route {\nfile_server {\npass_thru\n}\nFRONT\n}", ""},
		{"reverse_proxy that may hand on", "route {\nreverse_proxy 127.0.0.1:9 {\n@miss status 404\nhandle_response @miss {\nheader X y\n}\n}\nFRONT\n}", ""},
		{"first in a route", "route {\nFRONT\nrespond hi\n}", ""},
		{"handle of a path", "handle /x {\nrespond hi\n}\nhandle {\nFRONT\n}", ""},
		{"handle_path", "handle_path /x/* {\nrespond hi\n}\nhandle {\nFRONT\n}", ""},
		{"handle of a method before all others", "@c method CONNECT\nhandle @c {\nFRONT\n}\nhandle {\nrespond hi\n}", ""},
		{"handle of an address", "@x remote_ip 192.0.2.7\nhandle @x {\nrespond hi\n}\nhandle {\nFRONT\n}", ""},
		{"perhaps another of its handles", "route {\nhandle {\n@x remote_ip 192.0.2.7\nhandle @x {\nheader X y\n}\nhandle {\nrespond hi\n}\n}\nFRONT\n}", ""},
		{"for other requests", "@g method GET\nroute @g {\nrespond hi\nFRONT\n}", ""},
		{"two fronts", "route {\nFRONT\nrespond /x hi\nFRONT\n}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkError(t, validateSite(t, frontSite("allow *\nopen_to_everyone", ":3128 {\n"+test.site+"\n}")), test.want)
		})
	}
}

// TestConnectInCaddy holds Caddy to what the checks of sites rely on.
func TestConnectInCaddy(t *testing.T) {
	for _, test := range []struct {
		name, sites string
		want        int
	}{
		{"path matchers are passed by", ":{port} {\nbind 127.0.0.1\nrespond / 210\nrespond /* 211\nrespond 212\n}", 212},
		{"hosts are passed by", "http://vps.example.com:{port} {\nbind 127.0.0.1\nrespond 210\n}", 200},
		{"a port is reached", "http://vps.example.com:{port} {\nbind 127.0.0.1\nrespond 210\n}\n:{port} {\nbind 127.0.0.1\nrespond 211\n}", 211},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, onePool(t, "proxy Own direct"), test.sites)
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprint(conn, "CONNECT api.telegram.org:443 HTTP/1.1\r\nHost: api.telegram.org:443\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodGet})
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1))
			if resp.StatusCode != test.want || len(body) > 0 {
				t.Errorf("got %s and the body %q, expected an empty %d", resp.Status, body, test.want)
			}
		})
	}
}

// TestSiteEncrypts: Caddy serves no TLS on the HTTP port, whatever else the
// server listens on.
func TestSiteEncrypts(t *testing.T) {
	s := site{server: &caddyhttp.Server{TLSConnPolicies: caddytls.ConnectionPolicies{{}}}, httpPort: 80}
	for addr, want := range map[string]bool{":443": true, ":80": false, ":79-81": false, ":81-90": true} {
		a, err := caddy.ParseNetworkAddress(addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.encrypts(a); got != want {
			t.Errorf("%s: got %t, expected %t", addr, got, want)
		}
	}
}
