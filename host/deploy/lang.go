package deploy

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Lang is the language of a folder of source.
type Lang string

// The languages that Build turns into Wasm.
const (
	Go             Lang = "go"
	Rust           Lang = "rust"
	AssemblyScript Lang = "as"
	C              Lang = "c"
)

// String is the language's name for people.
func (l Lang) String() string {
	switch l {
	case Go:
		return "Go"
	case Rust:
		return "Rust"
	case AssemblyScript:
		return "AssemblyScript"
	case C:
		return "C"
	}
	return string(l)
}

// langOf says which language the files of a folder are in, "" for none. What
// only that language has decides; files of C may lie in a folder of any other.
func langOf(dir string, entries []fs.DirEntry) Lang {
	has := func(match func(name string) bool) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && match(e.Name()) })
	}
	named := func(want string) func(string) bool { return func(name string) bool { return name == want } }
	ending := func(ext string) func(string) bool { return func(name string) bool { return filepath.Ext(name) == ext } }
	switch {
	case has(named("go.mod")), has(ending(".go")):
		return Go
	case has(named("Cargo.toml")):
		return Rust
	case has(named("asconfig.json")), has(named("package.json")) && usesAssemblyScript(dir):
		return AssemblyScript
	case has(ending(".c")):
		return C
	}
	return ""
}

func usesAssemblyScript(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	return err == nil && bytes.Contains(text, []byte(`"assemblyscript"`))
}

// isSource reports whether a file is one that the built plugin depends on.
func (l Lang) isSource(name string) bool {
	switch l {
	case Go:
		return slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(name))
	case Rust:
		return slices.Contains([]string{".rs", ".toml", ".lock"}, filepath.Ext(name))
	case AssemblyScript:
		return filepath.Ext(name) == ".ts" || name == "asconfig.json" || name == "package.json"
	case C:
		return filepath.Ext(name) == ".c" || filepath.Ext(name) == ".h"
	}
	return false
}

// leavesOut reports whether a folder of that name holds what compilers and package
// managers made, and no source.
func leavesOut(name string) bool {
	return strings.HasPrefix(name, ".") || name == "target" || name == "node_modules" || name == "testdata"
}

// DependsOn reports whether what is loaded changes with a file: a module with the file
// itself, a script with its manifest, too, a plugin of source with its source and its
// manifest. name is a path as f's own are.
func (f Found) DependsOn(name string) bool {
	if f.Source == "" {
		return name == f.File || f.Kind != Wasm && slices.Contains(f.Manifests(), name)
	}
	rel, err := filepath.Rel(f.Source, name)
	if err != nil || !filepath.IsLocal(rel) {
		return false
	}
	above := strings.Split(filepath.ToSlash(filepath.Dir(rel)), "/")
	if above[0] == "." {
		return f.Lang.isSource(rel) || slices.Contains(manifestNames(), rel)
	}
	return f.Lang.isSource(filepath.Base(rel)) && !slices.ContainsFunc(above, leavesOut)
}

// Renewed is f with the manifest that lies there now: one may have come or gone.
func (f Found) Renewed() (Found, error) {
	var err error
	switch {
	case f.Source != "":
		f.Manifest, err = findManifest(f.Source)
	case f.Kind != Wasm:
		f.Manifest = ""
		for _, place := range f.Manifests() {
			if _, err := os.Stat(place); err == nil {
				f.Manifest = place
			}
		}
	}
	return f, err
}

// newer reports whether a source in dir or below is newer than the file built, and
// is not part of tests.
func (l Lang) newer(dir string, built fs.FileInfo) (bool, error) {
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir && leavesOut(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !l.isSource(d.Name()) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(built.ModTime()) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}
