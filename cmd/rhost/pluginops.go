package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sdk/client"
)

// pluginAct makes a command that changes which version of a plugin is in force.
func pluginAct(cmd *cobra.Command, act func(context.Context, *client.Client, []string) (json.RawMessage, error)) *cobra.Command {
	var r reach
	var asJSON bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.host()
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := act(cmd.Context(), c, args)
		if err != nil {
			return answered(err)
		}
		if asJSON {
			return printIndented(cmd.OutOrStdout(), raw)
		}
		var change deploy.Change
		if err := json.Unmarshal(raw, &change); err != nil {
			return fmt.Errorf("unreadable reply: %w", err)
		}
		out := newStyle(cmd.OutOrStdout())
		if change.Old == change.New {
			return out.line("%s already runs %s", change.Name, clip(change.New, 19))
		}
		what, old := out.green("in force"), "instead of nothing"
		if change.Old != "" {
			old = "instead of " + clip(change.Old, 19)
		}
		if change.Phase != "" && change.Phase != sandbox.PhaseFull {
			what, old = out.yellow("on its way"), "as a "+string(change.Phase)+" beside "+clip(change.Old, 19)
		}
		return out.line("%s  %s %s  %s  %d ms", what, change.Name, clip(change.New, 19), old, change.Took.Milliseconds())
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON, for machines")
	return cmd
}

// answered makes the mistake of whoever asked out of an answer that says so.
func answered(err error) error {
	var e *client.Error
	if errors.As(err, &e) && e.Status < 500 {
		return usage(err)
	}
	return err
}

func pluginLoad() *cobra.Command {
	var allow bool
	cmd := pluginAct(&cobra.Command{
		Use:   "load NAME FILE",
		Short: "Bring a version of a plugin into force in a running host",
		Long: `Send a file to a running host, which brings it into force as plugins.NAME.rollout of
its rhost.yaml says. Calls that run finish on the version they began with. It stays
in force, also after a restart, until the file in the app folder changes or another
version is activated. FILE.sig, if it is there, goes with it.`,
		Example: "  rhost plugin load decide decide.wasm --app examples/sshguard",
		Args:    exactArgs(2, "NAME and FILE", "the plugin, and a .wasm, .lua or .js file"),
	}, func(ctx context.Context, c *client.Client, args []string) (json.RawMessage, error) {
		abs, err := filepath.Abs(args[1])
		if err != nil {
			return nil, err
		}
		f, err := loose(abs)
		if err != nil {
			return nil, err
		}
		src, err := f.Read() // a script with the manifest that lies beside it
		if err != nil {
			return nil, usage(err)
		}
		sig, err := f.ReadSignature()
		if err != nil {
			return nil, usage(err)
		}
		return c.PutPlugin(ctx, args[0], client.Upload{Kind: string(f.Kind), Source: src, Signature: sig, Allow: allow})
	})
	cmd.Flags().BoolVar(&allow, "allow", false, allowUsage)
	return cmd
}

const allowUsage = "take what is unsigned after a signed version, signed by another key, or older"

func pluginActivate() *cobra.Command {
	return pluginAct(&cobra.Command{
		Use:     "activate NAME DIGEST",
		Short:   "Bring a version of a plugin into force: an earlier one, or one that was held back",
		Example: "  rhost plugin status decide\n  rhost plugin activate decide 3f9a21c4",
		Args:    exactArgs(2, "NAME and DIGEST", "as `rhost plugin status NAME` prints them; the first digits are enough"),
	}, func(ctx context.Context, c *client.Client, args []string) (json.RawMessage, error) {
		if len(strings.TrimPrefix(args[1], "sha256:")) < 4 {
			return nil, usage(fmt.Errorf("version %q: give four digits of the digest or more, as `rhost plugin status %s` prints it", args[1], args[0]))
		}
		return c.ActivatePlugin(ctx, args[0], args[1])
	})
}

func pluginRollback() *cobra.Command {
	return pluginAct(&cobra.Command{
		Use:   "rollback NAME",
		Short: "Go back to the version of a plugin that was in force before",
		Long: `Go back to the version of a plugin that was in force before the present one. While a
version is being rolled out, this ends the rollout.`,
		Example: "  rhost plugin rollback decide",
		Args:    exactArgs(1, "NAME", "a plugin, as `rhost plugin list` prints it"),
	}, func(ctx context.Context, c *client.Client, args []string) (json.RawMessage, error) {
		return c.RollbackPlugin(ctx, args[0])
	})
}

func pluginList() *cobra.Command {
	var r reach
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the plugins of a running host",
		Example: "  rhost plugin list --app examples/sshguard",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			list, err := c.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			out := newRecords(cmd, asJSON, "NAME", "ENGINE", "VERSION", "STATE", "MEMORY", "CALLS", "FAULTS", "FUEL", "P99")
			for _, raw := range list {
				if err := out.add(raw, pluginRow); err != nil {
					return err
				}
			}
			return out.flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func pluginRow(raw json.RawMessage) ([]string, string, error) {
	var s deploy.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, "", err
	}
	return append([]string{s.Name, s.Engine, clip(s.Digest, 19), stateOf(s), host.Size(s.Reserved)}, measured(s.Stats)...), "", nil
}

// stateOf says in a few words how a plugin stands.
func stateOf(s deploy.Status) string {
	var parts []string
	if r := s.Rollout; r != nil {
		text := "rolling out: " + string(r.Phase)
		if r.Phase == sandbox.PhaseCanary {
			text += fmt.Sprintf(" %.3g %%", 100*r.Canary)
		}
		parts = append(parts, text)
	} else {
		parts = append(parts, "active")
	}
	if !s.Memory.Warm {
		parts = append(parts, "cold")
	}
	if s.Pinned {
		parts = append(parts, "pinned")
	}
	if s.Draining > 0 {
		parts = append(parts, fmt.Sprintf("%d draining", s.Draining))
	}
	return strings.Join(parts, ", ")
}

// memoryOf says what a plugin has of the memory for guests.
func memoryOf(s deploy.Status) string {
	text := host.Size(s.Reserved) + " reserved, " + plural(uint64(s.Memory.Instances), "instance")
	if s.Memory.Most > 0 {
		text += fmt.Sprintf(" of %d", s.Memory.Most)
	}
	if !s.Memory.Warm {
		return text + "; unloaded until it is called"
	}
	return text
}

func measured(s sandbox.Stats) []string {
	return []string{thousands(int64(s.Calls)), thousands(int64(s.Faults)), thousands(int64(s.Fuel)), s.P99.String()}
}

func pluginStatus() *cobra.Command {
	var r reach
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status NAME",
		Short:   "Show a plugin of a running host, its rollout and its versions",
		Example: "  rhost plugin status decide",
		Args:    exactArgs(1, "NAME", "a plugin, as `rhost plugin list` prints it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.host()
			if err != nil {
				return err
			}
			defer c.Close()
			raw, err := c.Plugin(cmd.Context(), args[0])
			if err != nil {
				return answered(err)
			}
			if asJSON {
				return printIndented(cmd.OutOrStdout(), raw)
			}
			var s deploy.Status
			if err := json.Unmarshal(raw, &s); err != nil {
				return fmt.Errorf("unreadable reply: %w", err)
			}
			return showPlugin(newStyle(cmd.OutOrStdout()), s)
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON, for machines")
	return cmd
}

func showPlugin(out style, s deploy.Status) error {
	rows := [][]string{{"name", s.Name}, {"engine", s.Engine}, {"abi", s.ABI}, {"state", stateOf(s)}, {"memory", memoryOf(s)}}
	if s.Release != "" {
		rows = append(rows, []string{"release", s.Release})
	}
	if s.Signer != "" {
		rows = append(rows, []string{"signed by", s.Signer})
	}
	if r := s.Rollout; r != nil {
		rows = append(rows, []string{"until", r.Until.Local().Format(time.TimeOnly) + ", unless it goes wrong"})
		if r.Shadowed.Compared > 0 {
			rows = append(rows, []string{"shadow", fmt.Sprintf("%d compared, %d differ, %d left out", r.Shadowed.Compared, r.Shadowed.Differ, r.Shadowed.Skipped)})
		}
		for _, e := range r.Shadowed.Examples {
			rows = append(rows, []string{"", e})
		}
	}
	if err := out.table(nil, rows); err != nil {
		return err
	}
	if err := out.line(""); err != nil {
		return err
	}
	stats := map[string]sandbox.Stats{s.Stats.Module: s.Stats}
	if r := s.Rollout; r != nil {
		stats[r.Old.Module], stats[r.New.Module] = r.Old, r.New
	}
	rows = nil
	for _, v := range s.Versions {
		row := []string{clip(v.Digest, 19), string(v.State), v.At.Local().Format(time.DateTime), thousands(v.Size), from(v.From), "", "", "", ""}
		if of, ok := stats[v.Digest]; ok {
			copy(row[5:], measured(of))
		}
		rows = append(rows, append(row, clip(v.Reason, 80)))
	}
	return out.table([]string{"VERSION", "STATE", "SINCE", "BYTES", "FROM", "CALLS", "FAULTS", "FUEL", "P99", "REASON"}, rows)
}

// from shortens the path that a version came from.
func from(text string) string {
	if filepath.IsAbs(text) {
		return relative(text)
	}
	return text
}
