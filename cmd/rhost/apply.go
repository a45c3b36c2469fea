package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sdk/client"
)

func applyCmd() *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply -f DIR",
		Short: "Bring a folder of rules and plugins into force in a running host, all or nothing",
		Long: `Send the rules, tables, schemas and plugins of a folder to a running host, which checks
all of it, puts it into its app folder and into force. Nothing changes when any of it
is wrong. The difference is shown first, and on a terminal confirmed; without a
terminal, --yes confirms.

Files that the folder does not have stay as they are, unless --prune is given.

In a cluster the host is the one that owns the log, whichever node is asked; what is in
force is recorded in the log, and no node's folder is written to. --settings sends
rhost.yaml as well, of which the keys count that all nodes share.

Exit codes: 0 in force, or nothing to do · 1 not confirmed · 2 something is wrong with
the bundle · 3 no host is running`,
		Example: `  rhost apply -f release/ --app /srv/sshguard --dry-run
  rhost apply -f release/ --app /srv/sshguard --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.reach.flags(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&o.dir, "file", "f", "", "folder with rules/, tables/, schemas/ and plugins/")
	fl.BoolVar(&o.prune, "prune", false, "remove what the folder does not have")
	fl.BoolVar(&o.allow, "allow", false, "plugins: "+allowUsage)
	fl.BoolVar(&o.settings, "settings", false, "in a cluster: the settings of rhost.yaml that its nodes share, too")
	fl.BoolVar(&o.dry, "dry-run", false, "show the difference, change nothing")
	fl.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&o.json, "json", false, "JSON, for machines; asks nothing")
	return cmd
}

type applyOptions struct {
	reach                 reach
	dir                   string
	prune, dry, yes, json bool
	allow, settings       bool
}

func (o *applyOptions) run(cmd *cobra.Command) error {
	if o.dir == "" {
		return usage(errors.New("name the folder: rhost apply -f DIR"))
	}
	c, err := o.reach.host()
	if err != nil {
		return err
	}
	defer c.Close()
	files, err := o.collect(cmd)
	if err != nil {
		return err
	}
	out := newStyle(cmd.OutOrStdout())
	plan, err := o.send(cmd.Context(), c, files, true)
	if err != nil {
		return err
	}
	if !o.json {
		if err := showDifference(out, plan); err != nil {
			return err
		}
	}
	if o.dry || len(plan.Files) == 0 {
		return o.report(cmd, plan)
	}
	if ok, err := o.confirmed(cmd); !ok || err != nil {
		return err
	}
	done, err := o.send(cmd.Context(), c, files, false)
	if err != nil {
		return err
	}
	if !o.json {
		return out.line("%s  %s", out.green("in force"), plural(len(done.Files), "file"))
	}
	return o.report(cmd, done)
}

func (o *applyOptions) report(cmd *cobra.Command, a host.Applied) error {
	if !o.json {
		return nil
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return printIndented(cmd.OutOrStdout(), raw)
}

// collect reads the files of the folder, and builds the plugins that are older than
// their source.
func (o *applyOptions) collect(cmd *cobra.Command) (map[string][]byte, error) {
	found, err := deploy.Find(filepath.Join(o.dir, "plugins"))
	if err != nil {
		return nil, usage(err)
	}
	for _, f := range found {
		stale, err := f.Stale()
		if err == nil && stale {
			if err := newStyle(cmd.ErrOrStderr()).line("building plugin %s", f.Name); err != nil {
				return nil, err
			}
			_, err = deploy.Build(cmd.Context(), f)
		}
		if err != nil {
			return nil, err
		}
	}
	files := make(map[string][]byte)
	for _, folder := range []string{"rules", "tables", "schemas", "plugins"} {
		if err := o.read(folder, files); err != nil {
			return nil, usage(err)
		}
	}
	if o.settings {
		text, err := os.ReadFile(filepath.Join(o.dir, "rhost.yaml"))
		if err != nil {
			return nil, usage(fmt.Errorf("--settings: %w", err))
		}
		files["rhost.yaml"] = text
	}
	if len(files) == 0 {
		return nil, usage(fmt.Errorf("%s holds no rules/, tables/, schemas/ or plugins/", o.dir))
	}
	return files, nil
}

func (o *applyOptions) read(folder string, files map[string][]byte) error {
	root := filepath.Join(o.dir, folder)
	return filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && full == root:
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case d.IsDir(), strings.HasPrefix(d.Name(), "."):
			return nil
		}
		name, err := filepath.Rel(o.dir, full)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(full)
		files[filepath.ToSlash(name)] = text
		return err
	})
}

func (o *applyOptions) send(ctx context.Context, c *client.Client, files map[string][]byte, try bool) (a host.Applied, err error) {
	body, err := json.Marshal(host.Bundle{Files: files, Prune: o.prune, Try: try, Allow: o.allow})
	if err != nil {
		return a, err
	}
	raw, err := c.Apply(ctx, body)
	if err != nil {
		return a, answered(err)
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("unreadable reply: %w", err)
	}
	return a, nil
}

// showDifference prints what a bundle changes, file by file.
func showDifference(out style, a host.Applied) error {
	if len(a.Files) == 0 {
		return out.line("nothing to do: the host has all of it")
	}
	signs := map[string]string{"add": out.green("+"), "change": out.yellow("~"), "remove": out.red("-")}
	for _, f := range a.Files {
		if err := out.line("%s %s", signs[f.Action], clean(f.Name)); err != nil {
			return err
		}
	}
	if a.Rules != "" {
		if err := out.line("rules: %s", clean(a.Rules)); err != nil {
			return err
		}
	}
	if len(a.Settings) > 0 {
		if err := out.line("settings: %s, for the node that takes the log over next (`rhost cluster drain` on the owner has one do so now)", clean(strings.Join(a.Settings, ", "))); err != nil {
			return err
		}
	}
	for _, p := range a.Plugins {
		old := "new"
		if p.Old != "" {
			old = "instead of " + clip(p.Old, 19)
		}
		if err := out.line("plugin %s: %s %s", clean(p.Name), clip(p.New, 19), old); err != nil {
			return err
		}
	}
	return nil
}

// confirmed asks, where there is somebody to answer.
func (o *applyOptions) confirmed(cmd *cobra.Command) (bool, error) {
	if o.yes || o.json {
		return true, nil
	}
	if !isTerminal(cmd.InOrStdin()) {
		return false, errors.New("nothing was changed; confirm with --yes")
	}
	if _, err := fmt.Fprint(cmd.OutOrStdout(), "apply this? [y/N] "); err != nil {
		return false, err
	}
	answer := bufio.NewScanner(cmd.InOrStdin())
	if answer.Scan() && strings.EqualFold(strings.TrimSpace(answer.Text()), "y") {
		return true, nil
	}
	return false, errors.New("not confirmed; nothing was changed")
}
