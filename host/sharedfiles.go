package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox"
)

// sharedFiles names the files of an app folder that rules, plugins and settings are made
// of, with slashes, sorted. Of a plugin they are what is loaded, its manifest and its
// signature, and not the source that it is built from.
func sharedFiles(app string) ([]string, error) {
	var names []string
	if _, err := os.Stat(filepath.Join(app, settingsFile)); err == nil {
		names = append(names, settingsFile)
	}
	for _, folder := range ruleFolders() {
		some, err := ruleNames(app, folder)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", folder.name, err)
		}
		names = append(names, some...)
	}
	found, err := deploy.Find(filepath.Join(app, "plugins"))
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		for _, file := range []string{f.File, f.Manifest, f.SignatureFile()} {
			if file == "" {
				continue
			}
			name, err := filepath.Rel(app, file)
			if err != nil {
				return nil, err
			}
			if _, err := os.Stat(file); err == nil {
				names = append(names, filepath.ToSlash(name))
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// ruleNames names the files of one of the folders of ReadRules.
func ruleNames(app string, folder ruleFolder) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(app, folder.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if folder.has(e) {
			names = append(names, folder.name+"/"+e.Name())
		}
	}
	return names, err
}

// belongs reports whether a file of that name is one that sharedFiles could give.
func belongs(name string) bool {
	folder, base, _ := strings.Cut(name, "/")
	for _, f := range ruleFolders() {
		if f.name == folder {
			return slices.Contains(f.endings, path.Ext(base))
		}
	}
	if name == settingsFile {
		return true
	}
	if _, ok := deploy.FoundAt("", strings.TrimSuffix(name, signature.Suffix)); ok {
		return true
	}
	return folder == "plugins" && deploy.IsManifest(base)
}

// folderDigests knows the digests of the files of a folder, and reads again only those
// that have changed. It belongs to one goroutine.
type folderDigests struct {
	app   string
	known map[string]knownFile
}

// knownFile is a file as it was when it was read.
type knownFile struct {
	size  int64
	mod   time.Time
	file  editionFile
	since time.Time // when it was read
}

// settled is how old a change must be at the least for a file to be known by its time
// alone: file systems count in steps.
const settled = 2 * time.Second

// list gives the files that there are now.
func (d *folderDigests) list() ([]editionFile, error) {
	names, err := sharedFiles(d.app)
	if err != nil {
		return nil, err
	}
	known := make(map[string]knownFile, len(names))
	list := make([]editionFile, 0, len(names))
	for _, name := range names {
		full := filepath.Join(d.app, filepath.FromSlash(name))
		info, err := os.Stat(full)
		if err != nil {
			return nil, err
		}
		k, ok := d.known[name]
		if !ok || k.size != info.Size() || !k.mod.Equal(info.ModTime()) || k.since.Sub(k.mod) < settled {
			b, err := ReadRuleFile(full)
			if err != nil {
				return nil, err
			}
			k = knownFile{size: info.Size(), mod: info.ModTime(), since: time.Now(), file: editionFile{Name: name, Digest: sandbox.Digest(b), Size: len(b)}}
		}
		known[name] = k
		list = append(list, k.file)
	}
	d.known = known
	return list, nil
}

// differences says in which files a folder is not what is in force: + for one that only
// the folder has, ~ for one with other bytes, - for one that it lacks. Settings are
// left to differentSettings.
func differences(folder []editionFile, e *edition) []string {
	var list []string
	had := make(map[string]string, len(folder))
	for _, f := range folder {
		had[f.Name] = f.Digest
	}
	for _, f := range e.Files {
		digest, ok := had[f.Name]
		delete(had, f.Name)
		switch {
		case f.Name == settingsFile:
		case !ok:
			list = append(list, "-"+f.Name)
		case digest != f.Digest:
			list = append(list, "~"+f.Name)
		}
	}
	delete(had, settingsFile)
	for name := range had {
		list = append(list, "+"+name)
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return list
}

// buildPlugins builds what of a folder's plugins is older than its source.
func buildPlugins(ctx context.Context, app string, building func(name string)) error {
	found, err := deploy.Find(filepath.Join(app, "plugins"))
	errs := []error{err}
	for _, f := range found {
		errs = append(errs, deploy.UpToDate(ctx, f, building))
	}
	return errors.Join(errs...)
}
