package alert

import (
	"context"
	"encoding/json"
	"time"
)

// reporting is the state of the daily report.
type reporting struct {
	Told time.Time `json:"told"` // when the last one was due, or of the first look; zero before

	making  bool
	retryAt time.Time
	made    chan *Alert // the report that was being made, nil where that failed
}

// recall takes over when the last report was due before the process began.
func (r *reporting) recall(body []byte) {
	var before reporting
	if len(body) > 0 && json.Unmarshal(body, &before) == nil && before.Told.After(r.Told) {
		r.Told = before.Told
	}
}

// due is when the report was due that nobody got yet, the zero time where there
// is none. The first one is due after the first look; of several that were
// missed, the last one is.
func (r *reporting) due(now time.Time, daily *Clock) time.Time {
	last := daily.last(now)
	if !last.After(r.Told) || r.making || within(now, r.retryAt, reportRetry) {
		return time.Time{}
	}
	return last
}

// lookForReport has the report made where it is due, by a goroutine of its own:
// the books may be slow.
func (c *clerk) lookForReport(ctx context.Context, now time.Time) {
	s := &c.settings
	switch {
	case s.Daily == nil || s.Report == nil:
		return
	case c.report.Told.IsZero(), c.report.Told.Sub(now) > 24*time.Hour: // of a time when the clock was wrong
		c.report.Told = now
		c.post(nil, map[string][]byte{noteReport: note(&c.report)})
		return
	}
	due := c.report.due(now, s.Daily)
	if due.IsZero() {
		return
	}
	c.report.making = true
	counts := Counts{}
	for _, p := range s.Pools {
		counts.merge(countOf(p))
	}
	c.done.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, reportWithin)
		defer cancel()
		report, err := s.Report(ctx, due.Add(-24*time.Hour), due)
		if err != nil {
			c.report.made <- nil
			return
		}
		c.report.made <- &Alert{
			Kind: KindDailyReport, Priority: Low, Time: due.UTC(), Counts: &counts, Report: &report,
		}
	})
}

// reported posts the report that was made, together with the note that it was.
func (c *clerk) reported(a *Alert) {
	c.report.making = false
	if a == nil {
		c.report.retryAt = time.Now().Add(reportRetry)
		return
	}
	c.report.Told = a.Time
	c.post([]*Alert{a}, map[string][]byte{noteReport: note(&c.report)})
}

func (n *Counts) merge(other Counts) {
	n.Total += other.Total
	n.Healthy += other.Healthy
	n.Degraded += other.Degraded
	n.Down += other.Down
	n.Blocked += other.Blocked
	n.Disabled += other.Disabled
}
