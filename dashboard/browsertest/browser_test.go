package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const patience = 30 * time.Second

// browser is a tab of a browser of its own.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	asked    []string // URLs
	faults   []string // errors in the console, breaches of the policy among them
	tolerate bool     // the server is to be lost
}

// chromium is the browser of all tests, started by the first that needs it. Each
// has a tab of its own, and an origin, with all that is kept for it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, errors.New("no Chromium found. On Debian: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1360, 900), chromedp.Flag("lang", "en-GB"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, quitChromium = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {})) // it complains of events that it does not know
	return ctx, chromedp.Run(ctx)
})

var quitChromium = func() {}

// open shows a page, at the size of a desktop. Where there is no browser the test
// is skipped, but in CI, which sets BROWSER_REQUIRED.
func open(t *testing.T, url string) *browser {
	t.Helper()
	parent, err := chromium()
	if err != nil {
		if os.Getenv("BROWSER_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.hear)
	b.run(network.Enable(), log.Enable(), chromedp.EmulateViewport(1360, 900), chromedp.Navigate(url))
	t.Cleanup(b.check)
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			b.faults = append(b.faults, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	}
}

// check fails where the page asked somebody else, or something went wrong in it.
func (b *browser) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.asked {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			b.t.Errorf("the page asked %s", url)
		}
	}
	if len(b.faults) > 0 && !b.tolerate {
		b.t.Errorf("in the console: %q", b.faults)
	}
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval is the value of an expression.
func eval[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, &value))
	return value
}

// until waits until an expression is true on the page. While it cannot be
// evaluated, because an element is missing say, it is not.
func (b *browser) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Poll("(() => { try { return "+expression+"; } catch { return false; } })()", nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
		b.shoot("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
		b.t.Fatalf("never true: %s: %v\n%s", expression, err, eval[string](b, "document.body.innerText.slice(0, 600)"))
	}
}

// click clicks the first element of a selector.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.until("document.querySelector(" + quote(selector) + ") !== null")
	b.run(chromedp.Evaluate("document.querySelector("+quote(selector)+").click()", nil))
}

func quote(s string) string { return "`" + s + "`" }

// shoot keeps a screenshot.
func (b *browser) shoot(name string) {
	b.t.Helper()
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	dir := filepath.Join(root, ".build", "screenshots")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// scheme prefers a light or a dark page.
func (b *browser) scheme(name string) {
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}
