package alert

import (
	"context"
	"errors"
	"time"
)

// Console is what an admin can ask for from a chat. Its methods are safe for
// concurrent use. Errors are for the admin to read.
type Console interface {
	// Status is every pool with its proxies, in the order of trying.
	Status(ctx context.Context) []PoolStatus

	// Usage is what each proxy used today and this month.
	Usage(ctx context.Context) (Usage, error)

	// Check checks all proxies now, and counts them when that is done.
	Check(ctx context.Context) (Counts, error)

	// Explain is a dry run for a target, in each pool: which proxies a request
	// would be tried through, and why not through the others.
	Explain(ctx context.Context, target string) ([]Explanation, error)

	// SetDisabled takes a proxy out of use, or back. It is named by its name
	// where only one pool has it, otherwise by pool/name.
	SetDisabled(ctx context.Context, proxy string, disabled bool) (ProxyStatus, error)
}

// Errors of [Console]. They are wrapped with what was asked for.
var (
	ErrUnknown   = errors.New("there is none of that name")
	ErrAmbiguous = errors.New("there is more than one of that name")
	ErrTarget    = errors.New("expected a host, host:port or URL")
)

// PoolStatus is one pool.
type PoolStatus struct {
	Pool    string
	Carrier string // empty where none is usable
	Counts  Counts
	Proxies []ProxyStatus
}

// ProxyStatus is one proxy.
type ProxyStatus struct {
	Pool, Name   string
	Status       string
	Reason       string
	Active       bool
	Usable       bool
	Uptime       float64 // percent
	ResponseTime time.Duration
}

// Usage is what was used, by proxy, and together.
type Usage struct {
	Rows         []UsageRow // those with usage this month
	Today, Month Used
}

// UsageRow is the usage of one proxy.
type UsageRow struct {
	Pool, Proxy  string
	Today, Month Used
	Budget       string // "12.50 USD of 50.00 USD a month", empty where there is none
}

// Used is traffic and money.
type Used struct {
	Requests int64
	Bytes    int64
	CostUSD  float64
	SavedUSD float64
}

// Explanation is a dry run through one pool.
type Explanation struct {
	Pool, Target string
	Proxies      []Verdict
}

// Verdict says whether a proxy would be used.
type Verdict struct {
	Proxy  string
	Usable bool
	Reason string
	Until  time.Time // zero where nobody knows
}
