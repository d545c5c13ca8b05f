package proxypool

import (
	"context"
	"fmt"
	"runtime/debug"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/table"
)

// exitUnusable is how the command ends where it did what it was asked for, and
// found that proxies do not work. An error ends it with 1.
const exitUnusable = 2

// gcPercent lets the memory grow to five times of what is in use.
const gcPercent = 400

// command is `caddy proxy-pool`, which asks a running Caddy over its admin
// endpoint.
func command() caddycmd.Command {
	return caddycmd.Command{
		Name:  "proxy-pool",
		Usage: "<command>",
		Short: "Shows and steers the proxy pools of a running Caddy",
		Long: `
Shows what the proxy pools of a running Caddy are doing, and steers them, over
Caddy's admin endpoint. Its address is --address, or that in the configuration
that --config names, or the default.

Answers are tables for people. With --json they are those of the admin API, for
scripts. Colours are used on a terminal where NO_COLOR is not set.

Exit codes: 0 fine; 1 the command failed; 2 it did not, but some pool has no
usable proxy (status), one of those checked is down (check), or no proxy would
be used (active, explain).
`,
		CobraFunc: buildCommand,
	}
}

func buildCommand(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringP("config", "c", "", "Configuration file to find the admin endpoint in, if --address is not used")
	flags.StringP("adapter", "a", "", "Name of config adapter to apply (when --config is used)")
	flags.String("address", "", "The address of the admin endpoint, if not the default; also unix//path")
	flags.Bool("json", false, "Print the answer of the admin API as it is")
	completeWords(root, "address", "localhost:2019", "unix//")
	completeWords(root, "adapter", "caddyfile")
	root.Example = `  $ caddy proxy-pool status --watch
  $ caddy proxy-pool explain api.telegram.org
  $ caddy proxy-pool disable main/VPS`
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q: see caddy proxy-pool --help", args[0])
		}
		return cmd.Help()
	}
	root.AddCommand(statusCommand(), checkCommand(), activeCommand(), explainCommand(),
		usageCommand(), logCommand(), eventsCommand(), alertsCommand())
	root.AddCommand(actionCommands()...)
}

// asked is one call of the command.
type asked struct {
	cmd    *cobra.Command
	args   []string
	remote *remote
	screen screen
	json   bool
}

// one wants one argument, and says which. In the words of cobra it would not be told.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s: expected %s, got %d arguments", cmd.Name(), what, len(args))
		}
		return nil
	}
}

// run makes of what a subcommand does the function that cobra calls: it returns
// the exit code, or an error, which is shown and ends the command with 1.
func run(do func(ctx context.Context, a *asked) (int, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		// The command is over soon, and of thousands of proxies it has megabytes to
		// read: collecting garbage on the way would be a fifth of its time.
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
		remote, err := newRemote(cmd)
		if err != nil {
			return err
		}
		defer remote.close()
		a := &asked{cmd: cmd, args: args, remote: remote, screen: newScreen(cmd.OutOrStdout()), json: flag[bool](cmd, "json")}
		code, err := do(cmd.Context(), a)
		switch {
		case err != nil:
			return cleanError{err}
		case code == 0:
			return nil
		}
		cmd.SilenceErrors = true // the answer was printed, and only the code is left to tell
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, args)
	}
}

// cleanError is an error as a terminal is shown it: whoever answered may have
// written a part of it.
type cleanError struct{ error }

func (e cleanError) Error() string { return table.Clean(e.error.Error()) }
func (e cleanError) Unwrap() error { return e.error }

// flag is the value of a flag that the command has.
func flag[T string | bool | int](cmd *cobra.Command, name string) (value T) {
	var err error
	switch v := any(&value).(type) {
	case *string:
		*v, err = cmd.Flags().GetString(name)
	case *bool:
		*v, err = cmd.Flags().GetBool(name)
	case *int:
		*v, err = cmd.Flags().GetInt(name)
	}
	if err != nil {
		panic(err) // a name that the command does not have
	}
	return value
}

// params are the flags of these names as parameters of the API, where the command
// has them and they are set.
func (a *asked) params(names ...string) map[string]string {
	params := make(map[string]string)
	for _, name := range names {
		if f := a.cmd.Flags().Lookup(name); f != nil && f.Changed {
			params[name] = f.Value.String()
		}
	}
	return params
}

// print shows an answer: as it is, or as the table that show makes of it.
func (a *asked) print(answer *reply, show func() error) error {
	if a.json {
		_, err := a.screen.out.Write(answer.body)
		return err
	}
	return show()
}

// poolFlag is --pool, of the commands that are about one pool or all.
func poolFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("pool", "", "Only this pool")
	completeFlag(cmd, "pool", completeNames(poolNames))
	return cmd
}
