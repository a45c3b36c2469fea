package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
)

func replayCmd() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay [MATCH|EXECUTION]",
		Short: "Run recorded calls of plugins again, on their version or on a new one",
		Long: `Run calls of plugins again that a host has recorded (plugins.NAME.record: calls in
rhost.yaml): those of a match or an execution, of a rule, of a plugin, or all.

Each call goes to the version of the plugin that it ran on, under the limits, grant
and settings of then. What it asked of the host is answered from the record: state,
kv, requests, time and random numbers; nothing outside is reached. Its result,
output, effects, fuel and host calls must be those on record.

With --with, a new version of a plugin is tried with its recorded calls: what it
would have answered, and with how much fuel. It may ask in another order. What is
not on record it cannot be told, and the call counts as different.

A call is skipped, and it is said why, when it was not recorded, was told too much
for a record, ran into its deadline, when its module is gone or the secret it was
given is another one now, and a call that faulted when rhost counts fuel in another
way by now.

The host must not be running. Exit codes: 0 all are the same · 1 some differ ·
2 bad arguments, or no call could be run again`,
		Example: `  rhost replay --app plugins/examples/sshguard --plugin decide --since 1h
  rhost replay m-4f…
  rhost replay --plugin decide --with plugins/decide --json | jq .fuel_ratio`,
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MaximumNArgs(1)(cmd, args)) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.query.ID = args[0]
			}
			return o.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.reach.app, "app", ".", "app folder")
	f.StringVar(&o.reach.data, "data", "", "data folder (default: data_dir of the app's rhost.yaml)")
	f.StringVar(&o.query.Rule, "rule", "", "only calls for matches of this rule")
	f.StringVar(&o.query.Plugin, "plugin", "", "only calls of this plugin")
	f.StringVar(&o.since, "since", "", "only from this time on: RFC 3339, or an age such as 1h")
	f.StringVar(&o.with, "with", "", "another version to try: a file, a folder of source, or a name under plugins/")
	f.BoolVar(&o.json, "json", false, "one JSON object a line for each call")
	completeFlag(cmd, "rule", func(_ []string, prefix string) []string { return o.reach.rules(prefix) })
	completeFlag(cmd, "plugin", func(_ []string, prefix string) []string { return o.reach.plugins(prefix) })
	completeFiles(cmd, "with", "wasm", "lua", "js")
	return cmd
}

// plugins gives the names of an app's plugins that begin with prefix.
func (r *reach) plugins(prefix string) (names []string) {
	found, err := deploy.Find(filepath.Join(r.app, "plugins"))
	if err != nil && len(found) == 0 {
		return nil
	}
	for _, f := range found {
		if strings.HasPrefix(f.Name, prefix) {
			names = append(names, f.Name)
		}
	}
	return names
}

type replayOptions struct {
	reach       reach
	query       host.CallQuery
	since, with string
	json        bool
}

func (o *replayOptions) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	var err error
	if o.query.Since, err = parseSince(o.since); err != nil {
		return err
	}
	data, err := o.reach.folder()
	if err != nil {
		return err
	}
	options := host.ReplayOptions{Query: o.query, App: o.reach.app, Data: data}
	if o.with != "" {
		if options.With, err = o.candidate(ctx); err != nil {
			return usage(err)
		}
	}
	a, err := host.OpenArchive(ctx, data)
	if err != nil {
		return usage(err)
	}
	view := newReplayView(cmd, o.json, o.with != "")
	err = a.Replay(ctx, options, view.add)
	if err = errors.Join(err, a.Close()); err != nil {
		return usage(err)
	}
	return view.end(options)
}

// candidate reads the version to try, built first where its source is newer.
func (o *replayOptions) candidate(ctx context.Context) (*host.Candidate, error) {
	f, err := findPlugin(o.with)
	if err != nil {
		return nil, err
	}
	stale, err := f.Stale()
	if err != nil {
		return nil, err
	}
	if stale {
		if _, err := deploy.Build(ctx, f); err != nil {
			return nil, err
		}
	}
	src, err := f.Read()
	if err != nil {
		return nil, err
	}
	return &host.Candidate{Plugin: orElse(o.query.Plugin, f.Name), Kind: f.Kind, File: f.File, Source: src}, nil
}

// nothing says why no call was run again.
func (v *replayView) nothing(o host.ReplayOptions) error {
	if v.calls > 0 {
		return fmt.Errorf("none of %s could be run again", plural(v.calls, "call"))
	}
	switch {
	case o.With != nil:
		return fmt.Errorf("no such call of plugin %s is on record; name the plugin whose calls %s is to be tried with by --plugin", o.With.Plugin, relative(o.With.File))
	case o.Query.ID != "":
		return fmt.Errorf("%s has called no such plugin", o.Query.ID)
	}
	return errors.New("no such call is on record")
}

// sameOrNot is the error of a replay in which calls differed, or in which none was
// run.
func (v *replayView) sameOrNot(o host.ReplayOptions) error {
	switch {
	case v.same+v.differ == 0:
		return usage(v.nothing(o))
	case v.differ > 0:
		return fmt.Errorf("%d of %s differ", v.differ, plural(v.same+v.differ, "call"))
	}
	return nil
}
