package proxypool

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

var (
	someClient  = netip.MustParseAddr("192.0.2.7")
	otherClient = netip.MustParseAddr("192.0.2.8")
)

// testHashes are those of "hashed:secret" and, of another cost, "slow secret".
var testHashes = sync.OnceValue(func() [2]string {
	cheap, err := bcrypt.GenerateFromPassword([]byte("hashed:secret"), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	dear, err := bcrypt.GenerateFromPassword([]byte("slow secret"), bcrypt.MinCost+1)
	if err != nil {
		panic(err)
	}
	return [2]string{string(cheap), string(dear)}
})

// testLogins has a user app with a plain password, and bot and slow with hashes.
func testLogins(t testing.TB) *logins {
	t.Helper()
	l, err := newLogins([]LoginConfig{
		{"app", "plain:secret"},
		{"bot", testHashes()[0]},
		{"slow", testHashes()[1]},
	}, new(provenHashes))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func TestLogin(t *testing.T) {
	encoded := strings.TrimPrefix(basic("app:plain:secret"), "Basic ")
	for _, test := range []struct {
		name, header, want string
		wait               time.Duration
	}{
		{"plain", basic("app:plain:secret"), "app", 0},
		{"hash", basic("bot:hashed:secret"), "bot", 0},
		{"other hash", basic("slow:slow secret"), "slow", 0},
		{"scheme in capitals", "BASIC " + encoded, "app", 0},
		{"spaces", "basic   " + encoded + " ", "app", 0},
		{"wrong password", basic("app:plain:secre"), "", time.Second},
		{"longer password", basic("app:plain:secret "), "", time.Second},
		{"password of another", basic("app:hashed:secret"), "", time.Second},
		{"empty password", basic("app:"), "", time.Second},
		{"wrong for a hash", basic("bot:hashed"), "", time.Second},
		{"the hash itself", basic("bot:$2a$04$"), "", time.Second},
		{"unknown user", basic("nobody:plain:secret"), "", time.Second},
		{"unknown user, known hash", basic("nobody:slow secret"), "", time.Second},
		{"plain user, known hash", basic("app:slow secret"), "", time.Second},
		{"user in capitals", basic("APP:plain:secret"), "", time.Second},
		{"empty user", basic(":plain:secret"), "", time.Second},
		{"NUL", basic("app\x00:plain:secret"), "", time.Second},
		{"nothing", "", "", 0},
		{"no colon", basic("app"), "", 0},
		{"no encoding", "Basic app:plain:secret", "", 0},
		{"without padding", "Basic " + strings.TrimRight(basic("app:plain1"), "=")[6:], "", 0},
		{"scheme alone", "Basic", "", 0},
		{"other scheme", "Bearer " + encoded, "", 0},
		{"too long", basic("app:" + strings.Repeat("x", maxCredentials)), "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := testLogins(t)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				user, ok := l.check(t.Context(), someClient, test.header)
				if user != test.want || ok != (test.want != "") {
					t.Errorf("got %q and %t, expected %q", user, ok, test.want)
				}
				if took := time.Since(start); took != test.wait {
					t.Errorf("took %s, expected %s", took, test.wait)
				}
			})
		})
	}
}

func TestLoginNotAskedFor(t *testing.T) {
	l, err := newLogins(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user, ok := l.check(t.Context(), someClient, ""); !ok || user != "" {
		t.Errorf("got %q and %t, expected no login to be asked for", user, ok)
	}
}

// attack sends wrong logins, each another, and returns how long each took.
func attack(ctx context.Context, l *logins, client netip.Addr, times int) func() []time.Duration {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		waits []time.Duration
	)
	start := time.Now()
	for i := range times {
		wg.Go(func() {
			if _, ok := l.check(ctx, client, basic(fmt.Sprintf("bot:guess %s %d", client, i))); ok {
				panic("a guess was right")
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, time.Since(start))
		})
	}
	return func() []time.Duration { wg.Wait(); return waits }
}

func TestWrongLoginsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const times = 40
		waits := attack(t.Context(), testLogins(t), someClient, times)()
		for i, took := range waits {
			if want := min(time.Duration(i+1)*time.Second, 30*time.Second); took != want {
				t.Errorf("number %d took %s, expected %s", i+1, took, want)
			}
		}
	})
}

// TestSameWrongLoginDoesNotQueue: an app with an old password, whose tunnels all
// ask at once, is told in time.
func TestSameWrongLoginDoesNotQueue(t *testing.T) {
	plain := []LoginConfig{{"app", "plain:secret"}}
	for name, users := range map[string][]LoginConfig{"with hashes": nil, "without": plain} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLogins(t)
				if users != nil {
					var err error
					if l, err = newLogins(users, nil); err != nil {
						t.Fatal(err)
					}
				}
				const old = "app:the password of before"
				attack(t.Context(), l, someClient, 5)()
				l.check(t.Context(), someClient, basic(old))
				var wg sync.WaitGroup
				start := time.Now()
				for range 20 {
					wg.Go(func() {
						if _, ok := l.check(t.Context(), someClient, basic(old)); ok {
							t.Error("the old password is right")
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took != wrongDelay {
					t.Errorf("took %s, expected %s", took, wrongDelay)
				}
			})
		})
	}
}

func TestWrongLoginsOfOthersDoNotQueue(t *testing.T) {
	for name, test := range map[string]struct {
		clients [2]string
		want    time.Duration
	}{
		"two addresses":      {[2]string{"192.0.2.7", "192.0.2.8"}, time.Second},
		"IPv4 in IPv6":       {[2]string{"192.0.2.7", "::ffff:192.0.2.7"}, 2 * time.Second},
		"one IPv6 network":   {[2]string{"2001:db8::1", "2001:db8::ffff:1"}, 2 * time.Second},
		"two IPv6 networks":  {[2]string{"2001:db8:0:1::1", "2001:db8:0:2::1"}, time.Second},
		"one interface more": {[2]string{"fe80::1%eth0", "fe80::1%eth1"}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLogins(t)
				first := attack(t.Context(), l, netip.MustParseAddr(test.clients[0]), 1)
				synctest.Wait()
				second := attack(t.Context(), l, netip.MustParseAddr(test.clients[1]), 1)
				first()
				if got := second()[0]; got != test.want {
					t.Errorf("took %s, expected %s", got, test.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // behind a Unix socket
		if got := attack(t.Context(), testLogins(t), netip.Addr{}, 1)()[0]; got != time.Second {
			t.Errorf("without an address: took %s", got)
		}
	})
}

func TestWrongLoginIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLogins(t)
		attack(t.Context(), l, someClient, 5)()
		if !l.isSuspect(someClient) {
			t.Error("expected the address to be suspect")
		}
		time.Sleep(2*suspectFor + time.Second)
		if l.isSuspect(someClient) {
			t.Error("expected the address not to be suspect any more")
		}
		if got := attack(t.Context(), l, someClient, 1)()[0]; got != time.Second {
			t.Errorf("took %s, expected 1s", got)
		}
	})
}

func TestWrongLoginEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLogins(t)
		l.trusted <- struct{}{} // one waits for a comparison, the others for their turn
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		for _, took := range attack(ctx, l, someClient, 3)() {
			if took > 100*time.Millisecond {
				t.Errorf("took %s, expected no longer than the client was there", took)
			}
		}
	})
}

// TestRightLoginUnderAttack: many apps share an address, and one of them guesses.
func TestRightLoginUnderAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLogins(t)
		if _, ok := l.check(t.Context(), someClient, basic("bot:hashed:secret")); !ok {
			t.Fatal("the password is wrong")
		}
		done := attack(t.Context(), l, someClient, 100)
		synctest.Wait()
		fill(l.trusted)
		fill(l.suspected)
		start := time.Now()
		for _, right := range []string{"app:plain:secret", "bot:hashed:secret"} {
			if _, ok := l.check(t.Context(), someClient, basic(right)); !ok {
				t.Errorf("%s was refused", right)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("took %s, expected no delay", took)
		}
		done()
	})
}

func fill(l lane) {
	for len(l) < cap(l) {
		l <- struct{}{}
	}
}

func TestGuesserHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLogins(t)
		fill(l.suspected) // whoever was wrong compares no more
		ctx, cancel := context.WithCancel(t.Context())
		done := attack(ctx, l, someClient, 50)
		synctest.Wait()
		if compared := len(l.wrong.young); compared > cap(l.trusted) {
			t.Errorf("compared %d guesses among the others' logins, expected at most %d", compared, cap(l.trusted))
		}
		start := time.Now()
		if _, ok := l.check(t.Context(), otherClient, basic("bot:hashed:secret")); !ok || time.Since(start) > 0 {
			t.Errorf("got %t after %s, expected to pass at once", ok, time.Since(start))
		}
		cancel()
		done()
	})
}

// TestComparisonsAreSpared: with all lanes full, what needs no comparison is
// answered all the same, and what needs one is not.
func TestComparisonsAreSpared(t *testing.T) {
	for _, test := range []struct {
		name, login string
		compares    bool
	}{
		{"right and known", "bot:hashed:secret", false},
		{"plain", "app:plain:secret", false},
		{"wrong before", "bot:wrong before", false},
		{"right and new", "slow:slow secret", true},
		{"wrong and new", "bot:wrong", true},
		{"unknown user", "nobody:wrong", true},
		{"plain and wrong", "app:wrong", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLogins(t)
				l.check(t.Context(), otherClient, basic("bot:hashed:secret"))
				l.check(t.Context(), otherClient, basic("bot:wrong before"))
				fill(l.trusted)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				l.check(ctx, someClient, basic(test.login))
				if waited := time.Since(start) == 5*time.Second; waited != test.compares {
					t.Errorf("took %s, expected a comparison: %t", time.Since(start), test.compares)
				}
			})
		})
	}
}

// TestComparisonIsShared: of many tunnels that begin at once with one login, the
// first compares for all that wait.
func TestComparisonIsShared(t *testing.T) {
	for login, right := range map[string]bool{"bot:hashed:secret": true, "bot:wrong": false} {
		synctest.Test(t, func(t *testing.T) {
			l := testLogins(t)
			fill(l.trusted)
			passed := make(chan bool)
			go func() {
				_, ok := l.check(t.Context(), someClient, basic(login))
				passed <- ok
			}()
			synctest.Wait()
			// Another one compared meanwhile; a further comparison would show.
			c := &credentials{sum: l.sum(login)}
			other := testHashes()[1]
			if right {
				l.users[1].right.Store(&c.sum)
			} else {
				l.nowWrong(c)
				hash, err := bcrypt.GenerateFromPassword([]byte("wrong"), bcrypt.MinCost)
				if err != nil {
					t.Fatal(err)
				}
				other = string(hash)
			}
			l.users[1].hash = []byte(other)
			<-l.trusted
			if got := <-passed; got != right {
				t.Errorf("%s: got %t, expected %t", login, got, right)
			}
		})
	}
}

func BenchmarkLogin(b *testing.B) {
	for name, login := range map[string]string{"plain": "app:plain:secret", "hash": "bot:hashed:secret"} {
		b.Run(name, func(b *testing.B) {
			l := testLogins(b)
			header := basic(login)
			b.ReportAllocs()
			l.check(b.Context(), someClient, header) // the hash is compared with here
			for b.Loop() {
				if _, ok := l.check(b.Context(), someClient, header); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}
