package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// find gives the finding of that name.
func (d *Diagnosis) find(t *testing.T, name string) Finding {
	t.Helper()
	for _, f := range d.Findings {
		if f.Name == name {
			return f
		}
	}
	require.Failf(t, "no such finding", "%s: %+v", name, d.Findings)
	return Finding{}
}

// TestClockJumps: a clock that was set back is told; the log goes on, and nothing in
// it goes back.
func TestClockJumps(t *testing.T) {
	app := newApp(t, map[string]string{"rules/r.yaml": "rule: one\nwhen: type == \"t\"\n"})
	l := app.open()
	l.runCore()
	l.send(ev("t", 0, `{}`))
	l.settle()
	l.end()
	l.stop()
	for _, tt := range []struct {
		ahead time.Duration
		want  Verdict
	}{{0, Well}, {-time.Hour, Warning}, {time.Hour, Well}} {
		d, err := Doctor(t.Context(), DoctorOptions{
			Options: Options{App: app.dir, Data: app.data},
			Now:     func() time.Time { return time.Now().Add(tt.ahead) },
		})
		require.NoError(t, err)
		assert.Equal(t, tt.want, d.find(t, "clock").Verdict, "%+v", d.find(t, "clock"))
		assert.Equal(t, tt.want, d.Worst())
	}
}

// TestRepairs: each repair keeps what it changes, and a host goes on after it.
func TestRepairs(t *testing.T) {
	w := newWholeHost(t)
	data := w.folders["killed"]
	block := filepath.Join(data, "log", "jetstream", "$G", "streams", "RUN", "msgs", "1.blk")
	good, err := os.ReadFile(block)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(block, append(good, "half of a frame that was never acknowledged"...), 0o600))
	index := filepath.Join(filepath.Dir(block), "index.db")
	require.NoError(t, os.WriteFile(index, []byte("no index, but long enough to be taken for one"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(data, "seed"), 0o644))

	o := DoctorOptions{Options: Options{App: w.app.dir, Data: data}}
	d, err := Doctor(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, Warning, d.Worst(), "%+v", d.Findings)
	assert.Contains(t, d.find(t, "stream RUN").Found, "43 bytes of a write that was never acknowledged")
	assert.Contains(t, d.find(t, "index files").Found, "index.db")
	assert.Contains(t, d.find(t, "permissions").Found, "seed is open to others")

	o.Repair = true
	d, err = Doctor(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, Well, d.Worst(), "%+v", d.Findings)
	kinds := make(map[string]string)
	for _, r := range d.Repairs {
		kinds[r.Kind] = r.Kept
	}
	require.Len(t, kinds, 3)
	for kind, want := range map[string]string{"tail": "half of a frame that was never acknowledged", "index": "no index, but long enough to be taken for one"} {
		kept, err := os.ReadFile(kinds[kind])
		require.NoError(t, err)
		assert.Equal(t, want, string(kept))
	}
	now, err := os.ReadFile(block)
	require.NoError(t, err)
	assert.True(t, string(now) == string(good))
	trouble, _ := w.start(t, data)
	require.NoError(t, trouble)

	// What was acknowledged is never cut off.
	data = w.folders["stopped"]
	block = filepath.Join(data, "log", "jetstream", "$G", "streams", "EV", "msgs", "1.blk")
	b, err := os.ReadFile(block)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(block, b[:len(b)-10], 0o600))
	o.Data = data
	d, err = Doctor(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, Damage, d.find(t, "stream EV").Verdict)
	assert.Empty(t, d.Repairs)
}
