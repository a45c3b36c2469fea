// Command rhost runs a reactive automation host and everything around it:
// writing and trying rules, building plugins, looking at what happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // rules and schedules name time zones; the machine may know none

	"github.com/spf13/cobra"
)

// version is the release; a build may set it with -ldflags "-X main.version=…".
var version = "0.1.0"

// The exit codes, as `rhost --help` documents them.
const (
	exitOK      = 0
	exitFailure = 1 // it was tried and failed
	exitUsage   = 2 // bad input: a rule, an event, an argument, a config
	exitNoHost  = 3 // the command needs a running host and there is none
)

// codedError carries the exit code of an error.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// usage marks an error as the input's fault.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &codedError{exitUsage, err}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, s stdio) int {
	root := newRoot(s) //nolint:contextcheck // the command is given ctx below
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		printError(s.err, errors.New("interrupted"))
		return exitFailure
	}
	printError(s.err, err)
	var coded *codedError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case strings.HasPrefix(err.Error(), "unknown command "): // cobra has no type for it
		return exitUsage
	}
	return exitFailure
}

func newRoot(s stdio) *cobra.Command {
	root := &cobra.Command{
		Use:   "rhost",
		Short: "A reactive automation host: events in, rules match, sandboxed actions out",
		Long: `rhost matches rules over events and runs sandboxed actions (Wasm, Lua,
JavaScript), durably, from one binary.

Exit codes: 0 done · 1 failed · 2 bad input (rule, event, config, argument) ·
3 the command needs a running host and there is none · 4 damage was found
(backup verify, restore, doctor) · 5 warnings and no damage (doctor)`,
		Example: `  rhost run plugins/examples/sshguard
  rhost match --rule rules/ --events events.ndjson
  rhost plugin new --lang go decide`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; `%s --help` shows the flags", err, cmd.CommandPath()))
	})
	root.AddGroup(
		&cobra.Group{ID: "host", Title: "Run a host:"},
		&cobra.Group{ID: "rules", Title: "Write rules:"},
		&cobra.Group{ID: "look", Title: "Look at a host:"},
		&cobra.Group{ID: "keep", Title: "Keep what a host holds:"},
		&cobra.Group{ID: "plugins", Title: "Write plugins:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("host", runCmd(), emitCmd(), applyCmd())
	add("rules", validateCmd(), matchCmd(), testCmd(), explainCmd(), importCmd())
	add("look", tailCmd(), matchesCmd(), actionsCmd(), deadlettersCmd(), statusCmd(), clusterCmd(), replayCmd())
	add("keep", backupCmd(), restoreCmd(), doctorCmd())
	add("plugins", pluginCmd())
	root.AddCommand(versionCmd(), workerCmd())
	root.SetHelpCommand(helpCmd(root))
	return root
}

// helpCmd explains commands, and the codes that problems of rules carry.
func helpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND|CODE]",
		Short:   "Explain a command, or the code of a problem",
		Example: "  rhost help match\n  rhost help cel-type",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if code := strings.Join(args, "_"); code != "" { // some say not found, and some not_found
				if text, ok := allCodes()[code]; ok {
					_, werr := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", code, text)
					if werr != nil || err != nil || len(rest) > 0 {
						return werr
					}
					if _, werr = fmt.Fprintf(cmd.OutOrStdout(), "\nThe command of that name:\n\n"); werr != nil {
						return werr
					}
				}
			}
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("help: %q is neither a command nor a code; the codes are %s", strings.Join(args, " "), strings.Join(sortedKeys(allCodes()), ", ")))
			}
			return about.Help()
		},
	}
}

func versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  rhost version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line := "rhost " + version
			if info, ok := debug.ReadBuildInfo(); ok {
				line += " " + info.GoVersion
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
}
