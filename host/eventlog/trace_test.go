package eventlog_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSyncedBeforeAck watches the system calls of a process that commits
// records one by one, and frames of RUN and blobs now and then: before each
// acknowledgement, the stream's block file was written and then synced. A kill cannot show this, for the system keeps what
// a dead process has written.
func TestSyncedBeforeAck(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	dir, out := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "trace")
	if msg, err := exec.CommandContext(t.Context(), strace, "-o", out, "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, msg)
	}
	const commits = 40
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-s", "40", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", out, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childOnce+"=40")
	msg, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", msg)

	b, err := os.ReadFile(out)
	require.NoError(t, err)
	events, runs, blobs := &syncWatch{path: "/EV/msgs/"}, &syncWatch{path: "/RUN/msgs/"}, &syncWatch{path: "/BLOB/msgs/"}
	acked, decided := 0, 0
	for line := range strings.Lines(string(b)) {
		events.see(line)
		runs.see(line)
		blobs.see(line)
		if strings.Contains(line, `"acked `) {
			acked++
			events.ack(t, line)
			if !strings.Contains(line, ` 0\n"`) {
				runs.ack(t, line)
				blobs.ack(t, line)
				decided++
			}
		}
	}
	assert.Equal(t, commits, acked)
	assert.Equal(t, 3, decided)
}

var (
	traceCall    = regexp.MustCompile(`^(\d+) +(pwrite64|write|fsync|fdatasync)\(\d+<([^>]*)>`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (pwrite64|write|fsync|fdatasync) resumed>`)
)

// syncWatch follows the writes and syncs of one stream's block files.
type syncWatch struct {
	path    string
	open    map[string]string // thread → its unfinished call on such a file
	written bool              // since the last acknowledgement
	dirty   bool              // written, or being written, and not synced since
	early   bool              // dirtied since the sync under way began
}

func (w *syncWatch) see(line string) {
	if m := traceCall.FindStringSubmatch(line); m != nil && strings.Contains(m[3], w.path) && strings.HasSuffix(m[3], ".blk") {
		w.start(m[2])
		if strings.Contains(line, "<unfinished") {
			if w.open == nil {
				w.open = make(map[string]string)
			}
			w.open[m[1]] = m[2]
			return
		}
		w.finish(m[2], line)
	} else if m := traceResumed.FindStringSubmatch(line); m != nil && w.open[m[1]] == m[2] {
		delete(w.open, m[1])
		w.finish(m[2], line)
	}
}

func (w *syncWatch) start(call string) {
	if strings.Contains(call, "write") {
		w.written, w.dirty, w.early = true, true, true
		return
	}
	w.early = false
}

func (w *syncWatch) finish(call, line string) {
	if strings.Contains(call, "sync") && strings.HasSuffix(strings.TrimSpace(line), "= 0") && !w.early {
		w.dirty = false
	}
}

func (w *syncWatch) ack(t *testing.T, line string) {
	t.Helper()
	assert.True(t, w.written, "%s was not written before: %s", w.path, line)
	assert.False(t, w.dirty, "%s was not synced before: %s", w.path, line)
	w.written = false
}
