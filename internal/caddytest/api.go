package caddytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The admin endpoint's own connections must not keep it from stopping.
var adminClient = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Call asks the admin API and fails where the answer is not 200.
func (p *Process) Call(method, path string, answer any) error {
	return p.Send(method, path, "", answer)
}

// Send does it with a body. The endpoint moves at a reload: who comes too early
// tries again.
func (p *Process) Send(method, path, body string, answer any) error {
	var text []byte
	var err error
	ComesTrue(2*time.Second, func() bool {
		text, err = p.sendOnce(method, path, body)
		return p.Ended() || !Unanswered(err)
	})
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

func (p *Process) sendOnce(method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+p.Admin+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/caddyfile")
		req.Header.Set("Cache-Control", "must-revalidate") // reload also where nothing changed
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// Reload makes Caddy load a configuration while it runs.
func (p *Process) Reload(s Setup) error {
	p.Setup = s
	return p.Send(http.MethodPost, "/load", s.caddyfile(p), nil)
}

// Act does something to a proxy.
func (p *Process) Act(proxy, action string) error {
	return p.Call(http.MethodPost, "/proxy_pool/proxies/main/"+proxy+"/"+action, nil)
}
