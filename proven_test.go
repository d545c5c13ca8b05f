package proxypool

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// TestLoginProvenBefore: after a reload nothing is compared with a hash that was
// compared with before, and nobody gets in by that whom the configuration does
// not name. All lanes are full, so that who needs a comparison does not pass.
func TestLoginProvenBefore(t *testing.T) {
	other, err := bcrypt.GenerateFromPassword([]byte("hashed:secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	hashes := testHashes()
	for _, test := range []struct {
		name  string
		users []LoginConfig
		login string
		want  bool
	}{
		{"same", []LoginConfig{{"bot", hashes[0]}}, "bot:hashed:secret", true},
		{"among others", []LoginConfig{{"app", "plain"}, {"slow", hashes[1]}, {"bot", hashes[0]}}, "bot:hashed:secret", true},
		{"other password", []LoginConfig{{"bot", hashes[0]}}, "bot:hashed", false},
		{"other hash", []LoginConfig{{"bot", hashes[1]}}, "bot:hashed:secret", false},
		{"other hash of the same password", []LoginConfig{{"bot", string(other)}}, "bot:hashed:secret", false},
		{"other user", []LoginConfig{{"slow", hashes[1]}}, "bot:hashed:secret", false},
		{"renamed user", []LoginConfig{{"robot", hashes[0]}}, "bot:hashed:secret", false},
		{"password instead of the hash", []LoginConfig{{"bot", "new"}, {"robot", hashes[0]}}, "bot:hashed:secret", false},
		{"not logged in before", []LoginConfig{{"slow", hashes[1]}}, "slow:slow secret", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proven := new(provenHashes)
				before, err := newLogins([]LoginConfig{{"bot", hashes[0]}}, proven)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := before.check(t.Context(), someClient, basic("bot:hashed:secret")); !ok {
					t.Fatal("the password is wrong")
				}
				after, err := newLogins(test.users, proven)
				if err != nil {
					t.Fatal(err)
				}
				fill(after.trusted)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				_, ok := after.check(ctx, someClient, basic(test.login))
				if took := time.Since(start); ok != test.want || ok && took > 0 {
					t.Errorf("got %t after %s, expected %t", ok, took, test.want)
				}
			})
		})
	}
}

func TestProvenHashesForgetTheLeastUsed(t *testing.T) {
	var p provenHashes
	password := func(i int) string { return fmt.Sprintf("password %d", i) }
	hash := []byte(testHashes()[0])
	for i := range maxProven {
		p.add(hash, password(i))
	}
	if !p.has(hash, password(0)) {
		t.Error("the first was forgotten while there was room")
	}
	p.add(hash, password(1)) // again
	p.add(hash, password(maxProven))
	p.add(hash, password(maxProven+1))
	for i, want := range map[int]bool{0: true, 1: true, 2: false, 3: false, 4: true, maxProven: true, maxProven + 1: true} {
		if got := p.has(hash, password(i)); got != want {
			t.Errorf("number %d: got %t, expected %t", i, got, want)
		}
	}
	if n := len(p.sums); n != maxProven {
		t.Errorf("%d are remembered, expected %d", n, maxProven)
	}
}

// TestLoginSurvivesReload: the memory is the process's.
func TestLoginSurvivesReload(t *testing.T) {
	s := serve(t, onePool(t, "proxy Own direct"), forwardSite("\t\tbasic_auth bot "+testHashes()[0]))
	front := func() *ForwardFront { return runningApp().fronts[0] }
	header := basic("bot:hashed:secret")
	if _, ok := front().logins.check(t.Context(), someClient, header); !ok {
		t.Fatal("the password is wrong")
	}
	before := front()
	s.load(s.pool, forwardSite("\t\tmax_tries 2\n\t\tbasic_auth bot "+testHashes()[0]))
	after := front()
	if after == before {
		t.Fatal("the configuration is the same")
	}
	fill(after.logins.trusted)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, ok := after.logins.check(ctx, someClient, header); !ok {
		t.Error("the login needs a comparison, expected none after a reload")
	}
}
