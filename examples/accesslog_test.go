package examples_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAccessLog runs the example: its log tells of the proxies, and not of the
// token.
func TestAccessLog(t *testing.T) {
	t.Setenv("RES_PASS", "secret")
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Path)
		_, _ = w.Write([]byte(r.URL.Path))
	}))
	t.Cleanup(origin.Close)
	log := filepath.Join(t.TempDir(), "access.log")
	ports := freePorts(t, "8080", "2019", "dead")
	runExample(t, "access-log/Caddyfile", ports,
		"http://203.0.113.10:3128", "http://127.0.0.1:"+ports["dead"],
		"http://app:{env.RES_PASS}@gw.example.net:7777", "direct",
		"https://api.telegram.org", origin.URL,
		"\tlog {\n", "\tlog {\n\t\toutput file "+log+"\n")
	paths := []string{"/bot123:SECRET/getMe", "/bot123%3ASECRET/getMe?offset=1", "/file/bot123:SECRET/photo.jpg", "/bot123:SECRET"}
	for _, path := range paths {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+ports["8080"]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"X-Api-Key", "Cookie", "Authorization"} {
			req.Header.Set(field, "SECRET")
		}
		req.Header.Set("Referer", "https://api.telegram.org"+path)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	text := ""
	for deadline := time.Now().Add(soon); strings.Count(text, "\n") < len(paths); time.Sleep(20 * time.Millisecond) {
		read, _ := os.ReadFile(log)
		if text = string(read); time.Now().After(deadline) {
			t.Fatalf("the log has %q, expected %d lines", text, len(paths))
		}
	}
	if strings.Contains(text, "SECRET") || strings.Count(text, "api.telegram.org/") != len(paths) || !strings.Contains(text, `"Location":["/bot***`) {
		t.Errorf("the token is in the log, or too little:\n%s", text)
	}
	var line struct {
		Request                    struct{ URI string }
		Pool, Proxy, Trail, Target string
		Attempts, Status           int
	}
	first, _, _ := strings.Cut(text, "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatalf("%v in %s", err, first)
	}
	if line.Request.URI != "/bot***/getMe" || line.Pool != "main" || line.Proxy != "Residential" || line.Attempts != 2 ||
		line.Trail != "VPS:dial_refused Residential:ok" || line.Status != http.StatusOK || !strings.HasPrefix(line.Target, "127.0.0.1:") {
		t.Errorf("the first line is %s", first)
	}
}
