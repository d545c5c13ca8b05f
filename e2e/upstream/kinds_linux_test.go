package upstream

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// The login of the proxies.
const proxyUser, proxyPassword, otherPassword = "app", "secret-of-the-proxy", "another-secret"

// kind is one of the proxies that people have.
type kind struct {
	name     string
	needs    []string
	scheme   string // of its URL
	password bool
	prepare  func(s *server, reach []string) // sets s.command; reach is the ports of the targets

	// noUpgrades is where it carries no WebSocket of an http:// target. Those of
	// https:// ones are in tunnels.
	noUpgrades bool
	// breaksUploads is where it breaks off some large bodies for http:// targets, in
	// whosever hands it is.
	breaksUploads bool
}

var openSquid = kind{name: "squid", needs: []string{"squid"}, scheme: "http", prepare: squid("http_port"), breaksUploads: true}

var kinds = []kind{
	openSquid,
	{name: "squid with password", needs: []string{"squid", "basic_ncsa_auth", "openssl"}, scheme: "http", password: true, prepare: squid("http_port", "auth"), breaksUploads: true},
	{name: "squid with certificate", needs: []string{"squid", "basic_ncsa_auth", "openssl"}, scheme: "https", password: true, prepare: squid("https_port", "auth"), breaksUploads: true},
	{name: "tinyproxy", needs: []string{"tinyproxy"}, scheme: "http", prepare: tinyproxy, noUpgrades: true},
	{name: "tinyproxy with password", needs: []string{"tinyproxy"}, scheme: "http", password: true, prepare: tinyproxy, noUpgrades: true},
	{name: "haproxy", needs: []string{"haproxy", "squid"}, scheme: "http", prepare: haproxy, breaksUploads: true},
	{name: "microsocks", needs: []string{"microsocks"}, scheme: "socks5", prepare: microsocks},
	{name: "microsocks with password", needs: []string{"microsocks"}, scheme: "socks5", password: true, prepare: microsocks},
	{name: "dante", needs: []string{"danted"}, scheme: "socks5", prepare: dante},
	{name: "dante with password", needs: []string{"danted", "unshare", "openssl"}, scheme: "socks5", password: true, prepare: dante},
	{name: "this module", scheme: "https", password: true, prepare: module},
}

// url is that of the proxy as the pool knows it.
func (k kind) url(s *server) string {
	u := url.URL{Scheme: k.scheme, Host: s.addr}
	if k.password {
		u.User = url.UserPassword(proxyUser, proxyPassword)
	}
	return u.String()
}

// proxy is the proxy in the pool.
func (k kind) proxy(t testing.TB, s *server) string {
	t.Helper()
	trust := ""
	if k.scheme == "https" {
		trust = "tls_trust_pool file " + proxytest.CAFile(t)
	}
	return fmt.Sprintf("proxy Cheap %s {\n\ttype vps\n\t%s\n}", k.url(s), trust)
}

// startKind starts a proxy that reaches ports of this machine.
func startKind(t testing.TB, k kind, reach []string) *server {
	t.Helper()
	s := newServer(t)
	k.prepare(s, reach)
	s.start(k.rightPassword())
	return s
}

func (k kind) rightPassword() string {
	if k.password {
		return proxyPassword
	}
	return ""
}

// documented is a configuration of docs/upstream-proxies.md, by its first line,
// with that replaced which is another here.
func documented(t testing.TB, name string, replace ...string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/upstream-proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n# "+name+"\n")
	text, _, end := strings.Cut(text, "```\n")
	if !ok || !end {
		t.Fatalf("docs/upstream-proxies.md has no %s", name)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s in docs/upstream-proxies.md has no %q", name, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	return text
}

// without drops the lines that match.
func without(text, lines string) string {
	return regexp.MustCompile(`(?m)^.*(?:`+lines+`).*\n`).ReplaceAllString(text, "")
}

// squid is Squid that listens on the port of a directive, and has users or not.
func squid(directive string, with ...string) func(*server, []string) {
	return func(s *server, reach []string) {
		s.asNobody()
		s.command = func(password string) []string {
			text := documented(s.t, "/etc/squid/squid.conf", "port 80 443", "port "+strings.Join(reach, " "),
				"/etc/squid/", s.dir+"/", "http_port 3128", "http_port "+s.addr, "https_port 3129", "https_port "+s.addr,
				"shutdown_lifetime 3 seconds", "shutdown_lifetime 1 seconds")
			text = without(text, "to_localhost")
			if len(with) == 0 {
				text = strings.Replace(without(text, "auth"), "http_access allow app", "http_access allow all", 1)
			} else {
				s.file("passwd", proxyUser+":"+hashed(s.t, "-apr1", password)+"\n")
			}
			if directive == "https_port" {
				text = without(text, "^http_port")
				s.certificate("vps.pem", "vps.key")
			} else {
				text = without(text, "^https_port")
			}
			text += fmt.Sprintf("pid_filename none\npinger_enable off\ncache_log /dev/stderr\nvisible_hostname e2e\n"+
				"logformat e2e %%>a %%Ss/%%03>Hs %%>st %%<st %%rm %%ru\naccess_log stdio:%[1]s/access.log e2e\ncoredump_dir %[1]s\n", s.dir)
			// The name keeps what it shares in memory apart from other ones.
			// One that was killed leaves memory under its name, which no later one may have.
			name := fmt.Sprintf("e2e%d", time.Now().UnixNano())
			return []string{caddytest.Program("squid"), "-N", "-n", name, "-f", s.file("squid.conf", text)}
		}
	}
}

// hashed is a password as files of users have it.
func hashed(t testing.TB, algorithm, password string) string {
	t.Helper()
	out, err := command(t, "openssl", "passwd", algorithm, password)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// certificate writes a certificate that the tests' CA has signed, and its key.
func (s *server) certificate(certificate, key string) {
	s.t.Helper()
	leaf := proxytest.ServerTLS().Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.file(certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})))
	s.file(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

func tinyproxy(s *server, reach []string) {
	s.asNobody()
	s.command = func(password string) []string {
		var ports strings.Builder
		for _, port := range reach {
			fmt.Fprintf(&ports, "ConnectPort %s\n", port)
		}
		text := documented(s.t, "/etc/tinyproxy/tinyproxy.conf", "Port 8888", "Listen 127.0.0.1\nPort "+s.port(),
			"ConnectPort 443\n", ports.String(), "BasicAuth app secret", "BasicAuth "+proxyUser+" "+password)
		if password == "" {
			text = without(text, "BasicAuth")
		}
		return []string{caddytest.Program("tinyproxy"), "-d", "-c", s.file("tinyproxy.conf", text)}
	}
}

// haproxy is HAProxy in front of two of Squid.
func haproxy(s *server, reach []string) {
	behind := []*server{startKind(s.t, openSquid, reach), startKind(s.t, openSquid, reach)}
	s.behind = behind
	s.command = func(string) []string {
		text := documented(s.t, "/etc/haproxy/haproxy.cfg", "bind :3128", "bind "+s.addr,
			"203.0.113.10:3128", behind[0].addr, "203.0.113.11:8888", behind[1].addr,
			"mode tcp\n", "mode tcp\n\tlog stderr format raw local0\n\tlog-format \"carried %U %B\"\n")
		return []string{caddytest.Program("haproxy"), "-db", "-f", s.file("haproxy.cfg", text)}
	}
}

func microsocks(s *server, _ []string) {
	s.command = func(password string) []string {
		words := strings.Fields(documented(s.t, "microsocks", "1080", s.port(), "-u app", "-i 127.0.0.1 -u "+proxyUser, "-P secret", "-P "+password))
		if password == "" {
			words = words[:5]
		}
		return append([]string{caddytest.Program("microsocks")}, words[1:]...)
	}
}

// dante is Dante. Its users are the system's: for this process alone there is one
// more.
func dante(s *server, _ []string) {
	s.command = func(password string) []string {
		text := documented(s.t, "/etc/danted.conf", "internal: eth0 port = 1080", "internal: 127.0.0.1 port = "+s.port(), "external: eth0", "external: lo",
			"user.unprivileged: nobody", "user.unprivileged: root") // as it could be limited by nobody else
		run := []string{caddytest.Program("danted"), "-f", "", "-p", filepath.Join(s.dir, "pid")}
		if password == "" {
			text = strings.Replace(text, "socksmethod: username", "socksmethod: none", 1)
		}
		run[2] = s.file("danted.conf", text)
		if password == "" {
			return run
		}
		for name, line := range map[string]string{
			"passwd": proxyUser + ":x:64000:64000::/:/usr/sbin/nologin\n",
			"shadow": proxyUser + ":" + hashed(s.t, "-6", password) + ":19000:0:99999:7:::\n",
		} {
			system, err := os.ReadFile("/etc/" + name)
			if os.IsPermission(err) {
				caddytest.Lacks(s.t, "root, to add a user")
			}
			if err != nil {
				s.t.Fatal(err)
			}
			s.file(name, string(system)+line)
		}
		return append([]string{"unshare", "--mount", "sh", "-c",
			`mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && exec "$@"`, "sh"}, run...)
	}
}

// module is this module on a VPS.
func module(s *server, _ []string) {
	s.command = func(password string) []string {
		s.certificate("vps.pem", "vps.key")
		path, err := caddytest.Binary()
		if err != nil {
			s.t.Fatal(err)
		}
		return []string{path, "run", "--config", s.file("Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
	proxy_pool {
		storage memory
		pool {
			proxy Own direct
			health_check off
		}
	}
}
https://:%s {
	bind 127.0.0.1
	tls vps.pem vps.key
	proxy_pool_forward {
		allow *
		allow_private 127.0.0.0/8 ::1
		basic_auth %s %s
	}
}
`, s.port(), proxyUser, password))}
	}
}
