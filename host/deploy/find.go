package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Kind says what a plugin is made of; it is also its file extension.
type Kind string

// The kinds of plugin.
const (
	Wasm Kind = "wasm"
	Lua  Kind = "lua"
	JS   Kind = "js"
)

// Found is a plugin in an app folder.
type Found struct {
	Name   string
	Kind   Kind
	File   string // what is loaded; for a folder of source, what Build makes
	Source string // folder of source, or ""
	Lang   Lang   // of the source, or ""
	// Manifest is the file in which the author describes the plugin, or "": beside
	// a script, in the folder of a plugin that has one.
	Manifest string
}

// Stale reports whether the plugin has source that is newer than its file, or
// no file yet.
func (f Found) Stale() (bool, error) {
	if f.Source == "" {
		return false, nil
	}
	built, err := os.Stat(f.File)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if f.Manifest != "" {
		about, err := os.Stat(f.Manifest)
		if err != nil || about.ModTime().After(built.ModTime()) {
			return err == nil, err
		}
	}
	return f.Lang.newer(f.Source, built)
}

// Find lists the plugins of dir, by name: NAME.wasm, NAME.lua, NAME.js, folders
// that hold one of these, and folders of source NAME/, whose plugin is
// NAME/NAME.wasm. A folder that does not exist holds none. Two plugins of one name
// are an error, and so is a file of a kind that no engine runs.
func Find(dir string) ([]Found, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read plugins: %w", err)
	}
	var found []Found
	var errs []error
	for _, entry := range entries {
		f, ok, err := find(dir, entry)
		if err != nil {
			errs = append(errs, err)
		}
		if ok {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(found); i++ {
		if a, b := found[i-1], found[i]; a.Name == b.Name {
			errs = append(errs, fmt.Errorf("plugin %s: both %s and %s have that name; rename one of them", a.Name, a.where(), b.where()))
		}
	}
	errs = append(errs, attach(dir, entries, found))
	return found, errors.Join(errs...)
}

func (f Found) where() string {
	if f.Source != "" {
		return f.Source
	}
	return f.File
}

func find(dir string, entry fs.DirEntry) (Found, bool, error) {
	name := entry.Name()
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return Found{}, false, nil
	}
	full := filepath.Join(dir, name)
	folder := entry.IsDir()
	if entry.Type()&fs.ModeSymlink != 0 { // a plugin may live elsewhere
		info, err := os.Stat(full)
		if err != nil {
			return Found{}, false, fmt.Errorf("read plugins: %w", err)
		}
		folder = info.IsDir()
	}
	if folder {
		return findFolder(full, name)
	}
	ext := filepath.Ext(name)
	switch kind := Kind(strings.TrimPrefix(ext, ".")); kind {
	case Wasm, Lua, JS:
		return Found{Name: strings.TrimSuffix(name, ext), Kind: kind, File: full}, true, nil
	case "ts", "star":
		if strings.HasSuffix(name, ".d.ts") { // types for editors
			return Found{}, false, nil
		}
		return Found{}, false, fmt.Errorf("plugin %s: %s plugins are not supported yet; use .lua, .js or .wasm", full, kind)
	}
	return Found{}, false, nil // READMEs and the like may lie beside plugins
}

// findFolder takes a folder of source, or of a plugin that needs no building.
func findFolder(full, name string) (Found, bool, error) {
	entries, err := os.ReadDir(full)
	if err != nil {
		return Found{}, false, fmt.Errorf("read plugins: %w", err)
	}
	about, err := findManifest(full)
	if err != nil {
		return Found{}, false, err
	}
	wasm := filepath.Join(full, name+".wasm")
	if lang := langOf(full, entries); lang != "" {
		return Found{Name: name, Kind: Wasm, File: wasm, Source: full, Lang: lang, Manifest: about}, true, nil
	}
	var found []Found
	for _, kind := range []Kind{Wasm, Lua, JS} {
		file := filepath.Join(full, name+"."+string(kind))
		if _, err := os.Stat(file); err == nil {
			found = append(found, Found{Name: name, Kind: kind, File: file, Manifest: about})
		}
	}
	switch len(found) {
	case 1:
		return found[0], true, nil
	case 0:
		return Found{}, false, fmt.Errorf("plugin %s: the folder holds neither source (go.mod, Cargo.toml, asconfig.json, *.c) nor %s.wasm, .lua or .js; "+
			"add one, or start its name with _ to have it left alone", full, name)
	}
	return Found{}, false, fmt.Errorf("plugin %s: both %s and %s are in the folder; remove one of them", name, found[0].File, found[1].File)
}

// FoundAt says which plugin a file of an app is, by its name relative to the app
// folder, with slashes; ok is false for one that is none.
func FoundAt(app, name string) (f Found, ok bool) {
	rest, ok := strings.CutPrefix(name, "plugins/")
	if !ok {
		return Found{}, false
	}
	ext := path.Ext(rest)
	kind := Kind(strings.TrimPrefix(ext, "."))
	base := strings.TrimSuffix(path.Base(rest), ext)
	folder, inner, deep := strings.Cut(rest, "/")
	switch {
	case kind != Wasm && kind != Lua && kind != JS, strings.HasPrefix(rest, "."), strings.HasPrefix(rest, "_"):
		return Found{}, false
	case deep && inner != folder+ext:
		return Found{}, false
	}
	return Found{Name: base, Kind: kind, File: filepath.Join(app, filepath.FromSlash(name))}, true
}
