// Command quickstart shows proxypool at work on one machine: it starts an HTTP
// proxy for each one that the Caddyfile names, and Caddy with that Caddyfile.
// A request to the control address makes a proxy fail, another brings it back.
//
//	quickstart [-control 127.0.0.1:9400] [-raw] <caddy> <Caddyfile>
//
// Ctrl-C or SIGTERM ends all of it.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// stopWithin is how long Caddy has to end.
const stopWithin = 5 * time.Second

func main() {
	control := flag.String("control", "127.0.0.1:9400", "where to tell proxies to fail and to heal")
	raw := flag.Bool("raw", false, "print Caddy's log as it is")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: quickstart [flags] <caddy> <Caddyfile>")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	q := &quickstart{caddy: flag.Arg(0), caddyfile: flag.Arg(1), control: *control, raw: *raw}
	if err := q.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1) //nolint:gocritic // there is nothing left to defer
	}
}

// quickstart is the proxies and the Caddy of one run.
type quickstart struct {
	caddy, caddyfile string // paths
	control          string // address
	raw              bool

	settings settings
	proxies  []*proxy
	chat     *chat // where alerts go; nil where the Caddyfile has none
}

// run starts all and returns when ctx ends, or Caddy does.
func (q *quickstart) run(ctx context.Context) error {
	var err error
	if q.settings, err = adapt(ctx, q.caddy, q.caddyfile); err != nil {
		return err
	}
	// Caddy itself would share a port with another Caddy.
	if err := portsFree(append(q.settings.listen, q.settings.admin)); err != nil {
		return err
	}
	defer q.endProxies()
	for _, s := range q.settings.proxies {
		p := &proxy{name: s.name, addr: s.addr}
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
	return q.runCaddy(ctx)
}

func (q *quickstart) endProxies() {
	for _, p := range q.proxies {
		p.fail()
	}
}

// runCaddy runs Caddy until ctx ends. Its data, a CA of its own among them,
// goes to a directory that is removed afterwards.
func (q *quickstart) runCaddy(ctx context.Context) error {
	data, err := os.MkdirTemp("", "proxypool-quickstart-")
	if err != nil {
		return fmt.Errorf("making a directory for Caddy's data: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }()
	cmd := exec.CommandContext(ctx, q.caddy, "run", "--adapter", "caddyfile", "--config", q.caddyfile)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data)
	cmd.WaitDelay = stopWithin
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill() // where there are no signals
		}
		return nil
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	if q.chat != nil {
		go q.chat.show(ctx)
	}
	q.follow(bufio.NewScanner(log))
	err = cmd.Wait()
	if ctx.Err() != nil {
		fmt.Println("ended")
		return nil
	}
	if err == nil {
		return errors.New("the end of Caddy, which nobody asked for")
	}
	return fmt.Errorf("running Caddy: %w", err)
}

// follow prints Caddy's log until it ends.
func (q *quickstart) follow(log *bufio.Scanner) {
	log.Buffer(nil, 1<<20)
	for log.Scan() {
		line := readLine(log.Bytes())
		if q.raw {
			fmt.Println(log.Text())
		} else if text := line.String(); text != "" {
			fmt.Println(text)
		}
		if line.Message == "serving initial configuration" {
			q.awaitCertificates()
			q.welcome()
		}
	}
}

// awaitCertificates waits until the stand-in has its certificate, which Caddy
// signs in the background.
func (q *quickstart) awaitCertificates() {
	config := &tls.Config{ServerName: "localhost", InsecureSkipVerify: true}
	for _, addr := range q.settings.listen[1:] {
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if conn, err := tls.Dial("tcp", addr, config); err == nil {
				_ = conn.Close()
				break
			}
		}
	}
}

// welcome says what to type.
func (q *quickstart) welcome() {
	var names []string
	for _, p := range q.proxies {
		names = append(names, p.name)
	}
	front, first := atLocalhost(q.settings.listen[0]), strings.ToLower(names[0])
	fmt.Printf(`
Caddy listens on %s and forwards to a stand-in for a Bot API, through
the cheapest of these proxies that works: %s.

Type in another terminal:

`, front, strings.Join(names, ", "))
	for _, step := range [][2]string{
		{"curl -i " + front + "/bot123:abc/getMe", "ask the API"},
		{"curl -X POST " + atLocalhost(q.control) + "/" + first + "/fail", "the cheapest proxy dies"},
		{"curl -i " + front + "/bot123:abc/getMe", "answered all the same, through the next"},
		{"curl -s " + q.settings.admin + "/proxy_pool/status", "who is down, and why"},
		{"curl -X POST " + atLocalhost(q.control) + "/" + first + "/heal", "it is back, and soon carries the traffic"},
		{"curl -s " + q.settings.admin + "/proxy_pool/usage", "what each carried, and what that cost"},
	} {
		fmt.Printf("  %-46s # %s\n", step[0], step[1])
	}
	if q.chat != nil {
		fmt.Printf("  %-46s # %s\n", "curl -d /status "+atLocalhost(q.control)+"/say", "write to the admin's bot")
	}
	fmt.Print("\nCtrl-C ends all of it. What happens meanwhile:\n\n")
}

func atLocalhost(addr string) string { return strings.Replace(addr, "127.0.0.1", "localhost", 1) }

// portsFree refuses to start where somebody else listens.
func portsFree(addrs []string) error {
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
