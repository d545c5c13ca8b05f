package proxypool

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTimeout is how long somebody who pressed Tab waits for a Caddy that does
// not answer.
const completeTimeout = time.Second

// completeNames has the shell ask the running Caddy for names. Where it does not answer
// there are none: a shell has no place for errors.
func completeNames(names func(*statusAnswer) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		remote, err := newRemote(cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer remote.close()
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completeTimeout)
		defer cancel()
		a := &asked{cmd: cmd, remote: remote}
		_, status, err := a.status(ctx, true)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fitting []string
		for _, name := range names(status) {
			if strings.HasPrefix(name, typed) {
				fitting = append(fitting, name)
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}
}

// proxyIDs are what the actions take: the proxy alone where there is one pool,
// otherwise pool/proxy.
func proxyIDs(status *statusAnswer) []string {
	if len(status.Pools) == 1 {
		return proxyNames(status)
	}
	ids := make([]string, len(status.Proxies))
	for i := range status.Proxies {
		ids[i] = withStatus(status.Proxies[i].ID, &status.Proxies[i])
	}
	return ids
}

// completeProxy has the shell complete the argument of an action, of which there is
// one.
func completeProxy(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeNames(proxyIDs)(cmd, args, typed)
}

// proxyNames are the names of the proxies, each with its status.
func proxyNames(status *statusAnswer) []string {
	names := make([]string, len(status.Proxies))
	for i := range status.Proxies {
		names[i] = withStatus(status.Proxies[i].Name, &status.Proxies[i])
	}
	return names
}

// withStatus adds what shells that can do so show beside the word.
func withStatus(word string, row *statusRow) string {
	return cobra.CompletionWithDesc(word, statusCell(row).Text)
}

func poolNames(status *statusAnswer) []string {
	names := make([]string, len(status.Pools))
	for i := range status.Pools {
		names[i] = status.Pools[i].Name
	}
	return names
}

// completeFlag has the shell complete the value of a flag.
func completeFlag(cmd *cobra.Command, name string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, values); err != nil {
		panic(err) // a name that the command does not have
	}
}

// completeWords has the shell complete the value of a flag with one of these words.
func completeWords(cmd *cobra.Command, name string, words ...string) {
	completeFlag(cmd, name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
