package browsertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// do carries out an action in the menu of a proxy.
func (b *browser) do(proxy, action string) {
	b.t.Helper()
	b.until(badge(proxy) + " !== undefined")
	b.click("li[data-id=\"main/" + proxy + "\"] summary")
	button := "li[data-id=\"main/" + proxy + "\"] [data-action=" + action + "]"
	b.until("document.querySelector('" + button + "') !== null") // the menu is filled once it is open
	b.click(button)
}

func TestEveryActionDoesWhatItSays(t *testing.T) {
	w := inEveryStatus(t, "actions on")
	b := open(t, w.page())
	b.until(badge("Residential") + " !== undefined")
	b.click("li[data-id=\"main/Residential\"] summary")
	b.until("document.querySelectorAll('.menu button').length > 3")
	b.shoot("menu")
	b.click("li[data-id=\"main/Residential\"] summary")

	b.do("Residential", "disable")
	w.until("disabled", func() bool { return !w.row("Residential").Active })
	b.until(badge("Residential") + " === 'disabled'")
	b.do("Residential", "enable")
	w.until("enabled", func() bool { return w.row("Residential").Active })

	b.do("VPS-Germany-Main", "unblock")
	w.until("unblocked", func() bool { return w.row("VPS-Germany-Main").Status == "healthy" })

	checked := w.row("Datacenter-2").LastCheck
	b.do("Datacenter-2", "check")
	w.until("checked", func() bool { return w.row("Datacenter-2").LastCheck != checked })
	b.do("Datacenter-2", "mark-healthy")
	b.until("document.querySelector('#toast').textContent === 'Datacenter-2: Mark healthy'")
	b.do("Residential", "mark-down")
	b.until("document.querySelector('#toast').textContent === 'Residential: Mark down'")

	b.do("Datacenter-1", "reset-stats")
	b.until("document.querySelector('#ask').open && document.querySelector('#question').textContent.includes('Datacenter-1')")
	b.shoot("asks")
	before := w.row("Datacenter-1").Requests
	b.click("#ask [value=no]")
	b.until("!document.querySelector('#ask').open")
	if got := w.row("Datacenter-1").Requests; got < before || got == 0 {
		t.Errorf("reset although it was not confirmed: %d, before %d", got, before)
	}
	b.do("Datacenter-1", "reset-stats")
	b.click("#ask [value=yes]")
	w.until("reset", func() bool { return w.row("Datacenter-1").Requests == 0 })

	b.click("#checkall")
	b.until("document.querySelector('#toast').textContent.startsWith('Checked')")
}

func TestTestAlertIsSent(t *testing.T) {
	alerts := make(chan string, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading an alert: %v", err)
		}
		select {
		case alerts <- string(body):
		default:
		}
	}))
	t.Cleanup(hook.Close)
	w := start(t, manyProxies(1)+"alerts {\nwebhook "+hook.URL+" {\nvia direct\n}\n}\n", "actions on")
	b := open(t, w.page())
	b.until("!document.querySelector('#alerttest').hidden")
	b.click("#alerttest")
	b.until("document.querySelector('#toast').textContent.endsWith(': sent')")
	if got := <-alerts; !strings.Contains(got, `"kind":"test"`) {
		t.Errorf("the webhook got %.200s", got)
	}
	hook.Close()
	b.click("#alerttest")
	b.until("document.querySelector('#toast').className === 'shown bad'")
}

// TestNothingIsDoneWithoutPermission: a page that is read only has no buttons, and
// what it would send is refused, as is what lacks the token or comes from elsewhere.
func TestNothingIsDoneWithoutPermission(t *testing.T) {
	post := func(b *browser, path, token string) string {
		b.tolerate = true // the console tells of each refusal
		b.run(chromedp.Evaluate(fmt.Sprintf(`window.answer = ""; fetch("api/%s", { method: "POST", headers: { "X-Proxy-Pool-Token": %q } }).then(async (r) => { answer = r.status + " " + await r.text(); })`, path, token), nil))
		b.until("answer !== ''")
		return eval[string](b, "answer")
	}
	forged := []string{"health-check", "alerts/test"}
	for _, action := range []string{"check", "enable", "disable", "mark-healthy", "mark-down", "unblock", "reset-stats"} {
		forged = append(forged, "proxies/main/Proxy-0001/"+action)
	}
	t.Run("read only", func(t *testing.T) {
		b := open(t, start(t, manyProxies(3), "").page())
		b.until(badge("Proxy-0001") + " === 'healthy' && document.querySelector('#link').textContent.endsWith('read only')")
		if buttons := eval[int](b, "[...document.querySelectorAll('summary, #checkall, #alerttest')].filter((e) => e.checkVisibility({ visibilityProperty: true })).length"); buttons != 0 {
			t.Errorf("%d buttons do what may not be done", buttons)
		}
		for _, path := range forged {
			if got := post(b, path, ""); !strings.HasPrefix(got, "403 ") {
				t.Errorf("%s: %.99s", path, got)
			}
		}
	})
	t.Run("another token", func(t *testing.T) {
		w := start(t, manyProxies(3), "actions on")
		b := open(t, w.page())
		b.until("!document.querySelector('#checkall').hidden")
		for _, token := range []string{"", "0123456789abcdef0123456789abcdef"} {
			for _, path := range forged {
				if got := post(b, path, token); !strings.HasPrefix(got, "403 ") {
					t.Errorf("%s with the token %q: %.99s", path, token, got)
				}
			}
		}
		if !w.row("Proxy-0001").Active {
			t.Error("a proxy was disabled")
		}
	})
}
