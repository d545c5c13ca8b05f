package proxypool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [--watch [<interval>]]",
		Short: "Shows every proxy, in the order of trying",
		Long: `
Shows every proxy, in the order of trying, and what is wrong. Ends with 2 where
some pool has no usable proxy.

With --watch it is shown anew every two seconds, or as often as the interval
says, until Ctrl-C; a restart of Caddy does not end it.
`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			every, err := a.interval()
			if err != nil {
				return 0, err
			}
			if every > 0 {
				return 0, a.watch(ctx, every)
			}
			answer, status, err := a.status(ctx, !a.json)
			if err != nil {
				return 0, err
			}
			if err := a.print(answer, func() error { return a.showStatus(status) }); err != nil {
				return 0, err
			}
			if status.stuck() {
				return exitUnusable, nil
			}
			return 0, nil
		}),
	}
	cmd.Flags().StringP("watch", "w", "", "Show it anew, every 2s or as often as said")
	cmd.Flags().Lookup("watch").NoOptDefVal = "2s"
	completeWords(cmd, "watch", "1s", "2s", "10s", "1m")
	return poolFlag(cmd)
}

// status asks for the status of the pools that the call is about. Where it is
// only passed on, nobody needs the proxies of it.
func (a *asked) status(ctx context.Context, proxies bool) (*reply, *statusAnswer, error) {
	answer, err := a.remote.get(ctx, "status", a.params("pool"))
	if err != nil {
		return nil, nil, err
	}
	if !proxies {
		type poolsOnly struct{ Pools []poolRow }
		head, err := decode(a.remote, answer, func(s *poolsOnly) bool { return s.Pools != nil })
		if err != nil {
			return nil, nil, err
		}
		return answer, &statusAnswer{Pools: head.Pools}, nil
	}
	status, err := decode(a.remote, answer, (*statusAnswer).complete)
	return answer, status, err
}

// showStatus prints a status: the proxies, then what they come to.
func (a *asked) showStatus(status *statusAnswer) error {
	if err := a.screen.table(statusTable(status, status.Proxies)); err != nil {
		return err
	}
	fmt.Fprintln(a.screen.out)
	a.screen.summary(status)
	return nil
}

// complete reports whether it is what Caddy answers.
func (s *statusAnswer) complete() bool { return s.Pools != nil && s.Proxies != nil }

// when is the time of the answer, by the clock of Caddy.
func (s *statusAnswer) when() time.Time {
	now, _ := moment(&s.Timestamp)
	return now
}

// stuck reports whether some pool has no usable proxy.
func (s *statusAnswer) stuck() bool {
	return slices.ContainsFunc(s.Pools, func(p poolRow) bool { return p.Carrier == "" })
}

// statusTable is the rows of a status. Where there are several pools, names are
// those that the actions take: pool/proxy. An arrow marks those that carry the
// traffic.
func statusTable(status *statusAnswer, rows []statusRow) *table.Table {
	t := table.New(
		table.Column{},
		table.Column{Title: "PROXY", Min: 16},
		table.Column{Title: "TYPE", Drop: 9},
		table.Column{Title: "STATUS"},
		table.Column{Title: "USABLE", Drop: 1},
		table.Column{Title: "FOR", Right: true, Drop: 2},
		table.Column{Title: "RESPONSE", Right: true, Drop: 4},
		table.Column{Title: "UPTIME", Right: true, Drop: 3},
		table.Column{Title: "REQUESTS", Right: true, Drop: 5},
		table.Column{Title: "FAILED", Right: true, Drop: 6},
		table.Column{Title: "TRAFFIC", Right: true, Drop: 7},
		table.Column{Title: "COST", Right: true, Drop: 3},
		table.Column{Title: "BUDGET", Right: true, Drop: 2},
		table.Column{Title: "CHECK", Right: true, Drop: 8},
		table.Column{Title: "REASON", Min: 10},
	)
	now, several := status.when(), severalPools(rows)
	carriers := make(map[string]string, len(status.Pools))
	for _, p := range status.Pools {
		carriers[p.Name] = p.Carrier
	}
	for i := range rows {
		row := &rows[i]
		sign, name := table.Cell{}, row.Name
		if carriers[row.Pool] == row.Name {
			sign = table.Cell{Text: "→", Style: table.Green}
		}
		if several {
			name = row.ID
		}
		t.Add(sign, table.Text(name), table.Text(row.Type), statusCell(row), yes(row.Usable), table.Text(standing(row, now)),
			responseCell(row.ResponseTimeMS), table.Text(percent(row.Uptime)),
			table.Text(humanize.Comma(row.TotalRequests)), table.Text(humanize.Comma(row.FailedRequests)),
			table.Text(bytesOf(int64(row.TrafficMB*(1<<20)))), table.Text(dollars(row.EstimatedCost)), budgetCell(row.Budget),
			table.Text(in(row.NextCheck, now)), table.Text(reasonOf(row)))
	}
	return t
}

func severalPools(rows []statusRow) bool {
	for i := range rows {
		if rows[i].Pool != rows[0].Pool {
			return true
		}
	}
	return false
}

func statusCell(row *statusRow) table.Cell {
	if !row.Active {
		return table.Cell{Text: "disabled", Style: table.Dim}
	}
	style := table.Yellow
	switch row.Status {
	case "healthy":
		style = table.Green
	case "down":
		style = table.Red
	}
	return table.Cell{Text: row.Status, Style: style}
}

// standing is for how long the proxy has the status shown. When it was disabled is
// not known.
func standing(row *statusRow, now time.Time) string {
	if !row.Active {
		return ""
	}
	return since(row.Since, now)
}

// responseCell is a response time; 0 where none is known.
func responseCell(ms int64) table.Cell {
	switch {
	case ms <= 0:
		return table.Text("")
	case ms < 500:
		return table.Cell{Text: fmt.Sprintf("%d ms", ms), Style: table.Green}
	case ms < 2000:
		return table.Cell{Text: fmt.Sprintf("%d ms", ms), Style: table.Yellow}
	default:
		return table.Cell{Text: fmt.Sprintf("%.1f s", float64(ms)/1000), Style: table.Red}
	}
}

// percent never rounds up to all of it.
func percent(p float64) string {
	if p > 99.9 && p < 100 {
		p = 99.9
	}
	return fmt.Sprintf("%.4g %%", float64(int64(p*10))/10)
}

func budgetCell(b *budget) table.Cell {
	if b == nil {
		return table.Text("")
	}
	share := 0.0
	if b.Limit > 0 {
		share = b.Used / b.Limit * 100
	}
	limit := "$" + humanize.Commaf(b.Limit)
	if b.Unit == "gb" {
		limit = bytesOf(int64(b.Limit * gigabyte))
	}
	cell := table.Text(fmt.Sprintf("%.0f %% of %s/%s", share, limit, b.Per))
	switch {
	case share >= 100:
		cell.Style = table.Red
	case share >= 80:
		cell.Style = table.Yellow
	}
	return cell
}

// reasonOf is why a proxy is as it is, and for which targets it is not used.
func reasonOf(row *statusRow) string {
	reason := row.Reason
	if len(row.FailingFor) > 0 {
		if reason != "" {
			reason += "; "
		}
		reason += "failing for " + strings.Join(row.FailingFor, ", ")
	}
	return reason
}

// poolLine prints how a pool does.
func (s *screen) poolLine(p *poolRow) {
	if p.Carrier == "" {
		s.say(table.Red, "Pool %s has no usable proxy.", p.Name)
		return
	}
	spent := ""
	if p.CostMonthUSD > 0 {
		spent = fmt.Sprintf(" Spent %s today, %s this month.", dollars(p.CostTodayUSD), dollars(p.CostMonthUSD))
	}
	s.say(table.Plain, "Pool %s: %s carries the traffic, %s of %s usable.%s", p.Name, p.Carrier,
		humanize.Comma(int64(p.Usable)), humanize.Comma(int64(p.Total)), spent)
}

// summary prints what the proxies come to, and everything that is wrong.
func (s *screen) summary(status *statusAnswer) {
	sum := &status.Summary
	parts := []string{}
	for _, part := range []struct {
		n    int
		name string
	}{{sum.Healthy, "healthy"}, {sum.Degraded, "degraded"}, {sum.Blocked, "blocked"}, {sum.Down, "down"}, {sum.Disabled, "disabled"}} {
		if part.n > 0 {
			parts = append(parts, humanize.Comma(int64(part.n))+" "+part.name)
		}
	}
	all := english.Plural(sum.Total+sum.Disabled, "proxy", "proxies")
	s.say(table.Plain, "%s: %s. Cost %s.", all, strings.Join(parts, ", "), dollars(sum.TotalCostUSD))
	for i := range status.Pools {
		s.poolLine(&status.Pools[i])
	}
	for _, warning := range status.Warnings {
		s.say(table.Yellow, "Warning: %s", warning)
	}
	if !status.Store.OK {
		s.say(table.Yellow, "Warning: the books are not written: %s", status.Store.Error)
	}
	for _, n := range status.Notifiers {
		if !n.OK {
			s.say(table.Yellow, "Warning: alerts do not reach %s: %s", n.Notifier, n.Error)
		}
		if n.CommandsError != "" {
			s.say(table.Yellow, "Warning: %s: commands are not answered: %s", n.Notifier, n.CommandsError)
		}
	}
}
