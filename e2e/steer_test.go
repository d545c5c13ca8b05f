package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// steered is what was said of the proxies, and when that was known.
type steered struct {
	want  []string // as flags tells it
	known time.Time
}

// steer disables one proxy, or enables it again, and has another one blocked.
func (c *crashes) steer(p *process) steered {
	c.t.Helper()
	rows := []statusRow{p.row("P1"), p.row("P2"), p.row("P3")}
	one := c.rng.IntN(len(rows))
	if i := slices.IndexFunc(rows, func(r statusRow) bool { return !r.Active }); i >= 0 {
		one = i
	}
	action := "disable"
	if !rows[one].Active {
		action = "enable"
	}
	if err := p.Act(rows[one].Name, action); err != nil {
		c.t.Fatal(err)
	}
	for _, row := range rows {
		if err := p.Act(row.Name, "unblock"); err != nil {
			c.t.Fatal(err)
		}
	}
	c.blockOne.Store(true)
	var s steered
	caddytest.Eventually(c.t, "a proxy is blocked", 10*time.Second, func() bool {
		s.want = flags(p)
		return slices.ContainsFunc(s.want, func(f string) bool { return strings.HasSuffix(f, blockedFlag) })
	})
	s.known = time.Now()
	return s
}

const blockedFlag = " blocked"

// flags are those of the proxies that outlive a process.
func flags(p *process) (flags []string) {
	p.t.Helper()
	s, err := p.status()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, row := range s.Proxies {
		if !row.Active {
			flags = append(flags, row.Name+" disabled")
		}
		if len(row.BlockedFor) > 0 {
			flags = append(flags, row.Name+blockedFlag)
		}
	}
	slices.Sort(flags)
	return flags
}

// survived checks that what was known for a second is known again.
func (c *crashes) survived(s steered, p *process, killed time.Time) {
	c.t.Helper()
	if killed.Sub(s.known) <= maxLag {
		return
	}
	if got := flags(p); !slices.Equal(got, s.want) {
		c.t.Errorf("after the restart %v, want %v", got, s.want)
	}
}
