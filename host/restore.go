package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/rhost/rhost/host/backup"
	"github.com/rhost/rhost/host/eventlog"
)

// RestorePart says what of a backup is restored.
type RestorePart string

// The parts of a backup.
const (
	RestoreAll  RestorePart = ""
	RestoreApp  RestorePart = "app"  // the app folder alone
	RestoreData RestorePart = "data" // the data folder, and the log wherever it is kept, of an app folder that is there
)

// RestoreOptions says where a backup goes.
type RestoreOptions struct {
	From string // the backup
	App  string
	// Data is the data folder. Empty: where rhost.yaml says, of the backup, as long as
	// that lies within App; or of App, where that is there.
	Data     string
	Part     RestorePart
	Set      []string // overrides of rhost.yaml
	Logger   *slog.Logger
	Progress func(done, total int64)
}

// Restore makes an app folder, and a data folder, of a backup, once it was
// verified. Both must be missing or empty; with RestoreData, App is there and is not
// touched, and its rhost.yaml says who keeps the log: a folder, servers elsewhere, or
// the nodes of a cluster. Of these each runs Restore, at the same time; the first of
// cluster.peers writes the log and the others keep their copies. Restore returns the
// data folder.
func Restore(ctx context.Context, o RestoreOptions) (*BackupReport, string, error) {
	rep, data, err := restore(ctx, o)
	if err != nil {
		return rep, "", fmt.Errorf("restore %s: %w", o.From, err)
	}
	return rep, data, nil
}

func restore(ctx context.Context, o RestoreOptions) (*BackupReport, string, error) {
	to := backup.Target{App: o.App, Data: o.Data}
	var config Config
	switch o.Part {
	case RestoreAll:
	case RestoreApp:
		to.Data = ""
	case RestoreData:
		var err error
		if to.Data, config, err = dataOf(Options{App: o.App, Data: o.Data, Set: o.Set}); err != nil {
			return nil, "", err
		}
		to.App = ""
	default:
		return nil, "", fmt.Errorf("%q is no part of a backup; name app or data", o.Part)
	}
	if err := backup.CheckTarget(to); err != nil {
		return nil, "", err
	}
	rep, err := VerifyBackup(ctx, o.From, o.Progress)
	if err != nil {
		return nil, "", err
	}
	if o.Part == RestoreAll && len(rep.Problems) == 0 {
		if to.Data, err = placeOfAll(o, rep.File(backup.RootApp, "rhost.yaml")); err != nil {
			return rep, "", err
		}
	}
	how := backup.RestoreOptions{Progress: o.Progress, Logger: o.Logger}
	if c := config.Cluster; c != nil {
		how.Engine = func(ctx context.Context, dir string) (*eventlog.Engine, error) {
			return c.start(ctx, o.App, dir, o.Logger)
		}
		how.Follow = len(c.Servers) == 0 && c.Listen != c.Peers[0]
	}
	return rep, to.Data, backup.Restore(ctx, rep, to, how)
}

// placeOfAll is the data folder of an app that is restored as a whole, by its
// rhost.yaml, which is kept in the file text; "" stands for none.
func placeOfAll(o RestoreOptions, text string) (string, error) {
	config := Config{}.withDefaults()
	var err error
	if text != "" {
		config, err = ReadConfig(filepath.Dir(text), o.Set)
	}
	switch {
	case err != nil && o.Data == "":
		return "", fmt.Errorf("%w; say with --data where the data folder goes", err)
	case err == nil && config.Cluster != nil:
		return "", errors.New("rhost.yaml of the backup has a cluster, whose secrets are in no backup: restore with `--part app`, put the secrets in their places (or leave out cluster, for one machine), then restore with `--part data`, on all nodes at the same time")
	case o.Data != "":
		return o.Data, nil
	case !filepath.IsLocal(config.DataDir):
		return "", fmt.Errorf("data_dir of the backup's rhost.yaml is %s, which is outside of %s; say with --data where the data folder goes", config.DataDir, o.App)
	}
	return filepath.Join(o.App, config.DataDir), nil
}
