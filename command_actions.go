package proxypool

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/table"
	"github.com/caddy-proxypool/proxypool/pool"
)

// actionCommands are what an admin does to one proxy.
func actionCommands() []*cobra.Command {
	return []*cobra.Command{
		actionCommand("enable", "Uses a proxy again that was disabled"),
		actionCommand("disable", "Takes a proxy out of use until it is enabled"),
		actionCommand("mark-healthy", "Clears failures, blocks and holding back of a proxy"),
		actionCommand("mark-down", "Takes a proxy out of use until a check passes"),
		actionCommand("unblock", "Clears the blocks of a proxy"),
		actionCommand("reset-stats", "Sets the counters, averages, traffic and cost shown of a proxy to zero"),
	}
}

func actionCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " <pool>/<proxy>",
		Short: short,
		Long:  "\n" + short + ". The name of the proxy alone is enough where there is one pool.\n",
		Args:  one("a proxy such as main/VPS"),

		ValidArgsFunction: completeProxy,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			_, err := a.act(ctx, name)
			return 0, err
		}),
	}
}

// act does something to the proxy that the argument names, and shows its row.
func (a *asked) act(ctx context.Context, action string) (*statusRow, error) {
	poolName, proxy, err := a.named(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := a.remote.post(ctx, strings.Join([]string{"proxies", url.PathEscape(poolName), url.PathEscape(proxy), action}, "/"), nil)
	if err != nil {
		return nil, err
	}
	row, err := decode(a.remote, answer, func(row *statusRow) bool { return row.ID != "" })
	if err != nil {
		return nil, err
	}
	return row, a.print(answer, func() error {
		return a.screen.table(statusTable(&statusAnswer{Timestamp: *stamp(time.Now())}, []statusRow{*row}))
	})
}

// named is the proxy that the argument names: pool/proxy, or a proxy where there
// is one pool.
func (a *asked) named(ctx context.Context) (poolName, proxy string, err error) {
	name := a.args[0]
	if poolName, proxy, ok := strings.Cut(name, "/"); ok {
		return poolName, proxy, nil
	}
	_, status, err := a.status(ctx, true)
	if err != nil {
		return "", "", err
	}
	if len(status.Proxies) == 0 {
		return "", "", errors.New("there is no proxy")
	}
	if !severalPools(status.Proxies) {
		return status.Proxies[0].Pool, name, nil
	}
	var ids []string
	for i := range status.Proxies {
		if row := &status.Proxies[i]; row.Name == name {
			ids = append(ids, row.ID)
		}
	}
	if len(ids) == 0 {
		return "", "", fmt.Errorf("no pool has a proxy %q", name)
	}
	return "", "", fmt.Errorf("there are several pools: expected %s, got %q", strings.Join(ids, " or "), name)
}

func checkCommand() *cobra.Command {
	return poolFlag(&cobra.Command{
		Use:   "check [<pool>/<proxy>]",
		Short: "Checks all proxies now, or one",
		Long: `
Checks all proxies now, or one, waits for it and shows which do not work. Ends
with 2 where one of those checked is down.
`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeProxy,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			down, err := a.check(ctx)
			if err == nil && down {
				return exitUnusable, nil
			}
			return 0, err
		}),
	})
}

func (a *asked) check(ctx context.Context) (down bool, err error) {
	if len(a.args) > 0 {
		if a.cmd.Flags().Changed("pool") {
			return false, errors.New("expected a proxy or --pool, got both")
		}
		row, err := a.act(ctx, "check")
		return err == nil && row.Status == "down", err
	}
	answer, err := a.remote.post(ctx, "health-check", a.params("pool"))
	if err != nil {
		return false, err
	}
	type results struct{ Results *struct{ Down int } }
	checked, err := decode(a.remote, answer, func(c *results) bool { return c.Results != nil })
	if err != nil {
		return false, err
	}
	return checked.Results.Down > 0, a.print(answer, func() error {
		_, status, err := a.status(ctx, true)
		if err != nil {
			return err
		}
		return a.showUnwell(status)
	})
}

// showUnwell prints the proxies that are not well, then what all come to.
func (a *asked) showUnwell(status *statusAnswer) error {
	unwell := make([]statusRow, 0, len(status.Proxies))
	for i := range status.Proxies {
		if row := &status.Proxies[i]; row.Active && row.Status != string(pool.StatusHealthy) {
			unwell = append(unwell, *row)
		}
	}
	if len(unwell) > 0 {
		if err := a.screen.table(statusTable(status, unwell)); err != nil {
			return err
		}
		fmt.Fprintln(a.screen.out)
	}
	a.screen.summary(status)
	return nil
}

func activeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "active",
		Short: "Prints the address of the proxy in use, with its password",
		Long: `
Prints the address of the proxy in use for http:// and https:// targets, WITH
USER AND PASSWORD, for what wants to dial by itself. Ends with 2 where there is
none to hand out.
`,
		Args: cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			answer, err := a.remote.get(ctx, "active", a.params("pool", "target"))
			if err != nil {
				return 0, err
			}
			name, _ := url.PathUnescape(answer.header.Get("X-Proxy-Pool-Proxy"))
			addresses, err := decode(a.remote, answer, func(by *map[string]string) bool { return *by != nil && (name != "" || len(*by) == 0) })
			if err != nil {
				return 0, err
			}
			code := 0
			if name == "" {
				code = exitUnusable
			}
			return code, a.print(answer, func() error { return a.showActive(name, *addresses) })
		}),
	}
	cmd.Flags().String("target", "", "For this target: a host, host:port or URL")
	completeWords(cmd, "target")
	return poolFlag(cmd)
}

func (a *asked) showActive(name string, addresses map[string]string) error {
	if name == "" {
		a.screen.say(table.Red, "No proxy can be handed out.")
		return nil
	}
	t := table.New(table.Column{Title: "PROXY"}, table.Column{Title: "FOR"}, table.Column{Title: "ADDRESS"})
	for _, scheme := range []string{"http", "https"} {
		address := addresses[scheme]
		if address == "" {
			address = "direct"
		}
		t.Add(table.Text(name), table.Text(scheme), table.Text(address))
	}
	return t.Write(a.screen.out, 0, a.screen.colour) // an address that is cut is none
}

func explainCommand() *cobra.Command {
	return poolFlag(&cobra.Command{
		Use:   "explain <target>",
		Short: "Says which proxies a request would be tried through, and why not the others",
		Long: `
Says through which proxies a request for the target would be tried, in order,
and why not through the others. Nothing is sent. The target is a host, host:port
or URL. Ends with 2 where no proxy would be used.
`,
		Args:              one("a target such as api.telegram.org"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			params := a.params("pool")
			params["target"] = a.args[0]
			answer, err := a.remote.get(ctx, "explain", params)
			if err != nil {
				return 0, err
			}
			explained, err := decode(a.remote, answer, func(e *explainAnswer) bool { return e.Proxies != nil })
			if err != nil {
				return 0, err
			}
			code := exitUnusable
			for _, row := range explained.Proxies {
				if row.Usable {
					code = 0
				}
			}
			return code, a.print(answer, func() error { return a.showExplained(explained) })
		}),
	})
}

func (a *asked) showExplained(explained *explainAnswer) error {
	a.screen.say(table.Plain, "A request for %s in pool %s would be tried through:", explained.Target, explained.Pool)
	fmt.Fprintln(a.screen.out)
	t := table.New(table.Column{Title: "", Right: true}, table.Column{Title: "PROXY", Min: 12},
		table.Column{Title: "USABLE"}, table.Column{Title: "REASON", Min: 10}, table.Column{Title: "UNTIL"})
	try := 0
	for _, row := range explained.Proxies {
		place, until := "", ""
		if row.Usable {
			try++
			place = strconv.Itoa(try)
		}
		if row.Until != nil {
			until = local(*row.Until)
		}
		t.Add(table.Text(place), table.Text(row.Name), yes(row.Usable), table.Text(row.Reason), table.Text(until))
	}
	if err := a.screen.table(t); err != nil {
		return err
	}
	if try == 0 {
		fmt.Fprintln(a.screen.out)
		a.screen.say(table.Red, "None of %s is usable for it.", humanize.Comma(int64(len(explained.Proxies))))
	}
	return nil
}

func alertsCommand() *cobra.Command {
	alerts := &cobra.Command{Use: "alerts", Short: "Tests where alerts go", Args: cobra.NoArgs}
	alerts.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	alerts.AddCommand(&cobra.Command{
		Use:   "test",
		Short: "Sends a test to every destination of alerts",
		Args:  cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: run(func(ctx context.Context, a *asked) (int, error) {
			answer, err := a.remote.post(ctx, "alerts/test", nil)
			if err != nil {
				return 0, err
			}
			type results struct{ Results []testResult }
			tested, err := decode(a.remote, answer, func(t *results) bool { return t.Results != nil })
			if err != nil {
				return 0, err
			}
			if err := a.print(answer, func() error { return a.showTested(tested.Results) }); err != nil {
				return 0, err
			}
			return 0, undelivered(tested.Results)
		}),
	})
	return alerts
}

func (a *asked) showTested(results []testResult) error {
	t := table.New(table.Column{Title: "DESTINATION", Min: 12}, table.Column{Title: "ARRIVED"}, table.Column{Title: "ERROR", Min: 10})
	for _, result := range results {
		t.Add(table.Text(result.Notifier), yes(result.OK), table.Text(result.Error))
	}
	if t.Len() == 0 {
		return nil
	}
	return a.screen.table(t)
}

// undelivered is an error where a test did not arrive everywhere.
func undelivered(results []testResult) error {
	if len(results) == 0 {
		return errors.New("no destinations of alerts are configured")
	}
	var failed []string
	for _, result := range results {
		if !result.OK {
			failed = append(failed, result.Notifier)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("sending a test: it did not reach %s", strings.Join(failed, ", "))
	}
	return nil
}
