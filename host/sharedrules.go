package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rhost/rhost/host/api"
)

// In a cluster the rules in force are those of the log, wherever it goes on. The
// folders of the nodes may differ, when an operator changes one after the other or
// forgets one; a take-over must not bring back what one of them still has. So a
// folder counts once, when the log has no rules yet. After that `rhost apply` alone
// changes rules.
//
// Plugins are those of the owner's folder, and nothing but the folders changes
// them: what an operator sent to one node, the others would not have.

// keepRules goes on with the rules of the log rather than those of the folder.
func (h *Host) keepRules(folder, log *RuleSet) error {
	h.report(Notice{Kind: "warning", Text: fmt.Sprintf("the app folder of node %s has other rules (%s) than those in force (%s), which stay; `rhost apply --prune` puts a folder's in force",
		h.place.node, short(folder.Digest), short(log.Digest))})
	h.rules.Store(log)
	if err := log.checkPlugins(h.hasPlugin); err != nil {
		return fmt.Errorf("the rules in force, which are not those of the app folder: %w", err)
	}
	return nil
}

// leaveChange says that a change of the folder is not followed.
func (h *Host) leaveChange(rules bool) {
	if !rules {
		h.report(Notice{Kind: "warning", Text: "plugins of the app folder have changed; restart the nodes one after the other, with the same plugins in each folder"})
		return
	}
	if set, err := h.folderRules(); err != nil || !h.inForce(set) { // an apply leaves none
		h.report(Notice{Kind: "warning", Text: "rules of the app folder have changed, which a node of a cluster does not follow; `rhost apply` puts them in force on all nodes", Err: err})
	}
}

// folderRules compiles what the app folder has.
func (h *Host) folderRules() (*RuleSet, error) {
	files, err := ReadRules(h.app)
	if err != nil {
		return nil, err
	}
	h.lib.begin()
	defer h.lib.end()
	return h.current().update(files)
}

// checkShared refuses what would change one node alone.
func (b backend) checkShared() error {
	if !b.place.shared() {
		return nil
	}
	return api.Kind(api.ErrInvalid, errors.New("in a cluster plugins are those of the nodes' folders; change the file in each of them, and restart the nodes one after the other"))
}

// checkFolder refuses, in a cluster, a bundle that changes plugins, and one that
// leaves out rules while the folder has others than those in force: it would bring
// them back.
func (a *applier) checkFolder() error {
	if !a.place.shared() {
		return nil
	}
	for _, c := range a.out.Files {
		if strings.HasPrefix(c.Name, "plugins/") {
			return fmt.Errorf("%s: %w", c.Name, backend{a.Host}.checkShared())
		}
	}
	if a.bundle.Prune {
		return nil
	}
	set, err := a.folderRules()
	if err == nil && !a.inForce(set) {
		err = fmt.Errorf("the app folder of node %s, which owns the log, has other rules than those in force; send all rules, with --prune", a.place.node)
	}
	return err
}
