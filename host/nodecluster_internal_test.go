package host

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rhost/rhost/host/cluster"
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
