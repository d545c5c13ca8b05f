package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
)

// explain says why there was no answer and what to do. It wraps no error of the
// transport, because any of them may hold the URL.
func (h *hook) explain(caller, within context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return fmt.Errorf("posting to %s was given up: %w", h.origin, caller.Err())
	case within.Err() != nil:
		return fmt.Errorf("%s gave no answer within %s: see that it is up and can be reached, or raise timeout", h.origin, h.timeout)
	}
	return fmt.Errorf("posting to %s: %s: %s", h.origin, h.redact(bare(err)), remedy(err))
}

// remedy is what to do about an error of the transport.
func remedy(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "it needs a certificate for this name of a CA that this server knows"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "check the URL, this port does not speak TLS"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "check the host of the URL and this server's DNS"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "see that it is up, and check the port of the URL"
	}
	return "see that it is up and can be reached"
}

// bare is an error without the URL that [url.Error] puts around it.
func bare(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapped.Err
	}
}

// redact takes out what a transport knows of the URL and nobody is shown.
func (h *hook) redact(err error) string {
	text := err.Error()
	for _, secret := range []string{h.url.RequestURI(), h.url.EscapedPath(), h.url.Path, h.url.RawQuery} {
		if len(secret) > 1 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}
