package proxypool

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// logins are the users of a forward front. Nil asks for no login.
type logins struct{}

func newLogins(users []LoginConfig) (*logins, error) {
	if len(users) == 0 {
		return nil, nil
	}
	return new(logins), nil
}

// check is yet to compare.
func (l *logins) check(_ context.Context, _ netip.Addr, _ string) (user string, ok bool) {
	return "", l == nil
}

// maxCost bounds what one comparison costs: this one takes some seconds.
const maxCost = 16

// isHash reports whether a password is written as a bcrypt hash.
func isHash(password string) bool {
	return strings.HasPrefix(password, "$2a$") || strings.HasPrefix(password, "$2b$") || strings.HasPrefix(password, "$2y$")
}

// checkHash refuses what begins like a bcrypt hash and is none.
func checkHash(password string) error {
	if !isHash(password) {
		return nil
	}
	cost, err := bcrypt.Cost([]byte(password))
	switch {
	case err != nil || len(password) != 60:
		return errors.New(`what begins with "$2" must be a bcrypt hash, as "caddy hash-password" makes it`)
	case cost > maxCost:
		return errors.New("the bcrypt hash costs more than 16, and each login would take many seconds")
	}
	return nil
}
