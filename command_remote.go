package proxypool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

const (
	answerTimeout  = 30 * time.Second
	checkTimeout   = 15 * time.Minute // of ten thousand proxies that all hang
	maxAnswerBytes = 256 << 20
)

// remote is the admin endpoint of a running Caddy.
type remote struct {
	address string // as it was given
	base    string // of URLs
	origin  string // for the header that the endpoint may ask for, empty for a socket
	client  *http.Client
}

// newRemote finds the endpoint as Caddy's own commands do.
func newRemote(cmd *cobra.Command) (*remote, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(
		flag[string](cmd, "address"), nil, flag[string](cmd, "config"), flag[string](cmd, "adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	parsed, err := caddy.ParseNetworkAddressWithDefaults(address, "tcp", 2019)
	if err != nil {
		return nil, fmt.Errorf("reading the address %q of the admin endpoint: %w", address, err)
	}
	if parsed.PortRangeSize() > 1 {
		return nil, fmt.Errorf("reading the address %q of the admin endpoint: expected one port", address)
	}
	where := parsed.JoinHostPort(0)
	r := &remote{address: address, base: "http://" + where, origin: "http://" + where}
	if parsed.IsUnixNetwork() {
		r.base, r.origin = "http://127.0.0.1", ""
		where, _, _ = strings.Cut(parsed.Host, "|") // the permissions of the socket
	}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, parsed.Network, where)
		},
		// A connection that is kept would keep Caddy from stopping at once.
		DisableKeepAlives: true,
	}}
	return r, nil
}

func (r *remote) close() { r.client.CloseIdleConnections() }

// reply is an answer of the API.
type reply struct {
	body   []byte
	header http.Header
}

// get asks the API.
func (r *remote) get(ctx context.Context, path string, params map[string]string) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return r.call(ctx, http.MethodGet, path, params)
}

// post has the API do something, and waits for it.
func (r *remote) post(ctx context.Context, path string, params map[string]string) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return r.call(ctx, http.MethodPost, path, params)
}

func (r *remote) call(ctx context.Context, method, path string, params map[string]string) (*reply, error) {
	query := make(url.Values, len(params))
	for name, value := range params {
		query.Set(name, value)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+adminBase+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking Caddy at %s: %w", r.address, err)
	}
	if r.origin != "" {
		req.Header.Set("Origin", r.origin)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, r.unreached(err)
	}
	defer resp.Body.Close()
	body, err := readAll(resp)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of Caddy at %s: %w", r.address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, r.refused(resp, body)
	}
	return &reply{body, resp.Header}, nil
}

// readAll reads an answer, in one piece where its length is known.
func readAll(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n < maxAnswerBytes {
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err := body.ReadFrom(io.LimitReader(resp.Body, maxAnswerBytes))
	return body.Bytes(), err
}

// unreached says that nobody answers. The URL is left out of it, for a target
// may have been given with a password.
func (r *remote) unreached(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("asking Caddy at %s: no answer in time", r.address)
	}
	return fmt.Errorf("asking Caddy at %s: %w (does it run? --address or --config say where)", r.address, err)
}

// refused is an answer that is an error.
func (r *remote) refused(resp *http.Response, body []byte) error {
	var answer struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal(body, &answer) == nil && answer.Error != "":
		return fmt.Errorf("asking Caddy at %s: %s", r.address, table.Clean(answer.Error))
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("asking Caddy at %s: it has no %s, so that it seems to lack this module", r.address, adminBase)
	}
	return fmt.Errorf("asking Caddy at %s: it answered %s", r.address, resp.Status)
}

// readFast is what encoding/json does: it does not look for names that are there
// twice, and is not particular about capitals.
var readFast = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsonv2.MatchCaseInsensitiveNames(true))

// decode reads an answer, in half the time that encoding/json takes: that of ten
// thousand proxies has megabytes. JSON that is not complete, because it lacks what
// Caddy always says, is the answer of somebody else, and no sign that all is well.
func decode[T any](r *remote, answer *reply, complete func(*T) bool) (*T, error) {
	into := new(T)
	err := jsonv2.Unmarshal(answer.body, into, readFast)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: it is not that of Caddy's admin endpoint: %w", r.address, err)
	case !complete(into):
		return nil, fmt.Errorf("reading the answer of %s: it is not that of Caddy's admin endpoint", r.address)
	}
	return into, nil
}
