package cluster_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestPlanPassesOverFailures(t *testing.T) {
	failed := func(waiting bool) []cluster.Failed { return []cluster.Failed{{Group: 1, Tries: 1, Waiting: waiting}} }
	for _, c := range []struct {
		name   string
		nodes  []cluster.Node
		owners map[int]string
		want   []string
	}{
		{"another has it, beyond its share", []cluster.Node{{Name: "a", Failed: failed(true)}, {Name: "b"}}, map[int]string{0: "b", 2: "a"}, []string{"b", "b", "a"}},
		{"also when it does not wait", []cluster.Node{{Name: "a", Failed: failed(false)}, {Name: "b"}}, map[int]string{0: "b", 2: "a"}, []string{"b", "b", "a"}},
		{"nobody else is there", []cluster.Node{{Name: "a", Failed: failed(false)}}, nil, []string{"a", "a", "a"}},
		{"nobody at all", []cluster.Node{{Name: "a", Failed: failed(true)}}, nil, []string{"a", "", "a"}},
		{"all have failed", []cluster.Node{{Name: "a", Failed: failed(true)}, {Name: "b", Failed: failed(false)}}, map[int]string{0: "b", 2: "a"}, []string{"b", "b", "a"}},
		{"who runs it again keeps it", []cluster.Node{{Name: "a", Failed: failed(false)}, {Name: "b"}}, map[int]string{0: "b", 1: "a", 2: "b"}, []string{"b", "a", "b"}},
	} {
		table := tableOf(nil, c.owners)
		for _, n := range c.nodes {
			n.State = cluster.Up
			table.Nodes[n.Name] = n
		}
		assert.Equal(t, c.want, cluster.Plan(table, 3), c.name)
	}
}

// Following plans comes to an end, whoever has failed at what, and leaves no group
// to nobody that somebody may try.
func TestPlansSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 10).Draw(t, "groups")
		table := tableOf(nil, nil)
		for i := range rapid.IntRange(1, 5).Draw(t, "nodes") {
			n := cluster.Node{Name: fmt.Sprint("n", i), State: cluster.Up}
			for g := range groups {
				if kind := rapid.IntRange(0, 3).Draw(t, "failed"); kind > 1 {
					n.Failed = append(n.Failed, cluster.Failed{Group: g, Waiting: kind == 2})
				}
			}
			table.Nodes[n.Name] = n
		}
		var plan []string
		for turn := 0; ; turn++ {
			next := cluster.Plan(table, groups)
			if assert.ObjectsAreEqual(plan, next) {
				break
			}
			require.LessOrEqual(t, turn, 2*groups, "%v, then %v", plan, next)
			plan, table.Groups = next, make(map[int]cluster.Owned)
			for g, name := range plan {
				if name != "" {
					table.Groups[g] = cluster.Owned{Node: name}
				}
			}
		}
		for g, name := range plan {
			for _, n := range table.Nodes {
				tries := !slices.ContainsFunc(n.Failed, func(f cluster.Failed) bool { return f.Group == g && f.Waiting })
				assert.False(t, name == "" && tries, "group %d: node %s is there", g, n.Name)
			}
		}
	})
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
