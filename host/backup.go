package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhost/rhost/host/backup"
	"github.com/rhost/rhost/host/eventlog"
)

type (
	// BackupResult says what a backup wrote.
	BackupResult = backup.Result
	// BackupReport says what is in a backup.
	BackupReport = backup.Report
)

// ErrNotEmpty is the error of a folder to restore to that has something in it.
var ErrNotEmpty = backup.ErrNotEmpty

// ErrBackupDamaged is the error of a backup that is not as it was written.
var ErrBackupDamaged = backup.ErrDamaged

// ErrThroughNode is the error of a backup whose log is kept by servers that run within
// the nodes of a cluster: one of them has to write it.
var ErrThroughNode = errors.New("the log is kept by the nodes of a cluster, and one that runs takes a backup of it")

// Backup copies an app and its data folder, of a host that is running or not, into
// the folder out; what an earlier backup there has already is not written again.
// It reads every record. The log of one machine it reads from its files, and asks
// nothing of the host; one on servers elsewhere through them. The log of a cluster it
// leaves to a node, see ErrThroughNode.
func Backup(ctx context.Context, o Options, out string, progress func(done, total int64)) (*BackupResult, error) {
	data, config, err := dataOf(o)
	if err != nil {
		return nil, err
	}
	if c := config.Cluster; c != nil {
		return backupElsewhere(ctx, o, config, data, out, progress)
	}
	logDir := filepath.Join(data, "log")
	if member, err := eventlog.Member(logDir); err != nil || member {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", logDir, eventlog.ErrMember))
	}
	if _, err := os.Stat(logDir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no log; nothing has run there yet, or another folder is meant (DIR, --data)", data)
	}
	return writeBackup(ctx, o, config, data, out, backup.Options{Log: logDir, Progress: progress})
}

// writeBackup backs up the log that w tells of, and the files of the app and the data
// folder.
func writeBackup(ctx context.Context, o Options, config Config, data, out string, w backup.Options) (*BackupResult, error) {
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
	w.Files, w.Program, w.Look = append(inApp, inData...), "rhost "+o.Version, newRecordReader().look
	return backup.Write(ctx, out, w)
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
	again := []string{"log", "cache", SocketName, probeName, repairedName, inForceDir}
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
	for _, err := range []error{r.checkProgress(), r.checkSnapshot(rep.Manifest.Notes, first, rep.Blob), checkEditionNotes(rep.Manifest.Editions, rep.Blob)} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
