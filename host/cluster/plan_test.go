package cluster_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/host/cluster"
)

func tableOf(states map[string]cluster.State, owners map[int]string) cluster.Table {
	t := cluster.Table{Nodes: make(map[string]cluster.Node), Groups: make(map[int]cluster.Owned)}
	for name, s := range states {
		t.Nodes[name] = cluster.Node{Name: name, State: s}
	}
	for g, name := range owners {
		t.Groups[g] = cluster.Owned{Node: name}
	}
	return t
}

func TestPlan(t *testing.T) {
	const up, joining, draining = cluster.Up, cluster.Joining, cluster.Draining
	for _, c := range []struct {
		name   string
		states map[string]cluster.State
		owners map[int]string
		want   []string
	}{
		{"nobody", nil, nil, []string{"", "", ""}},
		{"one", map[string]cluster.State{"a": up}, nil, []string{"a", "a", "a"}},
		{"the first to join need not wait", map[string]cluster.State{"a": joining}, nil, []string{"a", "a", "a"}},
		{"those that join later do", map[string]cluster.State{"a": up, "b": joining}, nil, []string{"a", "a", "a"}},
		{"one that drains gives all", map[string]cluster.State{"a": draining, "b": up}, map[int]string{0: "a", 1: "a", 2: "b"}, []string{"b", "b", "b"}},
		{"all drain", map[string]cluster.State{"a": draining}, map[int]string{0: "a"}, []string{"", "", ""}},
		{"groups of the dead go to the living", map[string]cluster.State{"b": up, "c": up}, map[int]string{0: "a", 1: "b", 2: "c"}, []string{"b", "b", "c"}},
		{"the last of too many goes", map[string]cluster.State{"a": up, "b": up}, map[int]string{0: "a", 1: "a", 2: "a"}, []string{"a", "a", "b"}},
		{"equal enough stays", map[string]cluster.State{"a": up, "b": up}, map[int]string{0: "b", 1: "a", 2: "b"}, []string{"b", "a", "b"}},
	} {
		assert.Equal(t, c.want, cluster.Plan(tableOf(c.states, c.owners), 3), c.name)
	}
}

// Plans are balanced, move no more than they must, and a table that is as planned
// stays as it is.
func TestPlanMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 40).Draw(t, "groups")
		states := make(map[string]cluster.State)
		for i := range rapid.IntRange(1, 6).Draw(t, "nodes") {
			states[fmt.Sprint("n", i)] = cluster.Up
		}
		owners := make(map[int]string)
		for g := range groups {
			if n := rapid.IntRange(-1, 7).Draw(t, "owner"); n >= 0 { // some are dead
				owners[g] = fmt.Sprint("n", n)
			}
		}
		plan := cluster.Plan(tableOf(states, owners), groups)
		count := make(map[string]int)
		moved := 0
		for g, name := range plan {
			assert.Contains(t, states, name)
			count[name]++
			if _, lives := states[owners[g]]; lives && owners[g] != name {
				moved++
			}
		}
		least, most, excess := groups/len(states), (groups+len(states)-1)/len(states), 0
		for name := range states {
			assert.GreaterOrEqual(t, count[name], least)
			assert.LessOrEqual(t, count[name], most)
			had := 0
			for _, o := range owners {
				if o == name {
					had++
				}
			}
			excess += max(0, had-least)
		}
		assert.LessOrEqual(t, moved, excess, "only what is beyond a share moves")
		settled := make(map[int]string)
		for g, name := range plan {
			settled[g] = name
		}
		assert.Equal(t, plan, cluster.Plan(tableOf(states, settled), groups))
	})
}
