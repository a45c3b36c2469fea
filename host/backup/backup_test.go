package backup_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host/backup"
	"github.com/rhost/rhost/host/eventlog"
)

var update = flag.Bool("update", false, "write the golden files anew")

// writeLog appends to the log in dir: n frames to either stream, and a blob.
func writeLog(t *testing.T, dir string, n int, text string) {
	t.Helper()
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return l.Committer().Run(ctx) })
	for i := range n {
		body := fmt.Appendf(nil, "%s %d", text, i)
		_, err := l.Committer().Commit(t.Context(), []eventlog.Record{{Kind: eventlog.Event, Tenant: "t", Body: body}})
		require.NoError(t, err)
		_, err = l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1, Key: text, Body: body}})
		require.NoError(t, err)
	}
	large := []byte(strings.Repeat(text, 1000))
	require.NoError(t, l.PutBlob(t.Context(), eventlog.BlobDigest(large), large))
	stop()
	require.NoError(t, g.Wait())
	require.NoError(t, l.Close())
}

// sample is a log and a file beside it.
func sample(t *testing.T) (o backup.Options, dir string) {
	t.Helper()
	dir = t.TempDir()
	o.Log = filepath.Join(dir, "log")
	writeLog(t, o.Log, 20, "one")
	note := filepath.Join(dir, "note")
	require.NoError(t, os.WriteFile(note, []byte("as it is"), 0o640))
	o.Files = []backup.Source{
		{Root: backup.RootData, Name: "deep/note", Path: note},
		{Root: backup.RootApp, Name: "gone", Path: filepath.Join(dir, "gone")},
	}
	return o, dir
}

func verify(t *testing.T, dir string) *backup.Report {
	t.Helper()
	rep, err := backup.Verify(t.Context(), dir, backup.VerifyOptions{})
	require.NoError(t, err)
	return rep
}

// contents is every file below a folder, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	}))
	return all
}

// What is backed up comes back: the frames under their numbers, with their
// checksums, and the files.
func TestRoundTrip(t *testing.T) {
	o, dir := sample(t)
	out := filepath.Join(dir, "out")
	res, err := backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	assert.Equal(t, uint64(40), res.Added.Frames)
	first := contents(t, out)
	writeLog(t, o.Log, 5, "two")
	res, err = backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	assert.Equal(t, uint64(10), res.Added.Frames)
	assert.Equal(t, 1, res.Added.Blobs)
	for name, text := range contents(t, out) {
		if was, ok := first[name]; ok && name != "manifest.json" && name != "lock" {
			assert.Equal(t, was, text, "%s is not written twice", name)
		}
	}
	rep := verify(t, out)
	require.Empty(t, rep.Problems)
	assert.Equal(t, uint64(50), rep.Frames)
	assert.Equal(t, 1, rep.Files, "a file that has gone is left out")

	to := backup.Target{App: filepath.Join(dir, "app"), Data: filepath.Join(dir, "app", "data")}
	require.NoError(t, backup.Restore(t.Context(), rep, to, backup.RestoreOptions{}))
	assert.Equal(t, frames(t, o.Log), frames(t, filepath.Join(to.Data, "log")))
	b, err := os.ReadFile(filepath.Join(to.Data, "deep/note"))
	require.NoError(t, err)
	assert.Equal(t, "as it is", string(b))
	info, err := os.Stat(filepath.Join(to.Data, "deep/note"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode())
	writeLog(t, filepath.Join(to.Data, "log"), 1, "three") // it goes on
	assert.ErrorIs(t, backup.Restore(t.Context(), rep, to, backup.RestoreOptions{}), backup.ErrNotEmpty)
}

// frames lists the frames of a log with their checksums, and its blobs.
func frames(t *testing.T, dir string) (list []string) {
	t.Helper()
	cut, err := eventlog.TakeCut(dir)
	require.NoError(t, err)
	for _, name := range []string{"EV", "RUN"} {
		check := eventlog.NewChecker(name)
		_, err := cut.Scan(t.Context(), name, 0, func(e *eventlog.Entry) error {
			f, err := check.Check(e.Seq, e.Body)
			if err == nil {
				list = append(list, fmt.Sprintf("%s %d %08x", name, f.Seq, f.Sum))
			}
			return err
		}, nil)
		require.NoError(t, err)
	}
	index, err := cut.Blobs(t.Context(), nil)
	require.NoError(t, err)
	return append(list, index.Digests()...)
}

// A backup that was cut off is told from one that is whole; the one before it
// holds, and the next one clears up.
func TestCutOff(t *testing.T) {
	o, dir := sample(t)
	out := filepath.Join(dir, "out")
	stop := errors.New("the power fails")
	n := 0
	failing := o
	failing.Look = func(string, *eventlog.CheckedFrame) error {
		if n++; n%30 == 0 {
			return stop
		}
		return nil
	}
	_, err := backup.Write(t.Context(), out, failing)
	require.ErrorIs(t, err, stop)
	_, err = backup.Verify(t.Context(), out, backup.VerifyOptions{})
	require.ErrorIs(t, err, backup.ErrNone)

	res, err := backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	assert.True(t, res.CutOff)
	whole := contents(t, out)
	writeLog(t, o.Log, 40, "two")
	n = 0
	_, err = backup.Write(t.Context(), out, failing)
	require.ErrorIs(t, err, stop)
	rep := verify(t, out)
	assert.True(t, rep.CutOff)
	assert.Empty(t, rep.Problems)
	assert.Equal(t, uint64(40), rep.Frames, "the backup before holds")

	res, err = backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	assert.Equal(t, uint64(80), res.Added.Frames)
	rep = verify(t, out)
	assert.False(t, rep.CutOff)
	for name := range contents(t, out) {
		if strings.HasPrefix(name, "streams/EV/") {
			assert.Contains(t, []string{"streams/EV/00000000000000000001.seg", "streams/EV/00000000000000000021.seg"}, name)
		}
	}
	assert.NotEmpty(t, whole)
}

// A backup that is told to stop does so while it reads back, too, which takes as long
// as it took to write.
func TestStopWhileReadingBack(t *testing.T) {
	o, dir := sample(t)
	copied := 0
	o.Progress = func(int64, int64) { copied++ }
	_, err := backup.Write(t.Context(), filepath.Join(dir, "whole"), o)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(int64, int64) {
		if copied--; copied == 0 { // everything is copied
			cancel()
		}
	}
	out := filepath.Join(dir, "out")
	_, err = backup.Write(ctx, out, o)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, copied)
	_, err = backup.Verify(t.Context(), out, backup.VerifyOptions{})
	require.ErrorIs(t, err, backup.ErrNone)
}

// A folder that is not a backup of the same log is not written to.
func TestOtherFolders(t *testing.T) {
	o, dir := sample(t)
	out := filepath.Join(dir, "out")
	_, err := backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	before := contents(t, out)
	for _, tt := range []struct {
		name   string
		frames int
		want   string
	}{
		{"a shorter log", 3, "ends before frame 20"},
		{"another log", 30, "is not the one that the folder has"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := o
			other.Log = filepath.Join(t.TempDir(), "log")
			writeLog(t, other.Log, tt.frames, "one")
			_, err := backup.Write(t.Context(), out, other)
			require.ErrorContains(t, err, tt.want)
			rep := verify(t, out)
			assert.Empty(t, rep.Problems)
			assert.Equal(t, before["manifest.json"], contents(t, out)["manifest.json"])
		})
	}
	_, err = backup.Write(t.Context(), dir, o)
	require.ErrorContains(t, err, "holds something that is no backup")
	unlock, err := eventlog.LockFolder(out, "a test")
	require.NoError(t, err)
	defer func() { assert.NoError(t, unlock()) }()
	_, err = backup.Write(t.Context(), out, o)
	require.ErrorContains(t, err, "in use by")
}

// Whatever is changed in a backup is named, and it is not restored.
func TestDamageIsNamed(t *testing.T) {
	o, dir := sample(t)
	out := filepath.Join(dir, "out")
	_, err := backup.Write(t.Context(), out, o)
	require.NoError(t, err)
	rounds := 60
	if os.Getenv("RHOST_SOAK") != "" {
		rounds = 2000
	}
	var names []string
	for name, text := range contents(t, out) {
		if name != "lock" && text != "" {
			names = append(names, name)
		}
	}
	for i := range rounds {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		name := names[r.IntN(len(names))]
		full := filepath.Join(out, filepath.FromSlash(name))
		was, err := os.ReadFile(full)
		require.NoError(t, err)
		now := append([]byte{}, was...)
		switch r.IntN(4) {
		case 0:
			now = now[:r.IntN(len(now))]
		case 1:
			now = append(now, 'x')
		default:
			now[r.IntN(len(now))] ^= 1 << r.IntN(8)
		}
		require.NoError(t, os.WriteFile(full, now, 0o600))
		rep, err := backup.Verify(t.Context(), out, backup.VerifyOptions{})
		switch {
		case name == "manifest.json" && err == nil:
			// The white space around the two values may change without harm.
			assert.Empty(t, rep.Problems, "round %d, seed %d", i, seed)
		case name == "manifest.json":
			assert.ErrorContains(t, err, "manifest.json", "round %d, seed %d", i, seed)
		case assert.NoError(t, err, "round %d, seed %d", i, seed):
			require.NotEmpty(t, rep.Problems, "round %d, seed %d: %s", i, seed, name)
			assert.Contains(t, errors.Join(rep.Problems...).Error(), filepath.Base(name), "round %d, seed %d", i, seed)
			to := backup.Target{App: filepath.Join(dir, "never"), Data: filepath.Join(dir, "never", "data")}
			require.ErrorIs(t, backup.Restore(t.Context(), rep, to, backup.RestoreOptions{}), backup.ErrDamaged)
			assert.NoDirExists(t, to.App)
		}
		require.NoError(t, os.WriteFile(full, was, 0o600))
	}
	require.Empty(t, verify(t, out).Problems)
	require.NoError(t, os.Remove(filepath.Join(out, "streams/RUN/00000000000000000001.seg")))
	assert.ErrorContains(t, errors.Join(verify(t, out).Problems...), "streams/RUN/00000000000000000001.seg")
}

// TestGolden reads the backups of every format that was released.
func TestGolden(t *testing.T) {
	const dir = "testdata/format1"
	if *update {
		require.NoError(t, os.RemoveAll(dir))
		o, _ := sample(t)
		o.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
		_, err := backup.Write(t.Context(), dir, o)
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
	}
	rep := verify(t, dir)
	require.Empty(t, rep.Problems)
	assert.Equal(t, uint64(40), rep.Frames)
	assert.Equal(t, 1, rep.Blobs)
	assert.Equal(t, 1, rep.Files)
	to := backup.Target{App: filepath.Join(t.TempDir(), "app"), Data: filepath.Join(t.TempDir(), "data")}
	require.NoError(t, backup.Restore(t.Context(), rep, to, backup.RestoreOptions{}))
	assert.Len(t, frames(t, filepath.Join(to.Data, "log")), 41)
}

// A log that has let go of its start is backed up from there on, also into a folder
// that has more, and restored to begin there.
func TestReleased(t *testing.T) {
	o, dir := sample(t)
	older, behind := filepath.Join(dir, "older"), filepath.Join(dir, "behind")
	_, err := backup.Write(t.Context(), behind, o)
	require.NoError(t, err)
	writeLog(t, o.Log, 20, "two")
	_, err = backup.Write(t.Context(), older, o)
	require.NoError(t, err)
	release(t, o.Log)
	_, err = backup.Write(t.Context(), older, o)
	require.NoError(t, err)
	_, err = backup.Write(t.Context(), behind, o)
	require.ErrorContains(t, err, "has let go of frame 21, which would be the next of the folder")
	newer := filepath.Join(dir, "newer")
	_, err = backup.Write(t.Context(), newer, o)
	require.NoError(t, err)
	for i, out := range []string{older, newer} {
		rep := verify(t, out)
		require.Empty(t, rep.Problems)
		assert.Equal(t, uint64(25), rep.Manifest.Stream("RUN").First)
		assert.Len(t, rep.Manifest.Notes, 3)
		app := filepath.Join(dir, fmt.Sprintf("app%d", i))
		log := filepath.Join(app, "data", "log")
		require.NoError(t, backup.Restore(t.Context(), rep, backup.Target{App: app, Data: filepath.Dir(log)}, backup.RestoreOptions{}))
		assert.Equal(t, frames(t, o.Log), frames(t, log))
		writeLog(t, log, 1, "three")
		l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: log})
		require.NoError(t, err)
		notes, err := l.Snapshots().Newest(t.Context(), 8)
		require.NoError(t, err)
		require.Len(t, notes, 3)
		assert.Equal(t, "2", string(notes[0].Body))
		assert.Equal(t, uint64(3), notes[0].Number)
		require.NoError(t, l.Close())
	}
}

// release has a log let go of what lies before frame 25 of either stream, and
// writes three notes.
func release(t *testing.T, dir string) {
	t.Helper()
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir, DedupWindow: -1})
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, l.Snapshots().Append(t.Context(), fmt.Appendf(nil, "%d", i)))
	}
	require.NoError(t, l.Release(t.Context(), eventlog.Position{Frame: 25}, 25))
	require.NoError(t, l.Close())
}
