package proxypool

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// via are the pools that a CONNECT went through, as its field Via tells: one
// member for each, "1.1" and a pseudonym (RFC 9110, 7.6.3). A tunnel that is to
// go through a pool for a second time goes round, and would do so until no port
// is left.
//
// Only CONNECT carries the field, which is for the proxy alone: the target
// learns nothing of us.
type via string

// processSecret makes pseudonyms that tell nobody what a pool is called, and
// that no other process has.
var processSecret = rand.Text()

const viaProtocol, viaPrefix = "1.1", "pp-"

// maxVia bounds how many pools a tunnel may go through.
const maxVia = 16

// pseudonym is what a pool is called in the field.
func pseudonym(pool string) string {
	sum := sha256.Sum256([]byte(processSecret + pool))
	return viaPrefix + hex.EncodeToString(sum[:9])
}

// viaOf is what a request tells of pools: members of others are left out,
// because they are nobody's business further on.
func viaOf(values []string) via {
	var ours []string
	for _, value := range values {
		for member := range strings.SplitSeq(value, ",") {
			protocol, by, _ := strings.Cut(strings.TrimSpace(member), " ")
			if protocol == viaProtocol && strings.HasPrefix(by, viaPrefix) && isToken(by) && len(ours) <= maxVia {
				ours = append(ours, viaProtocol+" "+by)
			}
		}
	}
	return via(strings.Join(ours, ", "))
}

// isToken reports whether a pseudonym is made of what pseudonyms are made of.
func isToken(s string) bool {
	return len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// with is v and the pool.
func (v via) with(pool string) via {
	member := via(viaProtocol + " " + pseudonym(pool))
	if v == "" {
		return member
	}
	return v + ", " + member
}

// goesRound reports whether a tunnel that tells this must not go through the
// pool.
func (v via) goesRound(pool string) bool {
	members := strings.Split(string(v), ", ")
	return len(members) > maxVia || strings.Contains(string(v)+",", " "+pseudonym(pool)+",")
}

// String is the value of the field.
func (v via) String() string { return string(v) }
