package eventlog_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
)

// TestClockJumps sets the clock forward and back, also while the log is closed:
// stamps never go back, and nothing is refused.
func TestClockJumps(t *testing.T) {
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := day
	c := eventlog.Config{Dir: filepath.Join(t.TempDir(), "log"), Now: func() time.Time { return now }}
	readings := []time.Duration{0, time.Second, time.Hour, -time.Hour, time.Minute, -24 * time.Hour, 2 * time.Hour, 0}
	want := []time.Duration{0, time.Second, time.Hour, time.Hour, time.Hour, time.Hour, 2 * time.Hour, 2 * time.Hour}
	for i, r := range readings {
		now = day.Add(r)
		l, stop := open(t, c)
		commit(t, l, record("acme", 0, "x"))
		_, err := l.RunLog().Append(t.Context(), []eventlog.RunRecord{{Kind: 1}})
		require.NoError(t, err)
		if i%2 == 0 { // within one opening as well
			commit(t, l, record("acme", 0, "y"))
		}
		stop()
	}
	l, _ := open(t, c)
	var got []time.Duration
	for _, r := range all(t, l) {
		if string(r.Body) == "x" {
			got = append(got, r.Ingest.Sub(day))
		}
	}
	assert.Equal(t, want, got)
}
