package proxypool

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// wrongDelay is how long the answer to a wrong login takes, after that to
	// the one before it from the same address where it is another one.
	wrongDelay = time.Second

	// maxWrongDelay bounds that wait, and that for a comparison with a hash.
	maxWrongDelay = 30 * time.Second

	// suspectFor is at least how long an address is remembered for a wrong login.
	suspectFor  = 10 * time.Minute
	maxSuspects = 4096

	// wrongFor is at least how long a wrong login is remembered.
	wrongFor = 10 * time.Minute
	maxWrong = 1024
)

// logins are the users of a forward front. It may be used concurrently. Nil asks
// for no login.
//
// A right password passes at once, whatever else goes on, and takes no lock. A
// wrong one waits: a second where it was wrong before, because the same again is no
// guess, and an app with an old password has to be told before it stops listening;
// otherwise for its turn, after those that came from its address. Hashes are slow to compare with: what was right once is
// remembered, so that this costs an app once and not for each tunnel, and what
// was wrong is remembered, too. Addresses that were wrong lately compare in a
// lane of their own, so that whoever guesses there holds up nobody elsewhere.
type logins struct {
	proven  *provenHashes
	key     []byte // of the sums below; random, so that they are worth nothing elsewhere
	users   []login
	dearest []byte // the hash that costs the most; nil where there is none

	trusted, suspected lane

	mu       sync.Mutex
	suspects recent[netip.Addr, time.Time] // when the last wrong login is answered
	wrong    recent[loginSum, struct{}]
}

// login is one user.
type login struct {
	name  string
	user  loginSum
	hash  []byte                   // nil where the password is known as it is
	right atomic.Pointer[loginSum] // of user and password; with a hash, once they came
}

// loginSum is a keyed sum of a user, or of a user and a password, so that
// comparing takes the same time whatever they are.
type loginSum [sha256.Size]byte

// credentials are what a client sent.
type credentials struct {
	name, password string
	sum            loginSum
}

// lane lets so many through at once as it has room for.
type lane chan struct{}

// newLogins makes the users. What was proven before is no login of itself: the
// hash must be that of the user now.
func newLogins(users []LoginConfig, proven *provenHashes) (*logins, error) {
	if len(users) == 0 {
		return nil, nil
	}
	l := &logins{
		proven:    proven,
		key:       make([]byte, sha256.Size),
		users:     make([]login, len(users)),
		trusted:   make(lane, max(1, runtime.GOMAXPROCS(0)/2)),
		suspected: make(lane, 1),
		suspects:  recent[netip.Addr, time.Time]{keep: suspectFor, limit: maxSuspects},
		wrong:     recent[loginSum, struct{}]{keep: wrongFor, limit: maxWrong},
	}
	if _, err := rand.Read(l.key); err != nil {
		return nil, err
	}
	dearest := 0
	for i, u := range users {
		own := &l.users[i]
		own.name, own.user = u.User, l.sum(u.User)
		if !isHash(u.Password) {
			sum := l.sum(u.User + ":" + u.Password)
			own.right.Store(&sum)
			continue
		}
		own.hash = []byte(u.Password)
		cost, err := bcrypt.Cost(own.hash)
		if err != nil {
			return nil, errBadHash
		}
		if cost > dearest {
			dearest, l.dearest = cost, own.hash
		}
	}
	return l, nil
}

// check takes the value of Proxy-Authorization and reports whose login it is,
// if it is one. Without a login it returns at once; where one is wrong it waits,
// until ctx ends at most. client is the zero Addr behind a Unix socket.
func (l *logins) check(ctx context.Context, client netip.Addr, header string) (user string, ok bool) {
	if l == nil {
		return "", true
	}
	name, password, ok := parseBasic(header)
	if !ok {
		return "", false
	}
	// The name holds no colon, so that no two logins have the same sum.
	c := &credentials{name, password, l.sum(name + ":" + password)}
	if own := l.known(c); own != nil {
		return own.name, true
	}
	own, wait := l.compare(ctx, client, c)
	if own != nil {
		return own.name, true
	}
	turn := time.NewTimer(wait)
	defer turn.Stop()
	select {
	case <-turn.C:
	case <-ctx.Done():
	}
	return "", false
}

func (l *logins) sum(text string) (s loginSum) {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(text))
	mac.Sum(s[:0])
	return s
}

// known finds the user whose login is right without comparing with hashes. It
// looks at all of them, in the same time.
func (l *logins) known(c *credentials) *login {
	var found *login
	for i := range l.users {
		right := l.users[i].right.Load()
		if right != nil && subtle.ConstantTimeCompare(right[:], c.sum[:]) == 1 {
			found = &l.users[i]
		}
	}
	return found
}

// compare compares with the user's hash. Where that is wrong it says how long
// the answer waits; where ctx ended before it was known, not at all.
func (l *logins) compare(ctx context.Context, client netip.Addr, c *credentials) (found *login, wait time.Duration) {
	if l.wasWrong(c) {
		return nil, wrongDelay
	}
	if l.dearest == nil {
		l.nowWrong(c)
		return nil, l.turn(client)
	}
	if own := l.provenBefore(c); own != nil {
		return own, 0
	}
	ctx, cancel := context.WithTimeout(ctx, maxWrongDelay)
	defer cancel()
	leave, entered := l.enter(ctx, client)
	if !entered {
		return nil, 0
	}
	defer leave()
	// The same may have been compared while this one waited.
	if own := l.known(c); own != nil {
		return own, 0
	}
	if l.wasWrong(c) {
		return nil, wrongDelay
	}
	own, hash := l.hashFor(c)
	if err := bcrypt.CompareHashAndPassword(hash, []byte(c.password)); err != nil || own == nil {
		l.nowWrong(c)
		return nil, l.turn(client) // before the next one of this address enters
	}
	own.right.Store(&c.sum)
	l.proven.add(hash, c.password)
	return own, 0
}

// provenBefore finds the user whose hash was compared with before a reload.
func (l *logins) provenBefore(c *credentials) *login {
	own, hash := l.hashFor(c)
	if !l.proven.has(hash, c.password) || own == nil {
		return nil
	}
	own.right.Store(&c.sum)
	return own
}

// hashFor is the user's hash. For users that are unknown or have none it is some
// other, so that they are not told apart by how long a wrong password takes.
func (l *logins) hashFor(c *credentials) (own *login, hash []byte) {
	user := l.sum(c.name)
	hash = l.dearest
	for i := range l.users {
		u := &l.users[i]
		if subtle.ConstantTimeCompare(u.user[:], user[:]) == 1 && u.hash != nil {
			own, hash = u, u.hash
		}
	}
	return own, hash
}

// enter waits for room in the lane of an address, which may change meanwhile.
func (l *logins) enter(ctx context.Context, client netip.Addr) (leave func(), entered bool) {
	for {
		suspect := l.isSuspect(client)
		way := l.trusted
		if suspect {
			way = l.suspected
		}
		select {
		case way <- struct{}{}:
		case <-ctx.Done():
			return nil, false
		}
		if l.isSuspect(client) == suspect {
			return func() { <-way }, true
		}
		<-way
	}
}

func (l *logins) wasWrong(c *credentials) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.wrong.get(c.sum, time.Now())
	return found
}

func (l *logins) nowWrong(c *credentials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong.put(c.sum, struct{}{}, time.Now())
}

func (l *logins) isSuspect(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.suspects.get(suspectKey(client), time.Now())
	return found
}

// turn is in how long a wrong login of an address is answered: after those
// before it. The address is suspect from now on.
func (l *logins) turn(client netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := time.Now(), suspectKey(client)
	before, _ := l.suspects.get(key, now)
	wait := min(max(0, before.Sub(now))+wrongDelay, maxWrongDelay)
	l.suspects.put(key, now.Add(wait), now)
	return wait
}

// suspectKey is what addresses are told apart by. Who has one IPv6 address
// usually has the 2^64 around it.
func suspectKey(client netip.Addr) netip.Addr {
	client = client.Unmap()
	if !client.Is6() {
		return client
	}
	network, err := client.WithZone("").Prefix(64)
	if err != nil {
		return client
	}
	return network.Addr()
}
