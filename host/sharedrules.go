package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhost/rhost/host/deploy"
)

// In a cluster the rules, plugins and shared settings in force are those of the newest
// edition on record, wherever the log goes on. The folders of the nodes may differ, when
// an operator changes one after the other or forgets one; a take-over must not bring back
// what one of them still has, nor what it has already. So a folder counts by itself
// once, when nothing is on record yet. After that `rhost apply` and `rhost plugin`
// change what is in force, on whichever node they are called.

// settle finds out what is in force. In a cluster its files are put into a folder of
// their own, from which the host goes on as it would from an app folder.
func (h *Host) settle(ctx context.Context) (err error) {
	if !h.place.shared() {
		return nil
	}
	h.blobs = newHeldBlobs(h.log)
	if h.editions, err = openEditions(ctx, h); err != nil {
		return err
	}
	h.folder = h.editions.dir
	return nil
}

// startEdition records, in a cluster, what this host is about to have in force. A log
// from before there were editions has rules of its own, which stay.
func (h *Host) startEdition(ctx context.Context) error {
	if h.editions == nil {
		return nil
	}
	folder, log := h.rules.Load(), h.lane.inForce.Load()
	if h.editions.alien && !h.place.adopt && log.row != "" && folder.Digest != log.Digest {
		if err := h.keepRules(folder, log); err != nil {
			return err
		}
	}
	return h.editions.begin(ctx)
}

// keepRules goes on with the rules of the log rather than those of the folder.
func (h *Host) keepRules(folder, log *RuleSet) error {
	h.report(Notice{Kind: "warning", Text: fmt.Sprintf("the app folder of node %s has other rules (%s) than those in force (%s), which stay; `rhost apply --prune` puts a folder's in force",
		h.place.node, short(folder.Digest), short(log.Digest))})
	h.rules.Store(log)
	if err := log.checkPlugins(h.hasPlugin); err != nil {
		return fmt.Errorf("the rules in force, which are not those of the app folder: %w", err)
	}
	return h.editions.useRules(log.Files)
}

// shared leaves out of a bundle, in a cluster, what is no part of what is in force:
// the source that plugins are built from.
func (a *applier) shared() {
	for name := range a.bundle.Files {
		if checkBundled(name) == nil && !belongs(name) {
			delete(a.bundle.Files, name)
		}
	}
}

// checkEdition finds out whether what would be in force could be put in force by a
// node that takes the log over: it has nothing but the files, and the plugins that
// operators have sent.
func (a *applier) checkEdition() error {
	dir := filepath.Join(a.data, inForceDir+".check")
	defer os.RemoveAll(dir) //nolint:errcheck // the next one does
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, name := range a.editions.after(a.out.Files) {
		if err := writeInto(dir, name, nil); err != nil {
			return err
		}
	}
	found, err := deploy.Find(filepath.Join(dir, "plugins"))
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	have := make(map[string]bool)
	for _, f := range found {
		have[f.Name] = true
	}
	for _, name := range a.Host.plugins.Sent() {
		have[name] = true
	}
	config, err := a.settingsAfter()
	if err != nil {
		return err
	}
	return errors.Join(
		config.checkConfiguredPlugins(func(name string) bool { return have[name] }),
		a.checkRules(func(name string) bool { return have[name] }))
}

// settingsAfter gives the settings that there would be.
func (a *applier) settingsAfter() (Config, error) {
	text, sent := a.bundle.Files[settingsFile]
	if !sent {
		var err error
		if text, err = a.editions.settings(); err != nil {
			return Config{}, err
		}
	}
	config, err := readConfig(a.app, text, a.opts.Set)
	if err == nil {
		err = config.checkSecrets(a.app)
	}
	return config, err
}

// compareSettings finds out which shared settings the bundle changes.
func (a *applier) compareSettings() (err error) {
	text, sent := a.bundle.Files[settingsFile]
	if !sent {
		return nil
	}
	have, err := a.editions.settings()
	if err == nil {
		a.out.Settings, err = differentSettings(sharedKeys(), text, have)
	}
	if err == nil && len(a.out.Settings) > 0 {
		a.out.Files = append(a.out.Files, FileChange{settingsFile, "change"})
	}
	return err
}

// putEdition records the bundle, and then puts it in force. Where that fails, the host
// ends, and the next begins with what is on record.
func (a *applier) putEdition(ctx context.Context) error {
	if err := a.editions.change(ctx, "a bundle was applied", a.out.Files, a.bundle.Files); err != nil {
		return err
	}
	err := a.putPlugins(ctx)
	if err == nil {
		_, err = a.putFolder(ctx)
	}
	if err != nil {
		a.editions.fail(err)
	}
	return err
}
