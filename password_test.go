package proxypool

import (
	"context"
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

// FuzzLogin: nobody gets in without the password, in the one way to send it.
func FuzzLogin(f *testing.F) {
	l := testLogins(f)
	for _, seed := range []string{
		basic("app:plain:secret"), basic("app:"), basic(":"), "Basic", "basic  " + basic("app:plain:secret")[6:], "Bearer x", basic("bot:hashed:secret"), basic("app:plain:secret\x00"), basic("app\x00:plain:secret"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		at, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits for the answer to a wrong login
		user, ok := l.check(at, someClient, header)
		name, password, basic := parseBasic(header)
		right := map[string]string{"app": "plain:secret", "bot": "hashed:secret", "slow": "slow secret"}
		if known, found := right[name]; ok && (!basic || !found || known != password || user != name) {
			t.Errorf("%q is let in as %q", header, user)
		}
		if !ok && user != "" {
			t.Errorf("%q is refused as %q", header, user)
		}
		if basic && name == "app" && password == "plain:secret" && !ok {
			t.Errorf("%q is refused", header)
		}
	})
}
