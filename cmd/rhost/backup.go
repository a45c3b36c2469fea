package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/host"
)

// exitDamaged is the exit code of a backup or a folder in which something is not
// as it was written.
const exitDamaged = 4

func backupCmd() *cobra.Command {
	var o host.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup DIR OUT",
		Short: "Back up an app and its data folder, also while it runs",
		Long: `Back up the app in DIR and its data folder into the folder OUT, which is made
when missing. The host may run meanwhile; nothing is asked of it, for the files of
its log are read. The backup is of one moment: restored, it goes on as after a
crash at that moment.

The log of a cluster is backed up by a node that runs, of which DIR or --data names
the folder, into a folder that this node can write to; DIR and the data folder are
that node's. A log on servers elsewhere is read through them.

Into an OUT with an earlier backup of the same log only what is new is written.
All that was written is read back before the backup counts; one that was cut off
leaves the one before it in force.

Not in a backup: files that plugins.NAME.secrets names, compiled plugins, and
folders that file steps change.`,
		Example: `  rhost backup . /backup/app
  rhost backup /srv/app /backup/app --data /var/lib/rhost
  rhost backup verify /backup/app
  rhost restore /backup/app /srv/app2`,
		ValidArgsFunction: folderArgs(2),
		Args:              exactArgs(2, "DIR OUT", "the app folder and the folder of the backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.App, o.Version = args[0], version
			began, bar := time.Now(), newProgress(cmd.ErrOrStderr(), asJSON)
			res, err := host.Backup(cmd.Context(), o, args[1], bar.show)
			if errors.Is(err, host.ErrThroughNode) {
				res, err = backupThroughNode(cmd.Context(), o, args[1])
			}
			bar.end()
			if err != nil {
				return err
			}
			return showBackup(cmd.OutOrStdout(), args[1], res, time.Since(began), asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "data folder (default: data_dir of rhost.yaml, .rhost in the app)")
	f.StringArrayVar(&o.Set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	f.BoolVar(&asJSON, "json", false, "one JSON object, for machines")
	cmd.AddCommand(backupVerifyCmd())
	return cmd
}

// backupThroughNode has the node of a cluster that runs on the data folder write a
// backup.
func backupThroughNode(ctx context.Context, o host.Options, out string) (*host.BackupResult, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	r := reach{app: o.App, data: o.Data}
	c, err := r.host()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", host.ErrThroughNode, err)
	}
	defer c.Close()
	raw, err := c.BackupCluster(ctx, out)
	if err != nil {
		return nil, err
	}
	var res host.BackupResult
	return &res, json.Unmarshal(raw, &res)
}

func showBackup(w io.Writer, out string, res *host.BackupResult, took time.Duration, asJSON bool) error {
	m := res.Manifest
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"backup": out, "number": m.Number, "at": m.At, "streams": m.Streams, "blobs": len(m.Blobs), "files": len(m.Files),
			"added": map[string]any{"frames": res.Added.Frames, "blobs": res.Added.Blobs, "bytes": res.Added.Bytes},
		})
	}
	s := newStyle(w)
	if res.CutOff {
		if err := s.line("%s an earlier backup into this folder had been cut off; what it left was removed", s.yellow("note:")); err != nil {
			return err
		}
	}
	err := s.line("backed up  %s  number %d  %s  in %s", clean(out), m.Number, byteCount(m.Size()), took.Round(time.Millisecond))
	for _, st := range m.Streams {
		if err == nil {
			err = s.line("  %s  frames %d to %d", pad(clean(st.Name), 5), st.First, st.Last)
		}
	}
	if err == nil {
		err = s.line("  %s · %s · new: %s, %s, %s", plural(len(m.Blobs), "blob"), plural(len(m.Files), "file"),
			plural(res.Added.Frames, "frame"), plural(res.Added.Blobs, "blob"), byteCount(res.Added.Bytes))
	}
	return err
}

func backupVerifyCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify BACKUP",
		Short: "Read a backup and name all that is not as it was written",
		Long: `Read everything of a backup: every checksum, the chain of every stream, every
record, every digest.

Exit codes: 0 all is well · 1 it could not be read · 4 something is damaged`,
		Example: `  rhost backup verify /backup/app
  rhost backup verify /backup/app --json | jq .problems`,
		ValidArgsFunction: folderArgs(1),
		Args:              exactArgs(1, "BACKUP", "the folder of a backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bar := newProgress(cmd.ErrOrStderr(), asJSON)
			rep, err := host.VerifyBackup(cmd.Context(), args[0], bar.show)
			bar.end()
			if err != nil {
				return err
			}
			if err := showVerified(cmd.OutOrStdout(), args[0], rep, asJSON); err != nil {
				return err
			}
			if n := len(rep.Problems); n > 0 {
				return &codedError{exitDamaged, fmt.Errorf("%w: %s; keep it, and take another: `rhost backup DIR NEWFOLDER`", host.ErrBackupDamaged, plural(n, "problem"))}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object, for machines")
	return cmd
}

func showVerified(w io.Writer, dir string, rep *host.BackupReport, asJSON bool) error {
	m := rep.Manifest
	if asJSON {
		problems := make([]string, len(rep.Problems))
		for i, err := range rep.Problems {
			problems[i] = err.Error()
		}
		return json.NewEncoder(w).Encode(map[string]any{
			"backup": dir, "number": m.Number, "at": m.At, "cut_off": rep.CutOff,
			"frames": rep.Frames, "blobs": rep.Blobs, "files": rep.Files, "problems": problems,
		})
	}
	s := newStyle(w)
	var err error
	if rep.CutOff {
		err = s.line("%s a later backup into this folder was cut off, or is being written; what follows is the one before", s.yellow("note:"))
	}
	for _, problem := range rep.Problems {
		if err == nil {
			err = s.line("%s %s", s.red("damaged:"), clean(problem.Error()))
		}
	}
	if err != nil {
		return err
	}
	return s.line("backup number %d of %s  %s, %s, %s", m.Number, stamp(m.At), plural(rep.Frames, "frame"), plural(rep.Blobs, "blob"), plural(rep.Files, "file"))
}

func restoreCmd() *cobra.Command {
	var o host.RestoreOptions
	var part, level string
	cmd := &cobra.Command{
		Use:   "restore BACKUP DIR",
		Short: "Make an app folder and its data folder of a backup",
		Long: `Make the app folder DIR, and its data folder, of a backup. Both must be missing or
empty. The backup is verified before anything is written, and the log is compared
with it before it is put in its place: after an error there is nothing there.

The log has the same frames under the same numbers. What had begun goes on under its
idempotency keys; what begins later has keys that the host before does not give out.
Start the restored host only where the other one does not run any more, for both would
do what was still to do.

--part app restores the app folder alone. --part data restores the data folder, and the
log, of an app folder that is there: into a folder, the nodes of a cluster or servers
elsewhere, as its rhost.yaml says. For a cluster, stop all nodes, empty their data
folders, and run it on all of them at the same time; it ends when the log is whole.

Exit codes: 0 restored · 1 it failed · 2 bad input, such as a folder that is not
empty · 4 the backup is damaged`,
		Example: `  rhost restore /backup/app /srv/app
  rhost restore /backup/app /srv/app --data /var/lib/rhost
  rhost restore /backup/app /srv/app --part data --set cluster.node=b`,
		ValidArgsFunction: folderArgs(2),
		Args:              exactArgs(2, "BACKUP DIR", "the folder of a backup and the app folder to make"),
		RunE: func(cmd *cobra.Command, args []string) error {
			logger, err := newLogger(cmd.ErrOrStderr(), level, false)
			if err != nil {
				return err
			}
			began, bar := time.Now(), newProgress(cmd.ErrOrStderr(), false)
			o.From, o.App, o.Part, o.Logger, o.Progress = args[0], args[1], host.RestorePart(part), logger, bar.show
			rep, where, err := host.Restore(cmd.Context(), o)
			bar.end()
			switch {
			case errors.Is(err, host.ErrBackupDamaged):
				return &codedError{exitDamaged, err}
			case errors.Is(err, host.ErrNotEmpty):
				return usage(err)
			case err != nil:
				return err
			}
			s := newStyle(cmd.OutOrStdout())
			next := fmt.Sprintf("`rhost run %s` goes on from there", args[1])
			if where == "" {
				where = "as it is"
				next = fmt.Sprintf("`rhost restore %s %s --part data` restores what it held", args[0], args[1])
			}
			return s.line("restored  %s  data %s  backup number %d of %s  %s, %s, %s  in %s\n%s", clean(args[1]), clean(where),
				rep.Manifest.Number, stamp(rep.Manifest.At), plural(rep.Frames, "frame"), plural(rep.Blobs, "blob"), plural(rep.Files, "file"),
				time.Since(began).Round(time.Millisecond), clean(next))
		},
	}
	cmd.Flags().StringVar(&part, "part", "", "restore this alone: app or data (default: both)")
	cmd.Flags().StringArrayVar(&o.Set, "set", nil, "override a key of rhost.yaml: KEY.KEY=VALUE (repeatable)")
	cmd.Flags().StringVar(&o.Data, "data", "", "data folder to make (default: data_dir of the backup's rhost.yaml, .rhost in the app)")
	cmd.Flags().StringVar(&level, "log", "warn", "what the parts log to stderr: debug, info, warn or error")
	return cmd
}
