package proxypool

import (
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxCredentials is how long a header with a user and a password may be.
	maxCredentials = 4096

	// maxHashCost bounds the cost of a hash: a comparison takes some seconds.
	maxHashCost = 16
)

// parseBasic reads a user and a password (RFC 7617, 2).
func parseBasic(header string) (user, password string, ok bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || len(header) > maxCredentials || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(strings.Trim(encoded, " "))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

var errBadHash = errors.New(`what begins with "$2" must be a bcrypt hash, as "caddy hash-password" makes it`)

// isHash reports whether a password is written as a bcrypt hash.
func isHash(password string) bool {
	return strings.HasPrefix(password, "$2a$") || strings.HasPrefix(password, "$2b$") || strings.HasPrefix(password, "$2y$")
}

// checkHash refuses what begins like a bcrypt hash and is none.
func checkHash(password string) error {
	if !isHash(password) {
		return nil
	}
	const length = 60
	cost, err := bcrypt.Cost([]byte(password))
	switch {
	case err != nil || len(password) != length:
		return errBadHash
	case cost > maxHashCost:
		return errors.New("the cost of the bcrypt hash is above 16, which would take many seconds to compare with")
	}
	return nil
}
