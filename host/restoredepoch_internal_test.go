package host

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/serverstest"
)

// leasesOf opens the leases of an app's servers.
func (a *testApp) leasesOf() *eventlog.Leases {
	a.t.Helper()
	c, err := ReadConfig(a.dir, nil)
	require.NoError(a.t, err)
	e, err := c.Cluster.start(a.t.Context(), a.dir, "", nil)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { assert.NoError(a.t, e.Close()) })
	l, err := e.Leases(a.t.Context())
	require.NoError(a.t, err)
	return l
}

// cluster asks the node for it.
func (l *liveNode) cluster() (s ClusterSummary) {
	l.t.Helper()
	code, text := l.ask(http.MethodGet, "/v1/cluster", "")
	require.Equal(l.t, http.StatusOK, code, text)
	require.NoError(l.t, json.Unmarshal([]byte(text), &s))
	require.Len(l.t, s.Groups, 1)
	return s
}

// TestEpochsOfRestoredLog: a log of an old cluster, whose owners had high epochs, is
// owned in a new one: its claims, editions and snapshots are those of owners that come
// after, one after the other. Epochs go on above the old ones; where leases have begun
// below, as those that older releases began, owners take the log all the same.
func TestEpochsOfRestoredLog(t *testing.T) {
	t.Parallel()
	const old = 1000
	from := onServers(t, serverstest.Start(t, serverstest.Config{}), "")
	require.NoError(t, from.leasesOf().StartAbove(t.Context(), old))
	n := from.node(from.data).run()
	n.untilReady()
	n.send("first")
	last := n.cluster().Groups[0].Epoch
	require.Greater(t, last, uint64(old))
	n.stop() // with a snapshot
	out := filepath.Join(t.TempDir(), "backup")
	_, err := Backup(t.Context(), Options{App: from.dir, Data: from.data}, out, nil)
	require.NoError(t, err)

	for name, begun := range map[string]bool{"new leases": false, "leases that have begun": true} {
		t.Run(name, func(t *testing.T) {
			there := onServers(t, serverstest.Start(t, serverstest.Config{}), "")
			_, data, err := Restore(t.Context(), RestoreOptions{From: out, App: there.dir, Data: filepath.Join(there.data, "d"), Part: RestoreData})
			require.NoError(t, err)
			if begun {
				_, err := there.leasesOf().Put(t.Context(), "other", []byte("x"), time.Minute, 0)
				require.NoError(t, err)
			}
			before := uint64(0)
			for i, id := range []string{"second", "third", "fourth"} {
				n := there.node(data).run()
				n.untilReady()
				n.send(id)
				s := n.cluster()
				for _, one := range s.Nodes {
					assert.Empty(t, one.Failed)
				}
				epoch := s.Groups[0].Epoch
				assert.Greater(t, epoch, before)
				assert.Equal(t, begun, epoch < last, "epoch %d after %d", epoch, last)
				assert.Equal(t, uint64(i+2), s.Edition.Number)
				note, err := newestEdition(t.Context(), n.eyes)
				require.NoError(t, err)
				assert.Equal(t, epoch, note.Epoch, "what is in force is recorded under it")
				assert.Len(t, n.triggers(), i+2)
				before = epoch
				n.stop()
			}
		})
	}
}

// TestEpochsOfNewLog: the epochs of a log that knows of none begin at the beginning.
func TestEpochsOfNewLog(t *testing.T) {
	t.Parallel()
	app := onServers(t, serverstest.Start(t, serverstest.Config{}), "")
	n := app.node(app.data).run()
	n.untilReady()
	assert.Less(t, n.cluster().Groups[0].Epoch, uint64(100))
	n.stop()
}
