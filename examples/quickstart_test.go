package examples_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

const (
	startWithin = 30 * time.Second
	soon        = 15 * time.Second // for what the quickstart's checks find out
	apiAnswer   = `{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"Stand-in","username":"standin_bot"}}`
)

// TestQuickstart builds the quickstart and runs it, on other ports.
func TestQuickstart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Caddy")
	}
	if runtime.GOOS == "windows" {
		t.Skip("has no SIGTERM")
	}
	programs := t.TempDir()
	for name, pkg := range map[string]string{"caddy": "../cmd/caddy", "quickstart": "./quickstart"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(programs, name), pkg).CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", pkg, err, out)
		}
	}
	t.Run("tour", func(t *testing.T) { tour(newQuickstart(t, programs)) })
	t.Run("port in use", func(t *testing.T) { portInUse(newQuickstart(t, programs)) })
}

// tour does what the README tells a beginner to type.
func tour(q *quickstart) {
	q.start()
	q.expect("VPS:ok") // through the cheapest

	q.tunnels("VPS:ok")

	q.post("/vps/fail", "VPS is dead")
	q.tunnels("VPS:*Datacenter:ok") // the client sees nothing of it
	q.expect("VPS:*Datacenter:ok")  // the same request, through the next
	q.eventually("VPS is down", func() bool {
		q.expect("*Datacenter:ok")
		return q.status("VPS").Status == "down"
	})
	q.expect("Datacenter:ok") // nobody tries VPS any more
	if row := q.status("VPS"); row.Reason != "dial_refused" || row.Usable {
		q.t.Errorf("VPS is dead, and its status is %+v", row)
	}
	if row := q.status("Residential"); row.Priority != 120 || row.Requests != 0 {
		q.t.Errorf("nobody needed the dearest, and its status is %+v", row)
	}

	q.post("/datacenter/fail", "Datacenter is dead")
	q.expect("Datacenter:*Residential:ok")

	q.post("/vps/heal", "VPS works")
	q.eventually("VPS is healthy", func() bool { return q.status("VPS").Usable })
	q.expect("VPS:ok") // the traffic returns to the cheapest

	q.post("/datacenter/heal", "Datacenter works")
	q.eventually("Datacenter is healthy", func() bool { return q.status("Datacenter").Usable })
	q.post("/vps/hang", "VPS hangs")
	q.expect("VPS:*Datacenter:ok")

	q.chat()
	q.books()
	q.dashboard()
	q.spendBudget()
	q.end()
}

// tunnels asks the API itself, as an app does that has the front as its
// HTTPS_PROXY. The tunnel takes a trail like this, which the terminal shows.
func (q *quickstart) tunnels(trail string) {
	q.t.Helper()
	front := &url.URL{Scheme: "http", Host: "127.0.0.1:" + q.ports["3128"]}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(front),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the demo's own CA
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: soon}
	target := "localhost:" + q.ports["8443"]
	resp, err := client.Get("https://" + target + "/bot123:secret/getMe")
	if err != nil {
		q.t.Fatalf("through the forward front: %v", err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != apiAnswer {
		q.t.Errorf("through the forward front: %s %s (%v)", resp.Status, body, err)
	}
	q.eventually("a line for the tunnel with the trail "+trail, func() bool {
		_, line, _ := strings.Cut(q.lastLine("CONNECT "+target+"  200 in "), " ms  ")
		return matches(trail, line)
	})
	if _, err := client.Get("https://api.telegram.org/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		q.t.Errorf("a target that is not allowed: %v", err)
	}
}

// lastLine is the last that it said with a text.
func (q *quickstart) lastLine(text string) (last string) {
	for line := range strings.Lines(q.said()) {
		if strings.Contains(line, text) {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// chat is what the admin's phone got by now, and what it answers.
func (q *quickstart) chat() {
	q.t.Helper()
	for _, want := range []string{"🔔 VPS is down", "⚡ Auto-switched to: Datacenter", "ℹ️ VPS is healthy again"} {
		q.eventually("Telegram: "+want, func() bool { return strings.Contains(q.said(), "│ "+want) })
	}
	resp, err := http.Post("http://localhost:"+q.ports["9400"]+"/say", "text/plain", strings.NewReader("/status"))
	if err != nil || resp.StatusCode != http.StatusOK {
		q.t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	q.eventually("an answer to /status", func() bool { return strings.Contains(q.said(), "│ Traffic goes through: ") })
}

// books asks what was used, which is in the books at once.
func (q *quickstart) books() {
	q.t.Helper()
	var usage struct {
		Rows []struct {
			Key      string  `json:"key"`
			Requests int     `json:"requests"`
			Cost     float64 `json:"cost_usd"`
			Saved    float64 `json:"saved_usd"`
		} `json:"rows"`
	}
	q.ask("/proxy_pool/usage", &usage)
	if rows := usage.Rows; len(rows) != 3 || rows[0].Key != "default/VPS" || rows[0].Requests == 0 || rows[0].Saved <= 0 || rows[2].Cost <= 0 {
		q.t.Errorf("usage %+v", rows)
	}
	var log struct {
		Rows []struct{ Path, Trail string } `json:"rows"`
	}
	q.ask("/proxy_pool/log?limit=1", &log)
	if len(log.Rows) != 1 || log.Rows[0].Path != "/bot***/getMe" || !strings.HasSuffix(log.Rows[0].Trail, "Datacenter:ok") {
		q.t.Errorf("log %+v", log.Rows)
	}
}

// dashboard opens the page that it names, and presses a button there.
func (q *quickstart) dashboard() {
	q.t.Helper()
	if page := "http://localhost:" + q.ports["8081"] + "/"; !strings.Contains(q.said(), "In a browser: "+page+"\n") {
		q.t.Errorf("it does not name %s", page)
	}
	if resp, body := q.do(http.MethodGet, "8081", "/"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>") {
		q.t.Errorf("the page: %s %.99s", resp.Status, body)
	}
	_, body := q.do(http.MethodGet, "8081", "/api/snapshot")
	var shown struct {
		Head struct {
			Token     string
			Pools     []struct{ Name, Carrier string }
			Notifiers []struct{ Notifier string }
		}
	}
	if err := json.Unmarshal([]byte(body), &shown); err != nil {
		q.t.Fatalf("%v in %.999s", err, body)
	}
	if head := shown.Head; len(head.Pools) != 1 || head.Pools[0].Carrier == "" || len(head.Notifiers) != 1 || head.Notifiers[0].Notifier != "telegram" {
		q.t.Errorf("it shows %.999s", body)
	}
	req, err := http.NewRequest(http.MethodPost, "http://localhost:"+q.ports["8081"]+"/api/proxies/default/VPS/check", nil)
	if err != nil {
		q.t.Fatal(err)
	}
	req.Header.Set("Origin", "http://localhost:"+q.ports["8081"])
	req.Header.Set("X-Proxy-Pool-Token", shown.Head.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		q.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		q.t.Errorf("the button: %s", resp.Status)
	}
}

// spendBudget downloads through the dearest proxy until its budget is spent.
// That cuts the last download off.
func (q *quickstart) spendBudget() {
	q.t.Helper()
	q.post("/vps/fail", "VPS is dead")
	q.post("/datacenter/fail", "Datacenter is dead")
	whole := 0
	q.eventually("the budget is spent", func() bool {
		resp, err := http.Get("http://localhost:" + q.ports["8080"] + "/file/bot123:secret/1MB")
		if err != nil {
			q.t.Fatal(err)
		}
		defer resp.Body.Close()
		if n, err := io.Copy(io.Discard, resp.Body); err == nil && n == 1<<20 {
			whole++
		}
		return !q.status("Residential").Usable
	})
	row := q.status("Residential")
	if whole != 4 || !strings.HasPrefix(row.Reason, "budget spent: 0.05 USD of") || row.Status != "healthy" {
		q.t.Errorf("after %d downloads the status is %+v", whole, row)
	}
	if resp, _ := q.do(http.MethodGet, "8080", "/bot123:secret/getMe"); resp.StatusCode != http.StatusServiceUnavailable {
		q.t.Errorf("answer %d, although no proxy may be used", resp.StatusCode)
	}
}

// portInUse expects a word about the port instead of a riddle.
func portInUse(q *quickstart) {
	ln, err := net.Listen("tcp", "127.0.0.1:"+q.ports["8080"])
	if err != nil {
		q.t.Fatal(err)
	}
	defer ln.Close()
	out, err := q.command().CombinedOutput()
	want := fmt.Sprintf("quickstart: 127.0.0.1:%s is in use by another program, which has to end first\n", q.ports["8080"])
	if err == nil || string(out) != want {
		q.t.Errorf("ended with %v, saying\n%sexpected\n%s", err, out, want)
	}
}

// quickstart is one run of the quickstart, on ports of its own.
type quickstart struct {
	t         *testing.T
	programs  string // a directory
	dir       string
	caddyfile string
	vps       string            // the proxies' Caddyfile
	ports     map[string]string // by the ports that the README names

	cmd    *exec.Cmd
	mu     sync.Mutex
	output bytes.Buffer
	over   chan struct{}
}

func newQuickstart(t *testing.T, programs string) *quickstart {
	t.Helper()
	q := &quickstart{t: t, programs: programs, dir: t.TempDir(), over: make(chan struct{})}
	q.ports = freePorts(t, "2019", "8080", "8081", "3128", "8443", "9400", "9401", "9402", "9403", "9404", "9405")
	q.caddyfile, q.vps = q.moved("Caddyfile"), q.moved("vps.Caddyfile")
	return q
}

// moved is a copy of a Caddyfile with this run's ports.
func (q *quickstart) moved(name string) (path string) {
	q.t.Helper()
	input, err := os.ReadFile(filepath.Join("quickstart", name))
	if err != nil {
		q.t.Fatal(err)
	}
	text := regexp.MustCompile(`:(\d{4})\b`).ReplaceAllStringFunc(string(input), func(port string) string {
		return ":" + q.ports[port[1:]]
	})
	text = strings.Replace(text, "\tskip_install_trust", "\tadmin localhost:"+q.ports["2019"]+"\n\tskip_install_trust", 1)
	path = filepath.Join(q.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		q.t.Fatal(err)
	}
	return path
}

func (q *quickstart) command() *exec.Cmd {
	cmd := exec.Command(filepath.Join(q.programs, "quickstart"), "-control", "127.0.0.1:"+q.ports["9400"], filepath.Join(q.programs, "caddy"), q.caddyfile, q.vps)
	cmd.Env = append(os.Environ(), "TMPDIR="+q.dir)
	return cmd
}

// start starts it and waits until it says what to type.
func (q *quickstart) start() {
	q.t.Helper()
	q.cmd = q.command()
	out, err := q.cmd.StdoutPipe()
	if err != nil {
		q.t.Fatal(err)
	}
	q.cmd.Stderr = q.cmd.Stdout
	if err := q.cmd.Start(); err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() {
		_ = q.cmd.Process.Signal(syscall.SIGTERM)
		<-q.over
		if q.t.Failed() {
			q.t.Logf("the quickstart said\n%s", q.said())
		}
	})
	ready := make(chan struct{})
	go q.read(out, sync.OnceFunc(func() { close(ready) }))
	select {
	case <-ready:
	case <-q.over:
		q.t.Fatal("ended at once")
	case <-time.After(startWithin):
		q.t.Fatal("did not start")
	}
}

// read keeps what it says.
func (q *quickstart) read(out io.Reader, ready func()) {
	defer close(q.over)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		q.mu.Lock()
		q.output.WriteString(lines.Text() + "\n")
		q.mu.Unlock()
		if strings.HasPrefix(lines.Text(), "Ctrl-C ends all of it.") {
			ready()
		}
	}
}

func (q *quickstart) said() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.output.String()
}

// end sends SIGTERM and expects that nothing is left.
func (q *quickstart) end() {
	q.t.Helper()
	if err := q.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		q.t.Fatal(err)
	}
	<-q.over
	if err := q.cmd.Wait(); err != nil {
		q.t.Errorf("ended with %v", err)
	}
	for _, port := range q.ports {
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			q.t.Errorf("something is left: %v", err)
			continue
		}
		_ = ln.Close()
	}
	if left, _ := filepath.Glob(filepath.Join(q.dir, "proxypool-quickstart-*")); len(left) > 0 {
		q.t.Errorf("left behind: %q", left)
	}
	if said := q.said(); strings.Contains(said, "secret") || !strings.Contains(said, "/bot***/getMe  200") {
		q.t.Errorf("expected a line for each request, without the bot's token, got\n%s", said)
	}
}

// do makes a request and reads its answer.
func (q *quickstart) do(method, port, path string) (*http.Response, string) {
	q.t.Helper()
	req, err := http.NewRequest(method, "http://localhost:"+q.ports[port]+path, nil)
	if err != nil {
		q.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		q.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	return resp, string(body)
}

// expect makes a request, which is answered and takes a trail like this; "*"
// stands for anything.
func (q *quickstart) expect(trail string) {
	q.t.Helper()
	resp, body := q.do(http.MethodGet, "8080", "/bot123:secret/getMe")
	if resp.StatusCode != http.StatusOK || body != apiAnswer {
		q.t.Errorf("answer %d %s, expected %s", resp.StatusCode, body, apiAnswer)
	}
	if got := resp.Header.Get("X-Proxy-Trail"); !matches(trail, got) {
		q.t.Errorf("trail %q, expected %q", got, trail)
	}
}

func matches(pattern, s string) bool {
	prefix, suffix, open := strings.Cut(pattern, "*")
	return s == pattern || open && strings.HasPrefix(s, prefix) && strings.HasSuffix(s, suffix)
}

// post makes a proxy fail or heal.
func (q *quickstart) post(path, want string) {
	q.t.Helper()
	if resp, body := q.do(http.MethodPost, "9400", path); resp.StatusCode != http.StatusOK || !strings.HasPrefix(body, want) {
		q.t.Fatalf("POST %s: %d %s", path, resp.StatusCode, body)
	}
}

func (q *quickstart) eventually(what string, holds func() bool) {
	q.t.Helper()
	for deadline := time.Now().Add(soon); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			q.t.Fatalf("waited %s in vain: %s", soon, what)
		}
	}
}

type statusRow struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Usable   bool   `json:"usable"`
	Priority int    `json:"priority"`
	Requests int    `json:"total_requests"`
}

func (q *quickstart) status(proxy string) statusRow {
	q.t.Helper()
	var answer struct {
		Proxies []statusRow `json:"proxies"`
	}
	q.ask("/proxy_pool/status", &answer)
	i := slices.IndexFunc(answer.Proxies, func(r statusRow) bool { return r.Name == proxy })
	if i < 0 {
		q.t.Fatalf("no %s in %+v", proxy, answer)
	}
	return answer.Proxies[i]
}

// ask asks the admin API.
func (q *quickstart) ask(path string, answer any) {
	q.t.Helper()
	_, body := q.do(http.MethodGet, "2019", path)
	if err := json.Unmarshal([]byte(body), answer); err != nil {
		q.t.Fatalf("%v in %s", err, body)
	}
}

// freePorts finds a free port for each of those that the README names.
func freePorts(t *testing.T, names ...string) map[string]string {
	t.Helper()
	ports := make(map[string]string)
	for _, name := range names {
		_, ports[name], _ = net.SplitHostPort(caddytest.FreeAddr(t))
	}
	return ports
}
