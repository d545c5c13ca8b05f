package proxypool

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

func usageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Shows what was used and what it cost",
		Long: `
Shows what was used and what it cost, by proxy, target, hour or day; this month
where nothing else is said.
`,
		Args: cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			answer, err := a.remote.get(ctx, "usage", a.params("by", "from", "to", "pool", "proxy", "target"))
			if err != nil {
				return 0, err
			}
			usage, err := decode(a.remote, answer, func(u *usageAnswer) bool { return u.Rows != nil })
			if err != nil {
				return 0, err
			}
			return 0, a.print(answer, func() error { return a.showUsage(usage) })
		}),
	}
	flags := cmd.Flags()
	flags.String("by", "proxy", "proxy, target, hour or day")
	flags.String("from", "", "From this day, 2026-11-23, or time, 2026-11-23T08:00:00Z. Default: the beginning of the month")
	flags.String("to", "", "To the end of this day, or this time. Default: now")
	flags.String("proxy", "", "Only this proxy")
	flags.String("target", "", "Only this target: a host, host:port or URL")
	completeWords(cmd, "by", "proxy", "target", "hour", "day")
	completeFlag(cmd, "proxy", completeNames(proxyNames))
	for _, name := range []string{"from", "to", "target"} {
		completeWords(cmd, name)
	}
	return poolFlag(cmd)
}

func (a *asked) showUsage(usage *usageAnswer) error {
	by := flag[string](a.cmd, "by")
	t := table.New(table.Column{Title: strings.ToUpper(by), Min: 12},
		table.Column{Title: "REQUESTS", Right: true, Drop: 2}, table.Column{Title: "FAILED", Right: true, Drop: 3},
		table.Column{Title: "IN", Right: true, Drop: 5}, table.Column{Title: "OUT", Right: true, Drop: 6},
		table.Column{Title: "RESPONSE", Right: true, Drop: 4},
		table.Column{Title: "COST", Right: true}, table.Column{Title: "SAVED", Right: true, Drop: 1},
		table.Column{Title: "FLAT/MONTH", Right: true, Drop: 7})
	for _, row := range append(usage.Rows, usageRow{"total", usage.Total}) {
		key := row.Key
		if by == "hour" {
			key = local(key)
		}
		flat := ""
		if row.CostPerMonth > 0 {
			flat = dollars(row.CostPerMonth)
		}
		t.Add(table.Text(key), table.Text(humanize.Comma(row.Requests)), table.Text(humanize.Comma(row.Failed)),
			table.Text(bytesOf(row.BytesIn)), table.Text(bytesOf(row.BytesOut)),
			meanCell(row.ResponseMS), table.Text(dollars(row.CostUSD)), table.Text(dollars(row.SavedUSD)), table.Text(flat))
	}
	a.screen.say(table.Plain, "From %s to %s:", local(usage.From), local(usage.To))
	fmt.Fprintln(a.screen.out)
	if err := a.screen.table(t); err != nil {
		return err
	}
	if !usage.Store.OK {
		a.screen.say(table.Yellow, "Warning: the books are not written: %s", usage.Store.Error)
	}
	return nil
}

// meanCell is a mean response time. One of less than a millisecond is shown as one.
func meanCell(ms *float64) table.Cell {
	if ms == nil {
		return responseCell(0)
	}
	return responseCell(max(int64(math.Round(*ms)), 1))
}

// pageFlags are those of the lists that are read from the newest on.
func pageFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("proxy", "", "Only this proxy")
	cmd.Flags().Int("limit", 20, "How many, 1 to 1000")
	cmd.Flags().Int64("before", 0, "Only those before the one of this id, as --json shows it")
	completeFlag(cmd, "proxy", completeNames(proxyNames))
	completeWords(cmd, "limit", "20", "100", "1000")
	completeWords(cmd, "before")
	return poolFlag(cmd)
}

// rowsOf is an answer that is a list.
type rowsOf[T any] struct{ Rows []T }

func (r *rowsOf[T]) complete() bool { return r.Rows != nil }

func (a *asked) pageParams() map[string]string {
	params := a.params("pool", "proxy", "before")
	params["limit"] = strconv.Itoa(flag[int](a.cmd, "limit"))
	return params
}

func logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Shows the usage log, newest first",
		Long:  "\nShows the usage log, newest first. There is one only with usage_log on.\n",
		Args:  cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			params := a.pageParams()
			if flag[bool](a.cmd, "failed") {
				params["success"] = "false"
			}
			answer, err := a.remote.get(ctx, "log", params)
			if err != nil {
				return 0, err
			}
			found, err := decode(a.remote, answer, (*rowsOf[logRow]).complete)
			if err != nil {
				return 0, err
			}
			return 0, a.print(answer, func() error { return a.showLog(found.Rows) })
		}),
	}
	cmd.Flags().Bool("failed", false, "Only requests that failed")
	return pageFlags(cmd)
}

func (a *asked) showLog(rows []logRow) error {
	if len(rows) == 0 {
		a.screen.say(table.Plain, "No requests found. They are kept where usage_log is on.")
		return nil
	}
	t := table.New(table.Column{Title: "TIME"}, table.Column{Title: "PROXY", Min: 12, Drop: 2}, table.Column{Title: "REQUEST", Min: 20},
		table.Column{Title: "STATUS", Right: true}, table.Column{Title: "TOOK", Right: true, Drop: 3},
		table.Column{Title: "IN", Right: true, Drop: 5}, table.Column{Title: "OUT", Right: true, Drop: 6},
		table.Column{Title: "ERROR", Drop: 1}, table.Column{Title: "TRAIL", Min: 12, Drop: 4})
	for i := range rows {
		row := &rows[i]
		style := table.Green
		if !row.Success {
			style = table.Red
		}
		t.Add(table.Text(local(row.Time)), table.Text(idOf(row.Pool, row.Proxy)), table.Text(row.Method+" "+row.Target+row.Path),
			table.Cell{Text: strconv.Itoa(row.Status), Style: style},
			table.Text(took(row.DurationMS)),
			table.Text(bytesOf(row.BytesIn)), table.Text(bytesOf(row.BytesOut)), table.Text(row.Error), table.Text(row.Trail))
	}
	return a.screen.table(t)
}

// took is how long something took.
func took(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return (time.Duration(ms) * time.Millisecond).String()
}

// idOf is pool/proxy, where a proxy was tried.
func idOf(poolName, proxy string) string {
	if proxy == "" {
		return poolName
	}
	return fmt.Sprintf("%s/%s", poolName, proxy)
}

func eventsCommand() *cobra.Command {
	return pageFlags(&cobra.Command{
		Use:   "events",
		Short: "Shows changes of status, newest first",
		Args:  cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			answer, err := a.remote.get(ctx, "events", a.pageParams())
			if err != nil {
				return 0, err
			}
			found, err := decode(a.remote, answer, (*rowsOf[eventRow]).complete)
			if err != nil {
				return 0, err
			}
			return 0, a.print(answer, func() error { return a.showEvents(found.Rows) })
		}),
	})
}

func (a *asked) showEvents(rows []eventRow) error {
	if len(rows) == 0 {
		a.screen.say(table.Plain, "No changes of status.")
		return nil
	}
	t := table.New(table.Column{Title: "TIME"}, table.Column{Title: "PROXY", Min: 12}, table.Column{Title: "FROM", Drop: 1},
		table.Column{Title: "TO"}, table.Column{Title: "REASON", Min: 10})
	for i := range rows {
		row := &rows[i]
		to := statusCell(&statusRow{Status: row.To, Active: row.To != "disabled"})
		t.Add(table.Text(local(row.Time)), table.Text(idOf(row.Pool, row.Proxy)), table.Text(row.From), to, table.Text(row.Reason))
	}
	return a.screen.table(t)
}
