package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/yamldoc"
)

// CodeManifest is the code of the problems of a manifest.
const CodeManifest = "plugin-manifest"

// manifestSuffix ends the name of a script's manifest.
const manifestSuffix = ".manifest.yaml"

// manifestNames are what the manifest of a plugin with a folder may be called.
func manifestNames() []string { return []string{"manifest.yaml", "plugin.yaml"} }

// IsManifest reports whether a file may be the manifest of a plugin, by its name
// relative to the folder of plugins, with slashes.
func IsManifest(name string) bool {
	folder, base, deep := strings.Cut(name, "/")
	if deep {
		return folder != "" && slices.Contains(manifestNames(), base)
	}
	return strings.HasSuffix(name, manifestSuffix)
}

// ReadManifest reads a manifest that is written in YAML and gives it as one line
// of JSON. The error is yamldoc.Errors, with places.
func ReadManifest(file string, text []byte) ([]byte, error) {
	docs, err := yamldoc.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, yamldoc.Errorf(yamldoc.Pos{File: file, Line: 1, Col: 1}, "", CodeManifest, "", "holds %d documents; a manifest is one", len(docs))
	}
	out, err := json.Marshal(docs[0].Any())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	_, err = manifest.Parse(out)
	var wrong manifest.Problems
	if !errors.As(err, &wrong) {
		return out, err
	}
	var list yamldoc.Errors
	for _, p := range wrong {
		list = append(list, yamldoc.Errorf(placeOf(docs[0], p.Path), p.Key(), CodeManifest, p.Fix, "%s", p.Msg))
	}
	return nil, list.Err()
}

// placeOf finds the node that a path leads to, or the last one on the way.
func placeOf(n *yamldoc.Node, path []string) yamldoc.Pos {
	pos := n.Pos
	for _, part := range path {
		if index, ok := strings.CutPrefix(part, "["); ok {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || n.Kind != yamldoc.List || i >= len(n.Items) {
				return pos
			}
			n = n.Items[i]
			pos = n.Pos
			continue
		}
		found := false
		for _, e := range n.Keys {
			if e.Key == part && e.Value != nil {
				n, pos, found = e.Value, e.Pos, true
			}
		}
		if !found {
			return pos
		}
	}
	return pos
}

// Read returns the plugin as it is loaded: a module, or a script with the
// manifest that lies beside it in its last line.
func (f Found) Read() ([]byte, error) {
	return f.ReadChecked(func([]byte) error { return nil })
}

// ReadChecked is Read, which shows what it read to check: a module before anything
// parses it, a script with its manifest. What it read is there with an error of
// check, too.
func (f Found) ReadChecked(check func(src []byte) error) ([]byte, error) {
	src, err := readBounded(f.File)
	if err != nil {
		return nil, err
	}
	if f.Kind == Wasm || f.Manifest == "" {
		if err := check(src); err != nil {
			return src, err
		}
	}
	if f.Manifest == "" {
		return src, nil
	}
	text, err := readBounded(f.Manifest)
	if err != nil {
		return nil, err
	}
	if src, err = f.Join(src, text); err != nil {
		return nil, err
	}
	if f.Kind == Wasm {
		return src, nil
	}
	return src, check(src)
}

// Join gives a plugin's bytes the manifest text, in YAML, that was written for
// them. A module has it already, put in when it was built; then they are compared.
func (f Found) Join(src, text []byte) ([]byte, error) {
	name := f.Manifest
	if name == "" {
		name = f.Name + manifestSuffix
	}
	about, err := ReadManifest(filepath.Base(name), text)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case Lua:
		return manifest.EmbedScript(src, "--", about)
	case JS:
		return manifest.EmbedScript(src, "//", about)
	case Wasm:
	}
	have, err := manifest.Section(src)
	if err == nil && !bytes.Equal(have, about) {
		err = fmt.Errorf("%s is not the manifest that %s carries; run `rhost plugin build %s`", f.Manifest, filepath.Base(f.File), filepath.Dir(f.File))
	}
	return src, err
}

// embed gives a module that was just built the manifest of its folder.
func (f Found) embed(wasm []byte) ([]byte, error) {
	if f.Manifest == "" {
		return wasm, nil
	}
	text, err := readBounded(f.Manifest)
	if err != nil {
		return nil, err
	}
	about, err := ReadManifest(f.Manifest, text)
	if err != nil {
		return nil, err
	}
	return manifest.Embed(wasm, about)
}

// findManifest finds the manifest of a plugin with a folder.
func findManifest(folder string) (string, error) {
	var found []string
	for _, name := range manifestNames() {
		full := filepath.Join(folder, name)
		if _, err := os.Stat(full); err == nil {
			found = append(found, full)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("plugin %s: it has both %s; keep one", folder, strings.Join(manifestNames(), " and "))
}

// attach gives scripts the manifests that lie beside them, among entries.
func attach(dir string, entries []fs.DirEntry, found []Found) error {
	var errs []error
	for _, entry := range entries {
		base := entry.Name()
		name, ok := strings.CutSuffix(base, manifestSuffix)
		if !ok || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			continue
		}
		owned := false
		for i := range found {
			f := &found[i]
			switch {
			case f.Name != name:
				continue
			case f.Kind == Wasm:
				errs = append(errs, fmt.Errorf("plugin %s: %s lies beside a module, which carries its manifest itself; move it to manifest.yaml in the folder of the source and run `rhost plugin build`, or remove it", name, base))
			default:
				f.Manifest = filepath.Join(dir, base)
			}
			owned = true
		}
		if !owned {
			errs = append(errs, fmt.Errorf("plugin %s: %s is the manifest of a script that is not there; add %s.lua or %s.js, or remove it", name, base, name, name))
		}
	}
	return errors.Join(errs...)
}

// Manifests are the places where the manifest of a script may lie: beside it, or in
// the folder that is its own.
func (f Found) Manifests() []string {
	places := []string{f.Beside()}
	if dir := filepath.Dir(f.File); filepath.Base(dir) == f.Name {
		for _, name := range manifestNames() {
			places = append(places, filepath.Join(dir, name))
		}
	}
	return places
}

// Beside is where the manifest of a script that is one file lies, if it has one.
func (f Found) Beside() string {
	return strings.TrimSuffix(f.File, filepath.Ext(f.File)) + manifestSuffix
}
