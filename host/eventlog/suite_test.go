package eventlog_test

import (
	"path/filepath"
	"testing"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// TestPromises runs the promises of a log on one in a folder.
func TestPromises(t *testing.T) {
	t.Parallel()
	eventlogtest.Suite(t, func(t *testing.T) eventlogtest.Place {
		dir := filepath.Join(t.TempDir(), "log")
		return func(c eventlog.Config) (*eventlog.Log, error) {
			c.Dir = dir
			return eventlog.Open(t.Context(), c)
		}
	})
}
