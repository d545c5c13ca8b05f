package proxypool

import (
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
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

// makeHash is the command that makes a hash which is taken. Caddy may come to
// prefer another kind, so that it is named.
const makeHash = `"caddy hash-password --algorithm bcrypt --bcrypt-cost 10"`

var (
	errBadHash   = errors.New(`what begins with "$2" must be a bcrypt hash, as ` + makeHash + ` makes it`)
	errOtherHash = errors.New(`of hashes only those of bcrypt are taken, as ` + makeHash + ` makes them`)
	errEatenHash = errors.New(`this is the rest of a bcrypt hash in which a shell took "$2" and what follows it for variables; put the hash into single quotes where it is set`)
)

// otherHashes is how hashes begin that other programs take.
var otherHashes = []string{"$argon2", "$apr1$", "$1$", "$5$", "$6$", "$y$", "{SHA}", "{SSHA}"}

// eatenHash is what a shell leaves of "$2a$10$" and the 53 characters behind it:
// it takes "$2" and "$1", and "$" with the first character where that is a digit.
var eatenHash = regexp.MustCompile(`^(?:2?[aby]\$?1?[0-9]\$?[./A-Za-z0-9]{53}|[aby][0-9][./A-Za-z0-9]{52})$`)

// isHash reports whether a password is written as a bcrypt hash.
func isHash(password string) bool {
	return strings.HasPrefix(password, "$2a$") || strings.HasPrefix(password, "$2b$") || strings.HasPrefix(password, "$2y$")
}

// checkHash refuses what begins like a hash and is none of bcrypt, because it
// would be a password, and its own login would be right.
func checkHash(password string) error {
	switch {
	case slices.ContainsFunc(otherHashes, func(start string) bool { return strings.HasPrefix(password, start) }):
		return errOtherHash
	case isEatenHash(password):
		return errEatenHash
	case !isHash(password):
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

// isEatenHash reports whether a password is what a shell left of a bcrypt hash.
// In hexadecimal or in small letters alone it is some other secret: there is no
// such hash.
func isEatenHash(password string) bool {
	return eatenHash.MatchString(password) &&
		strings.ToLower(password) != password && strings.ToUpper(password) != password
}
