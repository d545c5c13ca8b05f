// Command quickstart shows proxypool at work on one machine: it starts Caddy with
// the Caddyfile, another Caddy with the other one, which does the work of the
// proxies, and a switch in between for each proxy. A request to the control
// address makes a proxy fail, another brings it back.
//
//	quickstart [-control 127.0.0.1:9400] [-raw] <caddy> <Caddyfile> <Caddyfile of the proxies>
//
// Ctrl-C or SIGTERM ends all of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	control := flag.String("control", "127.0.0.1:9400", "where to tell proxies to fail and to heal")
	raw := flag.Bool("raw", false, "print Caddy's log as it is")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: quickstart [flags] <caddy> <Caddyfile> <Caddyfile of the proxies>")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 3 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	q := &quickstart{caddy: flag.Arg(0), caddyfile: flag.Arg(1), vps: flag.Arg(2), control: *control, raw: *raw}
	if err := q.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1) //nolint:gocritic // there is nothing left to defer
	}
}

// quickstart is the proxies and the Caddys of one run.
type quickstart struct {
	caddy, caddyfile, vps string // paths
	control               string // address
	raw                   bool

	settings settings
	behind   string // address of the Caddy that does the proxies' work
	proxies  []*proxy
	chat     *chat // where alerts go; nil where the Caddyfile has none
}

// run starts all and returns when ctx ends, or a Caddy does.
func (q *quickstart) run(ctx context.Context) error {
	if err := q.read(ctx); err != nil {
		return err
	}
	defer q.endProxies()
	for _, s := range q.settings.proxies {
		p := &proxy{name: s.name, addr: s.addr, behind: q.behind}
		if err := p.heal(); err != nil {
			return err
		}
		q.proxies = append(q.proxies, p)
	}
	ln, err := net.Listen("tcp", q.control)
	if err != nil {
		return inUse(q.control, err)
	}
	mux := controls(q.proxies)
	if q.settings.telegram != nil {
		if q.chat, err = openChat(q.settings.telegram); err != nil {
			return err
		}
		defer q.chat.server.Close()
		mux.HandleFunc("POST /say", q.chat.say)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(ln) }()
	defer func() { _ = server.Close() }()
	if err := q.runCaddys(ctx); err != nil {
		return err
	}
	fmt.Println("ended")
	return nil
}

// read reads both Caddyfiles, and refuses to start where somebody else listens.
// Caddy itself would share a port with another Caddy.
func (q *quickstart) read(ctx context.Context) error {
	config, err := adapt(ctx, q.caddy, q.caddyfile)
	if err != nil {
		return err
	}
	if q.settings, err = config.settings(); err != nil {
		return fmt.Errorf("reading %s: %w", q.caddyfile, err)
	}
	if config, err = adapt(ctx, q.caddy, q.vps); err != nil {
		return err
	}
	if q.behind = config.listen("proxy_pool_forward"); q.behind == "" {
		return fmt.Errorf("reading %s: expected a forward front", q.vps)
	}
	return portsFree(q.settings.front, q.settings.forward, q.settings.dashboard, q.settings.standIn, q.settings.admin, q.behind)
}

func (q *quickstart) endProxies() {
	for _, p := range q.proxies {
		p.fail()
	}
}

// welcome says what to type.
func (q *quickstart) welcome() {
	var names []string
	for _, p := range q.proxies {
		names = append(names, p.name)
	}
	front, first := atLocalhost(q.settings.front), strings.ToLower(names[0])
	fmt.Printf(`
Caddy listens on %s and forwards to a stand-in for a Bot API, through
the cheapest of these proxies that works: %s.
In a browser: http://%s/

Type in another terminal:

`, front, strings.Join(names, ", "), atLocalhost(q.settings.dashboard))
	steps := [][2]string{
		{"curl -i " + front + "/bot123:abc/getMe", "ask the API"},
		{"curl -X POST " + atLocalhost(q.control) + "/" + first + "/fail", "the cheapest proxy dies"},
		{"curl -i " + front + "/bot123:abc/getMe", "answered all the same, through the next"},
		{"curl -s " + q.settings.admin + "/proxy_pool/status", "who is down, and why"},
		{"curl -X POST " + atLocalhost(q.control) + "/" + first + "/heal", "it is back, and soon carries the traffic"},
		{"curl -kx " + atLocalhost(q.settings.forward) + " https://" + atLocalhost(q.settings.standIn) + "/bot123:abc/getMe", "as apps do that know HTTPS_PROXY"},
		{"curl -s " + q.settings.admin + "/proxy_pool/usage", "what each carried, and what that cost"},
	}
	if q.chat != nil {
		steps = append(steps, [2]string{"curl -d /status " + atLocalhost(q.control) + "/say", "write to the admin's bot"})
	}
	for _, step := range steps {
		fmt.Printf("  %-62s # %s\n", step[0], step[1])
	}
	fmt.Print("\nCtrl-C ends all of it. What happens meanwhile:\n\n")
}

func atLocalhost(addr string) string { return strings.Replace(addr, "127.0.0.1", "localhost", 1) }

// portsFree refuses to start where somebody else listens.
func portsFree(addrs ...string) error {
	for _, addr := range addrs {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return inUse(addr, err)
		}
		_ = ln.Close()
	}
	return nil
}

func inUse(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program, which has to end first", addr)
	}
	return fmt.Errorf("listening on %s: %w", addr, err)
}
