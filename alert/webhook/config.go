package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTimeout = 10 * time.Second

	// maxTimeout bounds how long one delivery can hold up those behind it.
	maxTimeout = 10 * time.Minute
)

// settings are a configuration whose placeholders have their values.
type settings struct {
	url     *url.URL
	secret  string
	header  http.Header
	timeout time.Duration
	via     []string
}

// patience is how long one way may take, so that all ways have their turn.
func (s *settings) patience() time.Duration {
	return s.timeout / time.Duration(len(s.via))
}

// resolve puts in the values of placeholders and reports the first mistake. No
// error shows a value, or more of the URL than its scheme.
func (n *Notifier) resolve(value lookup) (s settings, err error) {
	if s.url, err = n.readURL(value); err != nil {
		return s, fmt.Errorf("url: %w", err)
	}
	if s.secret, err = n.readSecret(value); err != nil {
		return s, fmt.Errorf("secret: %w", err)
	}
	if s.header, err = n.readHeader(value); err != nil {
		return s, fmt.Errorf("header: %w", err)
	}
	if s.url.User != nil && s.header.Get("Authorization") != "" {
		return s, errors.New("header: Authorization: is made of the user part that the URL has, expected one of the two")
	}
	if s.timeout, err = n.readTimeout(); err != nil {
		return s, fmt.Errorf("timeout: %w", err)
	}
	if s.via, err = n.readVia(value); err != nil {
		return s, fmt.Errorf("via: %w", err)
	}
	return s, nil
}

// validate reports the first mistake that shows before placeholders have values.
func (n *Notifier) validate() error {
	pending := *n
	if at := placeholder.FindStringIndex(n.URL); len(at) > 0 && at[0] == 0 {
		pending.URL = "http://unknown" // the scheme is in the value
	}
	stands := 0
	_, err := pending.resolve(func(string) string {
		stands++ // each is another pool, and all may be part of a port
		return strconv.Itoa(stands)
	})
	return err
}

func (n *Notifier) readURL(value lookup) (*url.URL, error) {
	raw, err := fillURL(n.URL, value)
	if err != nil {
		return nil, err
	}
	return parseURL(raw)
}

func (n *Notifier) readSecret(value lookup) (string, error) {
	if n.Secret == nil {
		return "", nil
	}
	if *n.Secret == "" {
		return "", errors.New("is empty, expected what the body is signed with")
	}
	return fill(*n.Secret, value)
}

func (n *Notifier) readTimeout() (time.Duration, error) {
	if n.Timeout == nil {
		return defaultTimeout, nil
	}
	switch d := time.Duration(*n.Timeout); {
	case d <= 0:
		return 0, fmt.Errorf("must be more than 0, got %s", d)
	case d > maxTimeout:
		return 0, fmt.Errorf("must be at most ten minutes, got %s", d)
	default:
		return d, nil
	}
}

// reserved are the fields that the webhook sets itself, or that belong to the
// connection.
var reserved = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Keep-Alive",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (n *Notifier) readHeader(value lookup) (http.Header, error) {
	header := make(http.Header)
	for _, name := range slices.Sorted(maps.Keys(n.Header)) {
		if !isToken(name) {
			return nil, errors.New("expected the name of a field: letters, digits and any of !#$%&'*+-.^_`|~")
		}
		field := http.CanonicalHeaderKey(name)
		if slices.Contains(reserved, field) || strings.HasPrefix(field, ownPrefix) {
			return nil, fmt.Errorf("%s: is not yours to set, expected another field", field)
		}
		if len(n.Header[name]) == 0 {
			return nil, fmt.Errorf("%s: expected a value", field)
		}
		for _, raw := range n.Header[name] {
			v, err := fill(raw, value)
			if err == nil {
				err = checkValue(v)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", field, err)
			}
			header.Add(field, v)
		}
	}
	return header, nil
}

// checkValue refuses what cannot be the value of a field (RFC 9110, 5.5).
func checkValue(v string) error {
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	switch {
	case strings.TrimSpace(v) == "":
		return errors.New("expected a value")
	case strings.ContainsFunc(v, control):
		return errors.New("expected a value without control characters and line breaks")
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	const letters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return s != "" && strings.Trim(s, letters) == ""
}

// way is what a way can be called: direct, or as a pool.
var way = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (n *Notifier) readVia(value lookup) ([]string, error) {
	if n.Via == nil {
		return []string{"direct"}, nil
	}
	if len(n.Via) == 0 {
		return nil, errors.New("expected direct or a pool")
	}
	var ways []string
	for i, raw := range n.Via {
		name, err := fill(raw, value)
		switch {
		case err != nil:
		case !way.MatchString(name):
			err = errors.New("expected direct or the name of a pool, 1 to 64 of A-Z a-z 0-9 . _ -")
		case slices.Contains(ways, name):
			err = fmt.Errorf("%s is there twice", name)
		}
		if err != nil {
			return nil, fmt.Errorf("number %d: %w", i+1, err)
		}
		ways = append(ways, name)
	}
	return ways, nil
}
