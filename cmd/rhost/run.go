package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host"
)

func runCmd() *cobra.Command {
	var o host.Options
	var asJSON bool
	var level string
	cmd := &cobra.Command{
		Use:   "run APP",
		Short: "Run an app folder: its sources, rules and plugins",
		Long: `Run an app folder until it is interrupted. Rules and plugins are watched: a
change is put in force while events flow, and a bad file changes nothing.

Everything accepted is on disk before it is acknowledged. Killed and started
again, the host goes on where it was.

With cluster in rhost.yaml the host is a node of a cluster: one of the nodes at a
time reads the sources, matches and acts, and another goes on when it fails. There
the rules and plugins in force are in the log, and no folder is watched: see
rhost apply.`,
		Example: `  rhost run plugins/examples/sshguard
  rhost run plugins/examples/sshguard --once --data /tmp/ssh
  rhost run . --set sources.sshd.files.path=auth.log --set sources.sshd.files.from=start`,
		Args: exactArgs(1, "APP", "the folder that holds rhost.yaml and rules/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.App, o.Version, o.Stdin, o.Compiler = args[0], version, cmd.InOrStdin(), compilerCommand()
			logger, err := newLogger(cmd.ErrOrStderr(), level, asJSON)
			if err != nil {
				return err
			}
			o.Logger = logger
			return runHost(cmd.Context(), o, newPrinter(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "data folder (default: data_dir of rhost.yaml, .rhost in the app)")
	f.StringVar(&o.Listen, "listen", "", "address of the API, or off (default: listen of rhost.yaml)")
	f.StringArrayVar(&o.Set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	f.BoolVar(&o.Once, "once", false, "end when every finite source is read and what it caused is done")
	f.BoolVar(&o.Adopt, "adopt", false, "in a cluster: put this app folder in force when this node next takes the log over")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line, for machines")
	f.StringVar(&level, "log", "warn", "what the parts log to stderr: debug, info, warn or error")
	return cmd
}

// runHost runs a host from start to end, printing what happens.
func runHost(ctx context.Context, o host.Options, p *printer) (err error) {
	defer host.KeepHeap(host.HeapFloor)()
	o.Report = p.notice
	if clustered, err := host.Clustered(o); err != nil {
		return usage(err)
	} else if clustered {
		return runNode(ctx, o, p)
	}
	h, err := host.New(ctx, o)
	if err != nil {
		return usage(err)
	}
	acts, err := h.Activities()
	if err != nil {
		return errors.Join(err, h.Close())
	}
	var printing errgroup.Group             // ends when the host is closed
	err = h.Run(ctx, func(s host.Summary) { //nolint:contextcheck // printing ends with the host, after ctx
		p.ready(s) // before what was going on when the host last stopped
		printing.Go(func() error { return p.follow(acts) })
	})
	end := h.Summary()
	counts, countErr := h.Matching(context.WithoutCancel(ctx))
	err = errors.Join(err, countErr, h.Close(), printing.Wait(), p.bye(end))
	if counts != nil {
		p.notes(counts)
	}
	return err
}

// runNode runs a node of a cluster from start to end, printing what happens: of
// matches and actions those that happen here.
func runNode(ctx context.Context, o host.Options, p *printer) (err error) {
	n, err := host.NewNode(ctx, o)
	if err != nil {
		return usage(err)
	}
	var printing errgroup.Group // of the hosts that run here, each until it is closed
	started := func() { p.joined(n.Name(), n.API()) }
	err = n.Run(ctx, started, func(h *host.Host) func(host.Summary) { //nolint:contextcheck // printing ends with the host, after ctx
		acts, err := h.Activities()
		if err != nil {
			p.say(err)
			return p.ready
		}
		return func(s host.Summary) {
			p.ready(s)
			printing.Go(func() error { return p.follow(acts) })
		}
	})
	return errors.Join(err, n.Close(), printing.Wait())
}

func newLogger(w io.Writer, level string, asJSON bool) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage(fmt.Errorf("--log %s: write debug, info, warn or error", level))
	}
	opts := &slog.HandlerOptions{Level: l}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}
