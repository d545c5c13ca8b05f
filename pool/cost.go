package pool

import "math"

// Type says what kind of machine a proxy is, which decides its place where
// neither a priority nor a price does.
type Type string

// The types of proxies.
const (
	TypeVPS         Type = "vps"
	TypeDatacenter  Type = "datacenter"
	TypeResidential Type = "residential"
	TypeOther       Type = "other"
)

// lowestMetered keeps every metered proxy behind every free one, as long as
// nobody wrote a priority down.
const lowestMetered = 41

// DefaultPriority is the place of a proxy whose priority was not configured:
// ten times its price for a metered one, and by its type for a free one.
// Lower is earlier.
func DefaultPriority(t Type, direct bool, costPerGB float64) int {
	switch {
	case costPerGB > 0:
		return max(lowestMetered, int(math.Floor(10*costPerGB+0.5)))
	case direct:
		return 40
	case t == TypeVPS:
		return 10
	case t == TypeDatacenter:
		return 20
	case t == TypeResidential:
		return 40
	default:
		return 30
	}
}
