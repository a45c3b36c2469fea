package host

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

// TestMissing: who keeps copies and is not among the nodes is told of, once.
func TestMissing(t *testing.T) {
	s := ClusterSummary{
		Nodes: []cluster.Node{{Name: "a"}},
		Groups: []GroupSummary{{Streams: []StreamSummary{
			{Leader: "a", Copies: []CopySummary{{Node: "c"}, {Node: "b"}}},
			{Leader: "b", Copies: []CopySummary{{Node: "a"}, {Node: "c"}}},
			{},
		}}},
	}
	assert.Equal(t, []string{"b", "c"}, missing(&s))
	s.Nodes = append(s.Nodes, cluster.Node{Name: "b"}, cluster.Node{Name: "c"})
	assert.Empty(t, missing(&s))
}

// TestGone: who counts and has no entry is told of.
func TestGone(t *testing.T) {
	joined := []eventlog.Joined{{Name: "a", ID: "1"}, {Name: "b", ID: "2"}, {Name: "3", ID: "3"}}
	tab := cluster.Table{Nodes: map[string]cluster.Node{"a": {Name: "a"}, "c": {Name: "c"}}}
	assert.Equal(t, []string{"b", "3"}, gone(joined, tab))
	assert.Empty(t, gone(nil, tab))
}

// TestReplaced: the error of an owner that was replaced says what the log said, and
// nothing of a lease.
func TestReplaced(t *testing.T) {
	err := replaced{fmt.Errorf("write: %w", eventlog.ErrFenced)}
	require.ErrorIs(t, err, cluster.ErrLost)
	require.ErrorIs(t, err, eventlog.ErrFenced)
	require.EqualError(t, err, "write: another writer has taken over the log")
}
