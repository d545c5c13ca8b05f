package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// vendored is where what others have made is. What the page does with it is seen
// in a browser.
const vendored = "assets/vendor/"

const maxBytes = 150_000 // compressed; what a slow line still bears

func TestPageIsSmall(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Size(); got > maxBytes || got < 1000 {
		t.Errorf("%d bytes", got)
	}
}

// TestPageKeepsToItself: nothing leads elsewhere, and nothing needs what the
// policy forbids or makes markup out of what the server says.
func TestPageKeepsToItself(t *testing.T) {
	wrong := regexp.MustCompile(`(?i)https?://(\S*)|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|style=|\son[a-z]+="|<script>|<style`)
	err := fs.WalkDir(assets, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasPrefix(name, vendored) {
			return nil
		}
		content, err := assets.ReadFile(name)
		for _, found := range wrong.FindAllString(string(content), -1) {
			if !strings.HasPrefix(found, "http://www.w3.org/2000/svg") { // a name space, asked by nobody
				t.Errorf("%s: %s", name, found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestVendored: what others have made is what they published.
func TestVendored(t *testing.T) {
	const dir = vendored + "uplot/"
	sums, err := assets.ReadFile(dir + "SHA256SUMS.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"SHA256SUMS.txt": true}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := assets.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s is not what vendor.sh has fetched", name)
		}
		listed[name] = true
	}
	entries, err := assets.ReadDir(strings.TrimSuffix(dir, "/"))
	if err != nil || !listed["LICENSE.txt"] || !listed["uPlot.esm.js"] {
		t.Fatalf("%v, error %v", listed, err)
	}
	for _, entry := range entries {
		if !listed[entry.Name()] {
			t.Errorf("%s is not listed", entry.Name())
		}
	}
}

func TestServe(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, fields map[string]string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for field, value := range fields {
			r.Header.Set(field, value)
		}
		w := httptest.NewRecorder()
		if !p.Serve(w, r, name) {
			w.Code = http.StatusNotFound
		}
		return w
	}
	plain, packed := ask("", nil), ask("", map[string]string{"Accept-Encoding": "br, gzip"})
	if plain.Header().Get("Content-Encoding") != "" || !strings.HasPrefix(plain.Body.String(), "<!doctype") {
		t.Errorf("%v", plain.Header())
	}
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() {
		t.Errorf("%v, %d bytes", packed.Header(), packed.Body.Len())
	}
	if got := ask("", map[string]string{"Accept-Encoding": "gzip;q=0"}); got.Header().Get("Content-Encoding") != "" {
		t.Errorf("%v", got.Header())
	}
	again := ask("", map[string]string{"If-None-Match": plain.Header().Get("Etag")})
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d", again.Code)
	}
	if got := ask("app.js", nil).Header().Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Error(got)
	}
	if ask("../dashboard.go", nil).Code != http.StatusNotFound {
		t.Error("served what is no asset")
	}
}

// TestTexts: what is said in one language is said in the other.
func TestTexts(t *testing.T) {
	content, err := assets.ReadFile("assets/texts.js")
	if err != nil {
		t.Fatal(err)
	}
	english, persian, found := strings.Cut(string(content), "  fa: {")
	key := regexp.MustCompile(`\s"?([A-Za-z0-9_-]+)"?: "`)
	keys := func(text string) map[string]bool {
		all := make(map[string]bool)
		for _, match := range key.FindAllStringSubmatch(text, -1) {
			all[match[1]] = true
		}
		return all
	}
	en, fa := keys(english), keys(persian)
	if !found || len(en) < 100 {
		t.Fatalf("%d texts", len(en))
	}
	for name := range en {
		if !fa[name] {
			t.Errorf("%s is not said in Persian", name)
		}
	}
	for name := range fa {
		if !en[name] {
			t.Errorf("%s is not said in English", name)
		}
	}
}
