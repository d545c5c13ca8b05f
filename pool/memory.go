package pool

import (
	"math"
	"slices"
	"strings"
	"time"
)

// memory is what is stored of a proxy beside its totals, as JSON. Times are Unix
// nanoseconds, 0 for never. There is nothing in it of how the proxy logs in.
type memory struct {
	Address string `json:"address"` // health is of use only where it is the same
	Lineage string `json:"lineage"` // the same in all stores that continue one another

	Disabled bool   `json:"disabled,omitempty"`
	Down     bool   `json:"down,omitempty"`
	Held     bool   `json:"held,omitempty"`
	Status   Status `json:"status"`
	Since    int64  `json:"since"`
	Reason   string `json:"reason,omitempty"`

	Failures  int32         `json:"failures,omitempty"`
	LastError string        `json:"last_error,omitempty"`
	Passes    int           `json:"passes,omitempty"`
	Recovery  time.Duration `json:"recovery,omitempty"`
	Relapses  int           `json:"relapses,omitempty"`
	UpSince   int64         `json:"up_since"`
	HeldSince int64         `json:"held_since,omitempty"`

	Checks       int64 `json:"checks,omitempty"`
	ChecksFailed int64 `json:"checks_failed,omitempty"`
	CheckFailed  bool  `json:"check_failed,omitempty"`
	Denied       int32 `json:"denied,omitempty"`
	LastSuccess  int64 `json:"last_success,omitempty"`
	LastTraffic  int64 `json:"last_traffic,omitempty"`
	LastCheck    int64 `json:"last_check,omitempty"`

	ResponseTime int64                         `json:"response_time,omitempty"`
	ConnectTime  int64                         `json:"connect_time,omitempty"`
	TunnelTime   int64                         `json:"tunnel_time,omitempty"`
	CheckTimes   [degradedChecks]time.Duration `json:"check_times"`
	CheckCount   int                           `json:"check_count,omitempty"`

	Base     totals        `json:"base"`
	Days     map[date]used `json:"days,omitempty"`
	Told     told          `json:"told"`
	Troubles []trouble     `json:"troubles,omitempty"`
}

// targetName is what a target is called in a store. How it is trusted has no
// name that would mean the same after a restart.
type targetName struct {
	Scheme string `json:"scheme"`
	Addr   string `json:"addr"`
}

// trouble is a route that is blocked or failing.
type trouble struct {
	targetName
	BlockedUntil int64         `json:"blocked_until,omitempty"`
	Failing      bool          `json:"failing,omitempty"`
	RetryAt      int64         `json:"retry_at,omitempty"`
	Retry        time.Duration `json:"retry,omitempty"`
}

// What no number that was stored in earnest exceeds. The sums of what is stored
// stay far within an int64.
const (
	maxStored    = 1 << 60 // bytes, requests or nano-dollars in all
	maxStoredDay = 1 << 54 // of a day
	maxStreak    = 1 << 20 // failures, relapses or passes in a row
	maxAverage   = time.Hour
	maxWords     = 256 // bytes of a reason
)

// mend makes what a store gave back fit to be worked with, be it damaged, made up
// or of a time when the clock was wrong: nothing negative, nothing in the future
// that cannot be there, and no more than is kept. What was stored in earnest
// stays as it is.
func (m *memory) mend(p *Proxy, now time.Time) {
	m.Held = m.Held && m.Down
	if !slices.Contains([]Status{StatusDown, StatusBlocked, StatusDegraded, StatusHealthy}, m.Status) {
		m.Status = StatusHealthy
	}
	m.Reason, m.LastError = words(m.Reason), words(m.LastError)
	if !m.Down {
		m.Reason = ""
	}
	m.Failures = within(m.Failures, maxStreak)
	m.Passes, m.Relapses = within(m.Passes, maxStreak), within(m.Relapses, maxStreak)
	m.Recovery = within(m.Recovery, p.pool.Checks.Interval)
	for _, past := range []*int64{&m.Since, &m.UpSince, &m.HeldSince, &m.LastSuccess, &m.LastTraffic, &m.LastCheck} {
		*past = within(*past, now.UnixNano())
	}
	m.ResponseTime, m.ConnectTime = within(m.ResponseTime, int64(maxAverage)), within(m.ConnectTime, int64(maxAverage))
	m.TunnelTime = within(m.TunnelTime, int64(maxAverage))
	for i := range m.CheckTimes {
		m.CheckTimes[i] = within(m.CheckTimes[i], maxAverage)
	}
	m.CheckCount = within(m.CheckCount, math.MaxInt32)
	m.mendTroubles(p, now)
}

// mendCounters is mend for what is counted, in a record with these totals.
func (m *memory) mendCounters(total Usage) {
	m.Checks = within(m.Checks, maxStored)
	m.ChecksFailed = within(m.ChecksFailed, m.Checks)
	m.Base = totals{
		Usage:  m.Base.Usage.within(total),
		Checks: within(m.Base.Checks, m.Checks), ChecksFailed: within(m.Base.ChecksFailed, m.ChecksFailed),
	}
	for day, u := range m.Days {
		m.Days[day] = used{within(u.Bytes, maxStoredDay), within(u.Cost, maxStoredDay)}
		if dateOf(day.noon()) != day {
			delete(m.Days, day)
		}
	}
	m.Told.Percent, m.Told.Alerts = within(m.Told.Percent, budgetSpent), within(m.Told.Alerts, maxStored)
}

// mendTroubles is mend for the routes in trouble.
func (m *memory) mendTroubles(p *Proxy, now time.Time) {
	checks := &p.pool.Checks
	longestBlock := maxBlock
	for i := range p.pool.Blocks {
		longestBlock = max(longestBlock, p.pool.Blocks[i].For)
	}
	longestRetry := max(checks.Interval, p.pool.Options.ConnectTimeout+time.Second)
	for i := range m.Troubles {
		t := &m.Troubles[i]
		t.BlockedUntil = within(t.BlockedUntil, now.Add(longestBlock).UnixNano())
		t.RetryAt = within(t.RetryAt, now.Add(longestRetry).UnixNano())
		t.Retry = within(t.Retry, checks.Interval)
	}
	m.Troubles = slices.DeleteFunc(m.Troubles, func(t trouble) bool {
		return (t.BlockedUntil == 0 && !t.Failing) ||
			!slices.Contains([]string{"https", "http", SchemeTunnel}, t.Scheme) || t.Addr == "" || len(t.Addr) > 2*maxWords
	})
}

// within makes all of it at least 0 and at most what most says.
func (u Usage) within(most Usage) Usage {
	requests := within(u.Requests, most.Requests)
	return Usage{
		Requests: requests, Failed: within(u.Failed, min(most.Failed, requests)),
		BytesIn: within(u.BytesIn, most.BytesIn), BytesOut: within(u.BytesOut, most.BytesOut),
		Cost: within(u.Cost, most.Cost), Saved: within(u.Saved, most.Saved),
		Timed: within(u.Timed, most.Timed), Took: within(u.Took, most.Took),
	}
}

// mostStored is the largest that a total may be.
func mostStored() Usage {
	return Usage{maxStored, maxStored, maxStored, maxStored, maxStored, maxStored, maxStored, maxStored}
}

func within[T int | int32 | int64 | time.Duration | Money](n, most T) T { return min(max(n, 0), most) }

func words(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxWords)], "")
}
