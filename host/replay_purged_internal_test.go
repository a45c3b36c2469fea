package host

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// TestReplayOfAPurgedLog: calls whose executions began in what was removed are told,
// with the reason why they cannot be run again. They are not left out.
func TestReplayOfAPurgedLog(t *testing.T) {
	at := testDay
	log, err := eventlog.Open(t.Context(), eventlog.Config{
		Dir: filepath.Join(shortDir(t), "log"), Now: func() time.Time { return at }, DedupWindow: -1,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	frame := func(recs ...workflow.Record) {
		at = at.Add(time.Minute)
		p, err := log.Committer().Submit([]eventlog.Record{{Kind: eventlog.Event, Tenant: "default", Body: []byte("x")}})
		require.NoError(t, err)
		_, err = log.Committer().Step(t.Context())
		require.NoError(t, err)
		_, _, err = p.Poll()
		require.NoError(t, err)
		var list []eventlog.RunRecord
		for _, rec := range recs {
			rec.Version, rec.At = workflow.RecordVersion, at
			one, err := flowRecord(rec)
			require.NoError(t, err)
			list = append(list, one)
		}
		_, err = log.RunLog().Append(t.Context(), list)
		require.NoError(t, err)
	}
	started := func(x string) workflow.Record {
		return workflow.Record{Kind: workflow.KindStarted, Execution: x, Started: &workflow.Started{Key: "m-" + x, Rule: "r"}}
	}
	scheduled := func(x, step string, a workflow.Action) workflow.Record {
		return workflow.Record{Kind: workflow.KindScheduled, Execution: x, Scheduled: &workflow.Scheduled{Step: step, Action: a, Plugin: "p", Attempt: 1}}
	}
	succeeded := func(x, step, digest string) workflow.Record {
		return workflow.Record{Kind: workflow.KindSucceeded, Execution: x, Succeeded: &workflow.Succeeded{Step: step, Attempt: 1, Digest: digest, Out: json.RawMessage(`1`)}}
	}
	frame(started("gone"), scheduled("gone", "first", workflow.ActionRun), scheduled("gone", "told", workflow.ActionNotify))
	frame(started("half"))
	frame(succeeded("gone", "first", "sha256:1"), succeeded("gone", "told", ""))
	frame(scheduled("half", "second", workflow.ActionRun), started("whole"), scheduled("whole", "third", workflow.ActionRun))
	frame(succeeded("half", "second", "sha256:1"), succeeded("whole", "third", "sha256:1"))

	calls := func(q CallQuery) (got []string, err error) {
		err = records{log}.calls(t.Context(), q, func(c *PastCall) error {
			line := c.Execution + " " + c.Step + " " + c.Plugin
			if _, why := c.repeatable(); c.cut {
				require.ErrorContains(t, why, "began before the log does")
				line += " cut"
			}
			got = append(got, line)
			return nil
		})
		return got, err
	}
	all, err := calls(CallQuery{})
	require.NoError(t, err)
	assert.Equal(t, []string{"gone first p", "half second p", "whole third p"}, all)

	require.NoError(t, log.Release(t.Context(), eventlog.Position{Frame: 3}, 3))
	for _, tt := range []struct {
		query CallQuery
		want  []string
	}{
		{CallQuery{}, []string{"gone first  cut", "half second p cut", "whole third p"}},
		{CallQuery{Rule: "r"}, []string{"gone first  cut", "half second p cut", "whole third p"}},
		{CallQuery{Rule: "other"}, []string{"gone first  cut", "half second p cut"}},
		{CallQuery{Plugin: "p"}, []string{"gone first  cut", "half second p cut", "whole third p"}},
		{CallQuery{Plugin: "other"}, []string{"gone first  cut"}},
		{CallQuery{ID: "gone"}, []string{"gone first  cut"}},
		{CallQuery{ID: "m-whole"}, []string{"whole third p"}},
	} {
		got, err := calls(tt.query)
		require.NoError(t, err, "%+v", tt.query)
		assert.Equal(t, tt.want, got, "%+v", tt.query)
	}
	_, err = calls(CallQuery{ID: "m-gone"})
	require.ErrorIs(t, err, api.ErrNotFound)
	require.ErrorContains(t, err, "the log begins at "+testDay.Add(3*time.Minute).Format(time.RFC3339))
}
