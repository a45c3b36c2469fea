package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhost/rhost/host/backup"
	"github.com/rhost/rhost/host/eventlog"
)

// BackupResult and BackupReport say what a backup wrote, and what is in one.
type (
	BackupResult = backup.Result
	BackupReport = backup.Report
)

// ErrNotEmpty is the error of a folder to restore to that has something in it.
var ErrNotEmpty = backup.ErrNotEmpty

// ErrBackupDamaged is the error of a backup that is not as it was written.
var ErrBackupDamaged = backup.ErrDamaged

// Backup copies an app and its data folder, of a host that is running or not, into
// the folder out; what an earlier backup there has already is not written again.
// It reads files alone, and every record; nothing is asked of the host.
func Backup(ctx context.Context, o Options, out string, progress func(done, total int64)) (*BackupResult, error) {
	data, config, err := dataOf(o)
	if err != nil {
		return nil, err
	}
	logDir := filepath.Join(data, "log")
	if _, err := os.Stat(logDir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no log; nothing has run there yet, or another folder is meant (DIR, --data)", data)
	}
	if err := checkApart(out, o.App, data); err != nil {
		return nil, err
	}
	inApp, err := appFiles(o.App, config)
	if err != nil {
		return nil, err
	}
	inData, err := dataFiles(data)
	if err != nil {
		return nil, err
	}
	r := newRecordReader()
	return backup.Write(ctx, out, backup.Options{
		Log: logDir, Files: append(inApp, inData...), Program: "rhost " + o.Version,
		Look: r.look, Progress: progress,
	})
}

// look is frame with the place in the error.
func (r *recordReader) look(stream string, f *eventlog.CheckedFrame) error {
	if err := r.frame(stream, f); err != nil {
		return fmt.Errorf("stream %s, frame %d: %w", stream, f.Seq, err)
	}
	return nil
}

// dataOf gives the data folder of an app and what its rhost.yaml says.
func dataOf(o Options) (string, Config, error) {
	if info, err := os.Stat(o.App); err != nil {
		return "", Config{}, fmt.Errorf("open app: %w", err)
	} else if !info.IsDir() {
		return "", Config{}, fmt.Errorf("open app: %s is not a folder; name the folder that holds rhost.yaml and rules/", o.App)
	}
	config, err := ReadConfig(o.App, o.Set)
	if o.Data != "" {
		return o.Data, config, err
	}
	return within(o.App, config.DataDir), config, err
}

// checkApart refuses a backup within what it copies.
func checkApart(out string, dirs ...string) error {
	out, err := filepath.Abs(out)
	for _, dir := range dirs {
		full, absErr := filepath.Abs(dir)
		rel, relErr := filepath.Rel(full, out)
		if err := errors.Join(err, absErr); err != nil {
			return err
		}
		if relErr == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%s lies within %s, which is to be copied; name a folder elsewhere, best on another disk", out, dir)
		}
	}
	return nil
}

// appFiles lists what an app consists of: rhost.yaml, rules and what is beside
// them, plugins with their sources, and the keys that rhost.yaml names.
func appFiles(app string, config Config) ([]backup.Source, error) {
	found := map[string]string{}
	if name := filepath.Join(app, "rhost.yaml"); isFile(name) {
		found["rhost.yaml"] = name
	}
	for _, key := range config.Signatures.Keys {
		if name := within(app, key); filepath.IsLocal(key) && isFile(name) {
			found[filepath.ToSlash(filepath.Clean(key))] = name
		}
	}
	for _, folder := range bundled() {
		err := walkFiles(filepath.Join(app, folder), func(name string) {
			if rel, err := filepath.Rel(app, name); err == nil {
				found[filepath.ToSlash(rel)] = name
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return copiesOf(backup.RootApp, found), nil
}

// dataFiles lists what a data folder has beside the log, what is made again and
// what repairs have put aside.
func dataFiles(data string) ([]backup.Source, error) {
	again := []string{"log", "cache", SocketName, probeName, repairedName}
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range entries {
		if slices.Contains(again, e.Name()) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		err := walkFiles(filepath.Join(data, e.Name()), func(name string) {
			if rel, err := filepath.Rel(data, name); err == nil {
				found[filepath.ToSlash(rel)] = name
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return copiesOf(backup.RootData, found), nil
}

// walkFiles visits the files at or below a place, but for hidden ones and what
// builds leave behind. What has gone meanwhile is passed over.
func walkFiles(root string, visit func(name string)) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "target"):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && isFile(name):
			visit(name)
		}
		return nil
	})
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func copiesOf(root string, found map[string]string) []backup.Source {
	var list []backup.Source
	for _, name := range sortedNames(found) {
		list = append(list, backup.Source{Root: root, Name: name, Path: found[name]})
	}
	return list
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// VerifyBackup reads a backup, and every record in it, and reports all that is not
// as it was written.
func VerifyBackup(ctx context.Context, dir string, progress func(done, total int64)) (*BackupReport, error) {
	r := newRecordReader()
	return backup.Verify(ctx, dir, backup.VerifyOptions{Look: r.frame, Whole: r.whole, Progress: progress})
}

// whole reports what records name and the backup does not have.
func (r *recordReader) whole(rep *BackupReport) []error {
	errs := r.missing(rep.Blob)
	first := make(map[string]uint64)
	for i := range rep.Manifest.Streams {
		first[rep.Manifest.Streams[i].Name] = rep.Manifest.Streams[i].First
	}
	for _, err := range []error{r.checkProgress(), r.checkSnapshot(rep.Manifest.Notes, first, rep.Blob)} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Restore makes an app folder, and a data folder, of a backup, once it was
// verified. Both must be missing or empty. Without data it is where the rhost.yaml
// of the backup says, as long as that lies within app. It returns the data folder.
func Restore(ctx context.Context, from, app, data string, logger *slog.Logger, progress func(done, total int64)) (*BackupReport, string, error) {
	if err := backup.CheckTarget(backup.Target{App: app, Data: data}); err != nil {
		return nil, "", fmt.Errorf("restore %s: %w", from, err)
	}
	rep, err := VerifyBackup(ctx, from, progress)
	if err != nil {
		return nil, "", fmt.Errorf("restore %s: %w", from, err)
	}
	if data == "" && len(rep.Problems) == 0 {
		if data, err = restoredData(app, rep.File(backup.RootApp, "rhost.yaml")); err != nil {
			return rep, "", fmt.Errorf("restore %s: %w", from, err)
		}
	}
	err = backup.Restore(ctx, rep, backup.Target{App: app, Data: data}, backup.RestoreOptions{Progress: progress, Logger: logger})
	return rep, data, err
}

// restoredData is where the data folder of a restored app goes, by its rhost.yaml,
// which is kept in the file text; "" stands for none.
func restoredData(app, text string) (string, error) {
	config := Config{}.withDefaults()
	if text != "" {
		var err error
		if config, err = ReadConfig(filepath.Dir(text), nil); err != nil {
			return "", fmt.Errorf("%w; say with --data where the data folder goes", err)
		}
	}
	if !filepath.IsLocal(config.DataDir) {
		return "", fmt.Errorf("data_dir of the backup's rhost.yaml is %s, which is outside of %s; say with --data where the data folder goes", config.DataDir, app)
	}
	return filepath.Join(app, config.DataDir), nil
}
