package eventlogtest_test

import (
	"testing"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
)

// TestPromises runs the promises of a log on one in the model, with nothing
// going wrong.
func TestPromises(t *testing.T) {
	eventlogtest.Suite(t, func(t *testing.T) eventlogtest.Place {
		node := eventlogtest.New(eventlogtest.Config{}).Node()
		return func(c eventlog.Config) (*eventlog.Log, error) {
			return eventlog.OpenStore(t.Context(), node.Store(0), c)
		}
	})
}
