package eventlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

const damageFrames = 40

// writeLog fills a log with frames in both streams. It returns the folder as a
// kill would leave it, or as Close does.
func writeLog(t *testing.T, clean bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l, stop := open(t, eventlog.Config{Dir: dir})
	for range damageFrames {
		commit(t, l, record("acme", 0, strings.Repeat("x", 200)))
		_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1, Body: make([]byte, 200)}})
		require.NoError(t, err)
	}
	if clean {
		stop()
		return dir
	}
	dir = copyOf(t, dir)
	stop()
	return dir
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func blockFile(dir, stream string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs", "1.blk")
}

func edit(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, change(b), 0o600))
}

// TestUnfinishedWrites: what a crash leaves of a write that was under way goes;
// nothing else does.
func TestUnfinishedWrites(t *testing.T) {
	t.Parallel()
	killed := writeLog(t, false)
	for _, tt := range []struct {
		name string
		tail func(b []byte) []byte
	}{
		{"nothing", func([]byte) []byte { return nil }},
		{"half an entry", func(b []byte) []byte { return b[:150] }},
		{"a few bytes", func(b []byte) []byte { return b[:5] }},
		{"an entry with a hole", func(b []byte) []byte { return append(append([]byte{}, b[:100]...), make([]byte, 400)...) }},
		{"zeros", func([]byte) []byte { return make([]byte, 4096) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := copyOf(t, killed)
			for _, stream := range []string{"EV", "RUN"} {
				edit(t, blockFile(dir, stream), func(b []byte) []byte { return append(b, tt.tail(b)...) })
			}
			l, _ := open(t, eventlog.Config{Dir: dir})
			assert.Len(t, all(t, l), damageFrames)
			assert.Equal(t, uint64(damageFrames), l.RunLog().Tail())
			assert.Equal(t, uint64(damageFrames+1), commit(t, l, record("acme", 0, "next")).Last.Frame)
			assert.Len(t, all(t, l), damageFrames+1)
		})
	}
}

// TestDamageIsNamed: a log that has lost something is not opened, and what is
// left of it is not touched.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b[at] ^= 4
			return b
		}
	}
	killed := writeLog(t, false)
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte // nil deletes the file
		want   string
	}{
		{"a bit in the middle", flip(2000), "an entry does not check out at byte"},
		{"a bit of the last frame", func(b []byte) []byte { return flip(len(b) - 50)(b) }, "the stream ends with frame 39, yet frame 40 had been stored"},
		{"a length in the middle", flip(0), "frame 1: "},
		{"cut off a little", cut(10), "the stream ends with frame 39, yet frame 40 had been stored"},
		{"cut off a lot", cut(3000), "yet frame 40 had been stored"},
		{"emptied", func([]byte) []byte { return nil }, "frame 1: the stream ends with frame 0, yet frame 40 had been stored"},
		{"deleted", nil, "frame 1: the stream ends with frame 0, yet frame 40 had been stored"},
	} {
		for _, stream := range []string{"EV", "RUN"} {
			t.Run(tt.name+" "+stream, func(t *testing.T) {
				dir := copyOf(t, killed)
				file := blockFile(dir, stream)
				if tt.change == nil {
					require.NoError(t, os.Remove(file))
				} else {
					edit(t, file, tt.change)
				}
				before, _ := os.ReadFile(file)
				for range 2 {
					_, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
					var corrupt *eventlog.CorruptError
					require.ErrorAs(t, err, &corrupt)
					assert.Equal(t, stream, corrupt.Stream)
					require.ErrorContains(t, err, tt.want)
					require.ErrorContains(t, err, "restore the folder from a backup")
				}
				after, _ := os.ReadFile(file)
				assert.Equal(t, before, after)
			})
		}
	}
}

// TestDamageWhileClosed: after a clean close the engine trusts its index, and
// damage shows when it is read. What lies before it is good.
func TestDamageWhileClosed(t *testing.T) {
	closed := writeLog(t, true)
	edit(t, blockFile(closed, "EV"), func(b []byte) []byte {
		b[4000] ^= 1
		return b
	})
	var corrupt *eventlog.CorruptError

	// Looking for duplicates, the log reads what was written lately.
	_, err := eventlog.Open(t.Context(), eventlog.Config{Dir: copyOf(t, closed)})
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, uint64(12), corrupt.Seq)

	l, _ := open(t, eventlog.Config{Dir: closed, DedupWindow: -1})
	n := uint64(0)
	err = l.Read(t.Context(), eventlog.Position{}, func(f *eventlog.Frame) error {
		n++
		assert.Equal(t, n, f.Seq)
		return nil
	})
	require.ErrorAs(t, err, &corrupt)
	assert.Equal(t, uint64(12), corrupt.Seq)
	assert.Equal(t, uint64(11), n, "frames before the damage are good")
}

// TestLostFiles: files that can be made again do no harm when they are gone.
func TestLostFiles(t *testing.T) {
	t.Parallel()
	logs := map[bool]string{true: writeLog(t, true), false: writeLog(t, false)}
	for _, name := range []string{
		"witness", "lock",
		"jetstream/$G/streams/EV/msgs/index.db",
		"jetstream/$G/streams/EV/meta.sum",
		"jetstream/$G/streams/RUN/meta.sum",
	} {
		for _, clean := range []bool{true, false} {
			t.Run(filepath.Base(name), func(t *testing.T) {
				dir := copyOf(t, logs[clean])
				_ = os.Remove(filepath.Join(dir, filepath.FromSlash(name))) // the index is there after a clean close only
				l, _ := open(t, eventlog.Config{Dir: dir})
				assert.Len(t, all(t, l), damageFrames)
				assert.Equal(t, uint64(damageFrames), l.RunLog().Tail())
			})
		}
	}
}
