// Package webhook posts alerts as JSON to a URL. The body and the header fields
// are for programs that others write: what is added stays compatible, see
// [alert.Version].
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/caddy-proxypool/proxypool/alert"
)

// The header fields of a webhook begin with ownPrefix.
const (
	ownPrefix       = "X-Proxy-Pool-"
	alertHeader     = ownPrefix + "Alert"     // the alert's ID, the same at each try
	signatureHeader = ownPrefix + "Signature" // as GitHub's X-Hub-Signature-256
)

// maxAnswerBytes is how much of an answer is read, so that the connection can
// be used again. None of it is kept.
const maxAnswerBytes = 64 << 10

// hook is the destination: one URL.
type hook struct {
	settings
	origin string
	ways   http.RoundTripper
	render func(*alert.Alert) alert.Text
}

// Destinations is the one URL.
func (n *Notifier) Destinations(env *alert.Env) ([]alert.Destination, error) {
	ways, err := env.Transport(n.settings.via, n.settings.patience())
	if err != nil {
		return nil, fmt.Errorf("via: %w", err)
	}
	language, location := env.Language, env.Location
	return []alert.Destination{&hook{
		settings: n.settings,
		origin:   origin(n.settings.url),
		ways:     ways,
		render:   func(a *alert.Alert) alert.Text { return language.Message(a, location) },
	}}, nil
}

// Name shows neither path nor query: with many services they are the secret.
func (h *hook) Name() string { return "webhook " + h.origin }

// Send posts the alert. It goes out whole, so that done is always 0.
func (h *hook) Send(ctx context.Context, a *alert.Alert, _ int) (int, error) {
	body, err := h.body(a)
	if err != nil {
		return 0, fmt.Errorf("writing the alert as JSON: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := h.request(within, a, body)
	if err != nil {
		return 0, fmt.Errorf("posting to %s: its URL cannot be used", h.origin)
	}
	// Not a client, which would follow redirects and show the URL in its errors.
	resp, err := h.ways.RoundTrip(req)
	if err != nil {
		return 0, h.explain(ctx, within, err)
	}
	defer resp.Body.Close()
	if err := h.judge(resp); err != nil {
		return 0, err
	}
	// It has arrived, whatever becomes of the rest of the answer.
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswerBytes)
	return 1, nil
}

// body is the alert in its own form, and in words.
func (h *hook) body(a *alert.Alert) ([]byte, error) {
	var out bytes.Buffer
	write := json.NewEncoder(&out)
	write.SetEscapeHTML(false)
	err := write.Encode(struct {
		*alert.Alert
		Text string `json:"text"`
	}{a, h.render(a).Plain})
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

func (h *hook) request(ctx context.Context, a *alert.Alert, body []byte) (*http.Request, error) {
	target := *h.url
	target.User = nil
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "proxypool")
	maps.Copy(req.Header, h.header)
	if user := h.url.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(alertHeader, strconv.FormatInt(a.ID, 10))
	if h.secret != "" {
		req.Header.Set(signatureHeader, sign(h.secret, body))
	}
	return req, nil
}

// sign is the value of the signature's field.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Interface guard.
var _ alert.Destination = (*hook)(nil)
