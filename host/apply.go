package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
)

// Bundle is rules and plugins that are to come into force together.
type Bundle struct {
	Files map[string][]byte `json:"files"`             // by name relative to the app folder, with slashes
	Prune bool              `json:"prune,omitempty"`   // remove rules, tables, schemas and plugins that the bundle does not have
	Try   bool              `json:"dry_run,omitempty"` // say what would change, and check it
	// Allow lets plugins follow versions that they could not follow by themselves:
	// signed ones, those of another key, and newer ones.
	Allow bool `json:"allow,omitempty"`
}

// Applied says what a bundle changed, or would change.
type Applied struct {
	Files   []FileChange    `json:"files"`
	Rules   string          `json:"rules,omitempty"` // in words: "+new ~changed -gone 3 unchanged"
	Plugins []deploy.Change `json:"plugins,omitempty"`
	Done    bool            `json:"done"` // it is in force; false for a dry run
	// Settings are the keys of rhost.yaml that change, in a cluster, for the host that
	// takes the log over next.
	Settings []string `json:"settings,omitempty"`
}

// FileChange is a file that a bundle adds, changes or removes.
type FileChange struct {
	Name   string `json:"name"`
	Action string `json:"action"` // add, change or remove
}

const (
	maxBundle      = 64 << 20
	maxBundleFiles = 10_000
)

// Apply puts a bundle into the app folder and into force, or nothing of it: all
// rules are compiled and all plugins tried before the first file is written. What
// is to be written lies in the data folder before, so that a start after a crash in
// the middle finishes it.
func (b backend) Apply(ctx context.Context, body []byte) (json.RawMessage, error) {
	var bundle Bundle
	if err := json.Unmarshal(body, &bundle); err != nil {
		return nil, api.Kind(api.ErrInvalid, fmt.Errorf("read bundle: %w", err))
	}
	b.applying.Lock()
	defer b.applying.Unlock()
	a := applier{Host: b.Host, bundle: &bundle}
	if err := a.check(ctx); err != nil {
		return nil, api.Kind(api.ErrInvalid, err)
	}
	if !bundle.Try && (len(a.out.Files) > 0 || a.out.Rules != "") {
		if err := a.put(ctx); err != nil {
			return nil, apiError(err)
		}
	}
	a.out.Done = !bundle.Try
	return json.Marshal(a.out)
}

// applier puts one bundle into force.
type applier struct {
	*Host
	bundle  *Bundle
	names   []string       // of the bundle's files, in order
	plugins []deploy.Found // those that change
	out     Applied
}

// check finds out what changes and whether it is good, all of it.
func (a *applier) check(ctx context.Context) error {
	if a.editions != nil {
		a.shared()
	}
	a.names = slices.Sorted(maps.Keys(a.bundle.Files))
	total := 0
	var errs []error
	for _, name := range a.names {
		total += len(a.bundle.Files[name])
		if a.editions == nil || name != settingsFile {
			errs = append(errs, checkBundled(name))
		}
	}
	if total > maxBundle || len(a.names) > maxBundleFiles {
		errs = append(errs, fmt.Errorf("the bundle has %d files and %d bytes; at most %d and %d are taken at once", len(a.names), total, maxBundleFiles, maxBundle))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := a.compare(); err != nil {
		return err
	}
	names, err := a.checkPlugins(ctx)
	if a.editions != nil {
		return errors.Join(err, a.checkEdition())
	}
	return errors.Join(err, a.checkRules(func(name string) bool {
		return names[name] || a.hasPlugin(name)
	}))
}

// checkBundled refuses names that are not those of an app's rules and plugins.
func checkBundled(name string) error {
	folder, rest, _ := strings.Cut(name, "/")
	ok := slices.Contains(bundled(), folder) && rest != "" && path.Clean(name) == name && filepath.IsLocal(name) && !strings.ContainsRune(name, '\\')
	if folder != "plugins" && strings.Contains(rest, "/") || strings.HasPrefix(rest, ".") || strings.Contains(rest, "/.") {
		ok = false
	}
	if !ok {
		return fmt.Errorf("%q: a bundle holds files of rules/, tables/, schemas/ and plugins/, none of them hidden", name)
	}
	return nil
}

// bundled are the folders that a bundle may hold.
func bundled() []string {
	names := []string{"plugins"}
	for _, f := range ruleFolders() {
		names = append(names, f.name)
	}
	return names
}

// compare finds the files that are different.
func (a *applier) compare() error {
	if a.editions != nil {
		if err := a.compareSettings(); err != nil {
			return err
		}
	}
	for _, name := range a.names {
		if name == settingsFile {
			continue
		}
		have, err := os.ReadFile(filepath.Join(a.folder, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			a.out.Files = append(a.out.Files, FileChange{name, "add"})
		case err != nil:
			return err
		case !bytes.Equal(have, a.bundle.Files[name]):
			a.out.Files = append(a.out.Files, FileChange{name, "change"})
		}
	}
	if !a.bundle.Prune {
		return nil
	}
	for _, folder := range bundled() {
		err := filepath.WalkDir(filepath.Join(a.folder, folder), func(full string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case strings.HasPrefix(d.Name(), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir():
				return nil
			}
			name, err := filepath.Rel(a.folder, full)
			if _, keep := a.bundle.Files[filepath.ToSlash(name)]; err == nil && !keep {
				a.out.Files = append(a.out.Files, FileChange{filepath.ToSlash(name), "remove"})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkPlugins compiles and tries the plugins of the bundle that are different. It
// gives the names of all that the bundle has.
func (a *applier) checkPlugins(ctx context.Context) (names map[string]bool, err error) {
	names = make(map[string]bool)
	trial := a.Host.plugins.Trial()
	defer trial.End()
	var errs []error
	for _, name := range a.names {
		f, ok := deploy.FoundAt(a.folder, name)
		if !ok {
			continue
		}
		names[f.Name] = true
		src, changed, err := a.whole(&f, name)
		if err == nil && !changed && !a.changes(name+signature.Suffix) {
			continue
		}
		u := deploy.Upload{Kind: f.Kind, Source: src, Allow: a.bundle.Allow}
		if err == nil {
			u.Signature, err = a.signatureOf(f, name)
		}
		var change deploy.Change
		if err == nil {
			change, err = trial.Check(ctx, f, u)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.plugins = append(a.plugins, f)
		a.out.Plugins = append(a.out.Plugins, change)
	}
	return names, errors.Join(errs...)
}

// changes reports whether the bundle changes a file.
func (a *applier) changes(name string) bool {
	return slices.ContainsFunc(a.out.Files, func(c FileChange) bool { return c.Name == name })
}

// whole gives a plugin of the bundle as it will be loaded: a script with the
// manifest that it will have.
func (a *applier) whole(f *deploy.Found, name string) (src []byte, changed bool, err error) {
	src, changed = a.bundle.Files[name], a.changes(name)
	if f.Kind == deploy.Wasm {
		return src, changed, nil // it carries its own
	}
	for _, place := range f.Manifests() {
		about := path.Join(path.Dir(name), filepath.Base(place))
		changed = changed || a.changes(about)
		text, ok := a.bundle.Files[about]
		if !ok && !a.bundle.Prune {
			text, err = os.ReadFile(place)
			ok = err == nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, changed, err
		}
		if !ok || f.Manifest != "" {
			continue
		}
		f.Manifest = place
		if src, err = f.Join(src, text); err != nil {
			return nil, changed, err
		}
	}
	return src, changed, nil
}

// signatureOf gives what will lie beside a plugin of the bundle as its signature.
func (a *applier) signatureOf(f deploy.Found, name string) ([]byte, error) {
	if sig, ok := a.bundle.Files[name+signature.Suffix]; ok {
		return append([]byte{}, sig...), nil // an empty file is a bad signature, not none
	}
	if a.bundle.Prune {
		return nil, nil
	}
	return f.ReadSignature()
}

// checkRules compiles the rules as they would be.
func (a *applier) checkRules(hasPlugin func(string) bool) error {
	files, err := ReadRules(a.folder)
	if err != nil {
		return err
	}
	for _, c := range a.out.Files {
		files = slices.DeleteFunc(files, func(f RuleFile) bool { return f.Name == c.Name })
		if folder, _, _ := strings.Cut(c.Name, "/"); folder != "plugins" && c.Name != settingsFile && c.Action != "remove" {
			files = append(files, RuleFile{Name: c.Name, Text: string(a.bundle.Files[c.Name])})
		}
	}
	slices.SortFunc(files, func(x, y RuleFile) int { return strings.Compare(x.Name, y.Name) })
	set, err := a.current().update(files)
	if err != nil {
		return err
	}
	if !set.change.none() {
		a.out.Rules = set.change.String()
	}
	return set.checkPlugins(hasPlugin)
}

// put writes the files and puts them in force.
func (a *applier) put(ctx context.Context) error {
	if a.editions != nil {
		return a.putEdition(ctx)
	}
	if len(a.out.Files) > 0 {
		r := redo{app: a.app, data: a.data}
		if err := r.begin(a.out.Files, a.bundle.Files); err != nil {
			return err
		}
		if err := r.finish(); err != nil {
			return err
		}
	}
	if err := a.putPlugins(ctx); err != nil {
		return err
	}
	a.reloadRules(ctx)
	return nil
}

// putPlugins puts the plugins that change in force, as they are in the folder.
func (a *applier) putPlugins(ctx context.Context) error {
	for i, f := range a.plugins {
		reload := a.Host.plugins.Reload
		if a.bundle.Allow {
			reload = a.Host.plugins.Approve
		}
		change, err := reload(ctx, f)
		if err != nil {
			return err
		}
		if a.out.Plugins[i] = change; change.Old != change.New {
			a.reloadedPlugin(change)
		}
	}
	return nil
}
