package telegram

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"
)

// secret is a token. What others say of a request may hold it, because it is in
// the URL.
type secret struct {
	pieces []string // of the part that is secret, in lower case
}

// pieceLength is how much of a token in a row may not be shown.
const pieceLength = 6

// newSecret makes one of a token, which need not be well-formed.
func newSecret(token string) secret {
	token = strings.ToLower(token)
	_, hidden, found := strings.Cut(token, ":")
	if !found {
		hidden = token
	}
	if len(hidden) < pieceLength {
		return secret{pieces: []string{hidden}}
	}
	var s secret
	for i := range len(hidden) - pieceLength + 1 {
		s.pieces = append(s.pieces, hidden[i:i+pieceLength])
	}
	return s
}

// maxShown is how much of others' words is shown, in bytes.
const maxShown = 160

// clean is text that others wrote where it surely holds nothing of the token, of
// a URL or of a body, and is short enough for a line; otherwise "". A quotation
// mark shows that something is quoted in it.
func (s secret) clean(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxShown || strings.ContainsAny(text, "\"`\\<>{}%\uFFFD") {
		return ""
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	lower := strings.ToLower(text)
	if strings.Contains(lower, "//") || strings.Contains(lower, "/bot") {
		return ""
	}
	for _, piece := range s.pieces {
		if strings.Contains(lower, piece) {
			return ""
		}
	}
	return text
}

// reason is why there was no answer, in few words.
func (s secret) reason(err error) string {
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		unknown     x509.UnknownAuthorityError
		timeout     interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed in place of an answer"
	case errors.As(err, &certificate), errors.As(err, &unknown):
		return "its certificate is not trusted"
	case errors.As(err, &record):
		return "it does not speak TLS"
	}
	if text := s.clean(err.Error()); text != "" {
		return text
	}
	switch {
	case errors.As(err, &name):
		return "its name is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it took too long"
	}
	return "the connection failed"
}
