package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sdk/client"
)

func pluginDev() *cobra.Command {
	var d dev
	var keyFile string
	cmd := &cobra.Command{
		Use:   "dev PLUGIN --app APP",
		Short: "Reload a plugin into a running host whenever its source is saved",
		Long: `Watch the source of a plugin. Whenever it is saved, build it and bring it into force
in a running host, and say what came of it. What the plugin logs and does in the host
is shown in between. What does not build or load changes nothing. Ctrl-C ends the
watching and leaves the host as it is.`,
		Example: `  rhost run examples/sshguard &
  rhost plugin dev decide --app examples/sshguard`,
		Args: exactArgs(1, "PLUGIN", "a file, a folder of source, or a name under plugins/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findPlugin(args[0], d.reach.app)
			if err != nil {
				return err
			}
			if keyFile != "" {
				key, err := privateKey(cmd, keyFile)
				if err != nil {
					return err
				}
				d.key = &key
			}
			if d.host, err = d.reach.host(); err != nil {
				return err
			}
			defer d.host.Close()
			d.out = newStyle(cmd.OutOrStdout())
			return d.run(cmd.Context(), f)
		},
	}
	d.reach.flags(cmd)
	cmd.Flags().StringVar(&keyFile, "key", "", "private key that signs each build, for a host that requires signatures")
	completeFiles(cmd, "key", "key", "pem")
	return cmd
}

// clockStep is how far the time of a file may be behind the clock: file systems keep
// time in coarse steps.
const clockStep = 50 * time.Millisecond

// dev watches one plugin.
type dev struct {
	reach reach
	key   *signature.PrivateKey
	host  *client.Client
	last  string // digest that was brought into force last

	builder deploy.Builder

	mu  sync.Mutex // held while lines are written
	out style
}

// run works until ctx ends.
func (d *dev) run(ctx context.Context, f deploy.Found) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer d.builder.Close()
	if err := d.line("watching %s; Ctrl-C ends this and leaves the host as it is", relative(watched(f))); err != nil {
		return err
	}
	began := time.Now()
	stale, err := f.Stale()
	if err != nil {
		return err
	}
	if err := d.reload(ctx, f, began, stale); err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error {
		defer cancel() // without the host there is nothing to do
		err := d.host.Tail(ctx, []string{"rhost:logs", "rhost:actions"}, func(raw json.RawMessage) error { return d.show(f.Name, raw) })
		if err != nil {
			err = &codedError{exitNoHost, fmt.Errorf("the host has gone: %w", err)}
		}
		return err
	})
	g.Go(func() error {
		defer cancel()
		return d.follow(ctx, f, began)
	})
	if f.Source != "" {
		g.Go(func() error { return d.warm(ctx, f) })
	}
	return g.Wait()
}

// follow reloads the plugin with every change of what it is made of.
func (d *dev) follow(ctx context.Context, f deploy.Found, since time.Time) (failed error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := deploy.Watch(ctx, []string{filepath.Dir(f.File)}, since.Add(-clockStep), func(files []string) {
		if failed == nil && slices.ContainsFunc(files, f.DependsOn) {
			if failed = d.reload(ctx, f, saved(files), f.Source != ""); failed != nil {
				cancel()
			}
		}
	})
	return errors.Join(failed, err)
}

// warm lets the toolchain do now what would make the first change wait. What keeps it
// from building is said now, too.
func (d *dev) warm(ctx context.Context, f deploy.Found) error {
	err := d.builder.Warm(ctx, f)
	if err == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // it was asked to stop
	}
	return d.line("%s the source does not build as it is:\n  %s", d.out.yellow("note"), indented(err))
}

// watched is what a person edits.
func watched(f deploy.Found) string {
	if f.Source != "" {
		return f.Source
	}
	return f.File
}

// saved is when the latest of the files was written.
func saved(files []string) time.Time {
	at := time.Time{}
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	if at.IsZero() {
		return time.Now() // all of them were removed
	}
	return at
}

// reload brings the plugin into force, built anew if build is true. What the author
// can mend is shown; an error is what ends the command.
func (d *dev) reload(ctx context.Context, f deploy.Found, at time.Time, build bool) error {
	built, change, err := d.bring(ctx, f, build)
	var answer *client.Error
	var source *notBuilt
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // whatever failed, it was asked to stop
	case errors.As(err, &source):
		return d.line("%s %s as before; the change does not build:\n  %s", d.out.yellow("kept"), clean(f.Name), indented(source.Err))
	case err != nil && !errors.As(err, &answer) && errors.Is(err, client.ErrNoHost):
		return err
	case err != nil:
		return d.line("%s %s as before; the change does not load:\n  %s", d.out.yellow("kept"), clean(f.Name), indented(err))
	case change.Old == change.New && (d.last == "" || d.last == change.New):
		d.last = change.New
		return d.line("%s  %s %s is in force already", d.out.dim("unchanged"), clean(f.Name), clip(change.New, 19))
	}
	d.last = change.New // perhaps by the host itself, which watches its app folder, too
	took := fmt.Sprintf("%d ms after it was saved", time.Since(at).Milliseconds())
	if built > 0 {
		took += fmt.Sprintf(" (build %d ms, load %d ms)", built.Milliseconds(), change.Took.Milliseconds())
	}
	if change.Phase != "" && change.Phase != sandbox.PhaseFull {
		took += ", as a " + string(change.Phase) + " at first"
	}
	return d.line("%s   %s %s  %s; kept: state, rules, other plugins", d.out.green("reloaded"), clean(f.Name), clip(change.New, 19), took)
}

// indented is the text of an error for lines below another.
func indented(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  ")
}

// notBuilt is the error of a build.
type notBuilt struct{ Err error }

func (n *notBuilt) Error() string { return n.Err.Error() }
func (n *notBuilt) Unwrap() error { return n.Err }

// bring builds, when it is to, and loads.
func (d *dev) bring(ctx context.Context, f deploy.Found, build bool) (built time.Duration, change deploy.Change, err error) {
	if f, err = f.Renewed(); err != nil {
		return built, change, err
	}
	if build {
		if built, err = d.builder.Build(ctx, f); err != nil {
			return built, change, &notBuilt{err}
		}
	}
	src, err := f.Read()
	if err != nil {
		return built, change, err
	}
	u := client.Upload{Kind: string(f.Kind), Source: src}
	if d.key != nil {
		u.Signature = signature.Sign(src, f.Kind.Comment(), *d.key).Format()
		err = replaceFile(f.SignatureFile(), u.Signature)
	} else {
		u.Signature, err = f.ReadSignature()
	}
	if err != nil {
		return built, change, err
	}
	raw, err := d.host.PutPlugin(ctx, f.Name, u)
	if err != nil {
		return built, change, err
	}
	return built, change, json.Unmarshal(raw, &change)
}

// show prints what the plugin did in the host.
func (d *dev) show(plugin string, raw json.RawMessage) error {
	var m struct {
		Topic   string
		At      time.Time
		Payload json.RawMessage
		Lost    int
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	if m.Lost > 0 {
		if err := d.line("%s", d.out.yellow(fmt.Sprintf("… %s not shown", plural(m.Lost, "message")))); err != nil {
			return err
		}
	}
	if m.Topic == "rhost:logs" {
		var l host.LogLine
		if err := json.Unmarshal(m.Payload, &l); err != nil || l.Plugin != plugin {
			return err
		}
		return d.line("%s  %s  %s", d.out.dim(stamp(m.At)), d.out.cyan(pad(l.Level, 6)), clean(l.Text))
	}
	var a host.Action
	if err := json.Unmarshal(m.Payload, &a); err != nil || a.Plugin != plugin {
		return err
	}
	detail := a.Error
	if detail == "" {
		detail = clip(string(a.Out), 80)
	}
	return d.line("%s  %s  %s  %s  %s fuel  %s  %s", d.out.dim(stamp(a.At)), d.out.cyan(pad(clean(a.Rule), 6)), clean(a.Step), a.Status, thousands(a.Fuel), millis(a.Wall), clean(detail))
}

func (d *dev) line(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.line(format, args...)
}
