package cluster

import (
	"cmp"
	"maps"
	"slices"
)

// Plan says which node is to own each of a number of groups; "" where no node can.
// It is a function of the table alone, so nodes that read the same table make the
// same plan. Groups stay where they are as far as shares allow: each node that is
// up owns ⌊groups/nodes⌋ or one more.
func Plan(t Table, groups int) []string {
	plan := make([]string, groups)
	share := shares(t, groups)
	if len(share) == 0 {
		return plan
	}
	for g := range plan {
		if owner := t.Groups[g].Node; share[owner] > 0 {
			plan[g] = owner
			share[owner]--
		}
	}
	for g, owner := range plan {
		if owner == "" {
			plan[g] = neediest(share)
			share[plan[g]]--
		}
	}
	return plan
}

// shares gives how many groups each node is to own. Where they cannot be equal,
// those that own more already get one more.
func shares(t Table, groups int) map[string]int {
	owned := make(map[string]int)
	for g, o := range t.Groups {
		if g < groups {
			owned[o.Node]++
		}
	}
	var nodes []string
	for name, n := range t.Nodes {
		if n.State == Up {
			nodes = append(nodes, name)
		}
	}
	if len(nodes) == 0 { // one that has just come is better than none
		for name, n := range t.Nodes {
			if n.State == Joining {
				nodes = append(nodes, name)
			}
		}
	}
	slices.SortFunc(nodes, func(a, b string) int {
		return cmp.Or(cmp.Compare(owned[b], owned[a]), cmp.Compare(a, b))
	})
	share := make(map[string]int)
	for i, name := range nodes {
		share[name] = groups / len(nodes)
		if i < groups%len(nodes) {
			share[name]++
		}
	}
	return share
}

// neediest is the node with the most groups to come, the first by name of several.
func neediest(share map[string]int) string {
	return slices.MinFunc(slices.Collect(maps.Keys(share)), func(a, b string) int {
		return cmp.Or(cmp.Compare(share[b], share[a]), cmp.Compare(a, b))
	})
}
