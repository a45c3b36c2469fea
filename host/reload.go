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
			return nil
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
	files, err := ReadRules(h.app)
	if err != nil {
		h.report(Notice{Kind: "kept", Text: "rules", Err: err})
		return false
	}
	set, err := CompileRules(files)
	if err == nil {
		err = set.checkPlugins(h.hasPlugin)
		waiting = err != nil
	}
	if err != nil {
		h.report(Notice{Kind: "kept", Text: "rules", Err: err})
		return waiting
	}
	old := h.rules.Load()
	if set.Digest == old.Digest {
		return false
	}
	if err := h.putRules(ctx, set); err != nil {
		if ctx.Err() == nil {
			h.report(Notice{Kind: "kept", Text: "rules", Err: err})
		}
		return false
	}
	h.rules.Store(set)
	h.report(Notice{Kind: "reloaded", Text: "rules: " + difference(old, set)})
	return false
}

// putRules writes a revision into the log: from that place on the set is in
// force, now and on every replay. It does nothing when it is in force already.
func (h *Host) putRules(ctx context.Context, set *RuleSet) error {
	var current string
	if err := h.lane.ask(ctx, func() { current = h.lane.rules.Digest }); err != nil {
		return err
	}
	if current == set.Digest {
		h.lib.know(set)
		return nil
	}
	if err := h.lib.keep(ctx, set); err != nil {
		return err
	}
	_, err := h.log.Committer().Commit(ctx, []eventlog.Record{{
		Kind: eventlog.Revision, Tenant: h.tenant.String(), Key: set.Digest,
	}})
	if err != nil {
		return fmt.Errorf("put rules in force: %w", err)
	}
	return nil
}

// difference says in a few words what a change of rules did.
func difference(old, now *RuleSet) string {
	versions := make(map[string]string)
	for _, r := range old.Program.Rules() {
		versions[r.Name] = r.Version
	}
	var parts []string
	same := 0
	for _, r := range now.Program.Rules() {
		v, known := versions[r.Name]
		delete(versions, r.Name)
		switch {
		case !known:
			parts = append(parts, "+"+r.Name)
		case v != r.Version:
			parts = append(parts, "~"+r.Name)
		default:
			same++
		}
	}
	var gone []string
	for name := range versions {
		gone = append(gone, "-"+name)
	}
	slices.Sort(gone)
	parts = append(parts, gone...)
	parts = append(parts, differentFiles(old.Files, now.Files)...)
	return strings.Join(append(parts, fmt.Sprintf("%d unchanged", same)), " ")
}

// differentFiles names the tables and schemas that are new, changed or gone.
func differentFiles(old, now []RuleFile) (parts []string) {
	texts := make(map[string]string)
	for _, f := range old {
		texts[f.Name] = f.Text
	}
	for _, f := range now {
		text, known := texts[f.Name]
		delete(texts, f.Name)
		switch {
		case strings.HasPrefix(f.Name, "rules/"):
		case !known:
			parts = append(parts, "+"+f.Name)
		case text != f.Text:
			parts = append(parts, "~"+f.Name)
		}
	}
	for name := range texts {
		if !strings.HasPrefix(name, "rules/") {
			parts = append(parts, "-"+name)
		}
	}
	slices.Sort(parts)
	return parts
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
