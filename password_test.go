package proxypool

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckHash(t *testing.T) {
	const (
		dotted = ".TJutAonFsHY5eCMDY5pPOECQKnEfgMlad54bH5rNtr10Eo/2g97u" // salt and sum
		digit  = "5TJutAonFsHY5eCMDY5pPOECQKnEfgMlad54bH5rNtr10Eo/2g97u"
	)
	for _, test := range []struct {
		name, password string
		want           error
	}{
		{"bcrypt", "$2a$10$" + digit, nil},
		{"bcrypt of PHP", "$2y$10$" + digit, nil},
		{"password", "correct horse battery staple", nil},
		{"password with a dollar", "$ecret", nil},
		{"short bcrypt", "$2b$10$" + digit[1:], errBadHash},
		{"argon2id", "$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA", errOtherHash},
		{"argon2i", "$argon2i$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA", errOtherHash},
		{"htpasswd of Apache", "$apr1$salt$hash", errOtherHash},
		{"MD5", "$1$salt$hash", errOtherHash},
		{"SHA-256", "$5$salt$hash", errOtherHash},
		{"SHA-512", "$6$salt$hash", errOtherHash},
		{"yescrypt", "$y$j9T$salt$hash", errOtherHash},
		{"SHA of LDAP", "{SHA}hash", errOtherHash},
		{"salted SHA of LDAP", "{SSHA}hash", errOtherHash},
		{"a shell left the third dollar", "a0$" + dotted, errEatenHash},
		{"a shell took the salt's digit", "a0" + digit[1:], errEatenHash},
		{"one dollar lost", "2a$10$" + digit, errEatenHash},
		{"the beginning lost", "a$10$" + digit, errEatenHash},
		{"54 hexadecimal digits", "a0" + strings.Repeat("0f1e", 13), nil},
		{"56 hexadecimal digits", strings.Repeat("a0f1", 14), nil},
		{"56 characters of base64", strings.Repeat("Zm9v", 14), nil},
		{"as long as a hash", "x" + "0$" + dotted, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := checkHash(test.password); !errors.Is(err, test.want) {
				t.Errorf("got %v, expected %v", err, test.want)
			}
		})
	}
}
