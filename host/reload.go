package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sandbox"
)

// watchAgain is how long a watch that failed rests.
const watchAgain = 5 * time.Second

// lookAtConfig is how often rhost.yaml is looked at.
const lookAtConfig = 2 * time.Second

// watch follows the app folder. A change of rules or plugins is compiled aside
// and put in force; one that does not compile changes nothing and is reported.
func (h *Host) watch(ctx context.Context) error {
	var ofRules []string
	for _, f := range ruleFolders() {
		ofRules = append(ofRules, filepath.Join(h.app, f.name)+string(filepath.Separator))
	}
	dirs := append(slices.Clone(ofRules), filepath.Join(h.app, "plugins"))
	waiting := false // rules are, for a plugin that they call
	changed := func(files []string) {
		rules := slices.ContainsFunc(files, func(name string) bool {
			return slices.ContainsFunc(ofRules, func(dir string) bool { return strings.HasPrefix(name, dir) })
		})
		h.applying.Lock()
		defer h.applying.Unlock()
		h.reloadPlugins(ctx, files)
		if rules || waiting {
			waiting = h.reloadRules(ctx)
		}
	}
	since := h.began
	for {
		err := deploy.Watch(ctx, dirs, since, changed)
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // it was asked to stop
		}
		since = time.Now()
		// A folder that cannot be read is no reason to stop matching.
		h.report(Notice{Kind: "warning", Text: "changes of rules and plugins are not seen for now", Err: err})
		select {
		case <-time.After(watchAgain):
		case <-ctx.Done():
		}
	}
}

// watchConfig says when rhost.yaml changes, which takes effect with a restart.
func (h *Host) watchConfig(ctx context.Context) error {
	name := filepath.Join(h.app, "rhost.yaml")
	changed := func() time.Time {
		info, err := os.Stat(name)
		if err != nil {
			return time.Time{} // there is none
		}
		return info.ModTime()
	}
	last := changed()
	tick := time.NewTicker(lookAtConfig)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := changed(); !now.Equal(last) {
			last = now
			h.report(Notice{Kind: "warning", Text: "rhost.yaml has changed; restart to apply it"})
		}
	}
}

func (h *Host) reloadPlugins(ctx context.Context, files []string) {
	changed, err := h.plugins.Changed(files)
	if err != nil {
		h.report(Notice{Kind: "kept", Text: "plugins", Err: err})
	}
	for _, f := range changed {
		change, err := h.plugins.Reload(ctx, f)
		switch {
		case ctx.Err() != nil:
		case err != nil && change.New == "" && !h.hasPlugin(f.Name):
			h.report(Notice{Kind: "warning", Text: "plugin " + f.Name + " is not loaded", Err: err})
		case err != nil && change.New == "":
			h.report(Notice{Kind: "kept", Text: "plugin " + f.Name, Err: err})
		case err != nil: // the new version takes calls; the old one is not rid of them yet
			h.report(Notice{Kind: "warning", Text: "plugin " + f.Name + " is reloaded", Err: err})
		case change.New != change.Old:
			h.reloadedPlugin(change)
		}
	}
}

// reloadedPlugin says that a version takes calls from now on, or is on its way.
func (h *Host) reloadedPlugin(c deploy.Change) {
	text := fmt.Sprintf("plugin %s (%s) %s in %d ms", c.Name, c.Engine, short(c.New), c.Took.Milliseconds())
	if c.Phase != "" && c.Phase != sandbox.PhaseFull {
		text += ", as a " + string(c.Phase) + " at first"
	}
	h.report(Notice{Kind: "reloaded", Text: text})
}

// reloadRules puts the rules of the folder in force, if they are good. It
// reports whether they only wait for a plugin.
func (h *Host) reloadRules(ctx context.Context) (waiting bool) {
	waiting, err := h.putFolder(ctx)
	if err != nil && ctx.Err() == nil {
		h.report(Notice{Kind: "kept", Text: "rules", Err: err})
	}
	return waiting
}

// putFolder puts the rules of the folder in force. waiting says that a plugin is all
// that they lack.
func (h *Host) putFolder(ctx context.Context) (waiting bool, err error) {
	files, err := ReadRules(h.folder)
	if err != nil {
		return false, err
	}
	h.lib.begin()
	defer h.lib.end()
	set, err := h.current().update(files)
	if err != nil {
		return false, err
	}
	if err := set.checkPlugins(h.hasPlugin); err != nil {
		return true, err
	}
	if h.inForce(set) {
		return false, nil
	}
	return false, h.putRules(ctx, set)
}

// current is the rules of the app folder, as last compiled without error; once
// they are in force, in the form that the lane has given them.
func (h *Host) current() *RuleSet {
	set, lane := h.rules.Load(), h.lane.inForce.Load()
	if set == lane || set.Digest != lane.Digest {
		return set
	}
	h.rules.CompareAndSwap(set, lane)
	return lane
}

// inForce reports whether a set is what the lane has and what the log ends with.
func (h *Host) inForce(set *RuleSet) bool {
	return set.Digest == h.rules.Load().Digest && set.Digest == h.lane.inForce.Load().Digest
}

// startRules puts the rules of the folder in force, unless they were when the host was
// last closed. In a cluster that is recorded first.
func (h *Host) startRules(ctx context.Context) error {
	if err := h.startEdition(ctx); err != nil {
		return err
	}
	set, before := h.rules.Load(), h.lane.inForce.Load()
	if set.Digest == before.Digest {
		return nil
	}
	if before.row != "" {
		next, err := before.update(set.Files, set.parts...)
		if err != nil {
			return err
		}
		set = next
	}
	return h.putRules(ctx, set)
}

// putRules writes a revision into the log: from that place on the set is in
// force, now and on every replay.
func (h *Host) putRules(ctx context.Context, set *RuleSet) error {
	if err := h.lib.keep(ctx, set); err != nil {
		return err
	}
	_, err := h.log.Committer().Commit(ctx, []eventlog.Record{{
		Kind: eventlog.Revision, Tenant: h.tenant.String(), Key: set.Digest,
	}})
	if err != nil {
		h.lib.forget(set)
		return fmt.Errorf("put rules in force: %w", err)
	}
	h.rules.Store(set)
	return nil
}

// reporter makes calls of fn one at a time.
func reporter(fn func(Notice)) func(Notice) {
	if fn == nil {
		return func(Notice) {}
	}
	turn := make(chan struct{}, 1)
	return func(n Notice) {
		turn <- struct{}{}
		defer func() { <-turn }()
		fn(n)
	}
}

// short is a digest as people read it.
func short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(12, len(hex))]
}
