package proxypool

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
)

// maxProven bounds how many passwords are remembered.
const maxProven = 256

// provenHashes remembers over reloads which passwords their hashes were compared
// with, and were right: keyed sums of both, of which nobody gets the passwords
// back, and only in memory. That a password belongs to a hash stays true whatever
// the configuration says; whose hash it is, and whether he may log in, each
// configuration says anew. The zero value is ready, and may be used concurrently.
type provenHashes struct {
	mu   sync.Mutex
	key  []byte
	sums []loginSum // the least recently used first
}

// has reports whether a password was proven to be that of a hash.
func (p *provenHashes) has(hash []byte, password string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.sum(hash, password)
	if !slices.Contains(p.sums, sum) {
		return false
	}
	p.use(sum)
	return true
}

// add remembers that a password is that of a hash.
func (p *provenHashes) add(hash []byte, password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use(p.sum(hash, password))
}

// use makes a sum the most recently used.
func (p *provenHashes) use(sum loginSum) {
	if i := slices.Index(p.sums, sum); i >= 0 {
		p.sums = slices.Delete(p.sums, i, i+1)
	}
	if len(p.sums) == maxProven {
		p.sums = slices.Delete(p.sums, 0, 1)
	}
	p.sums = append(p.sums, sum)
}

// sum is the keyed sum of a hash and a password. All hashes of bcrypt have the
// same length, so that no two pairs are one text.
func (p *provenHashes) sum(hash []byte, password string) (s loginSum) {
	if p.key == nil {
		p.key = make([]byte, sha256.Size)
		rand.Read(p.key) // never fails
	}
	mac := hmac.New(sha256.New, p.key)
	mac.Write(hash)
	mac.Write([]byte(password))
	mac.Sum(s[:0])
	return s
}
