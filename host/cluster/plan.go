package cluster

import (
	"cmp"
	"maps"
	"slices"
)

// Plan says which node is to own each of a number of groups; "" where no node can.
// It is a function of the table alone, so nodes that read the same table make the
// same plan. Groups stay where they are as far as shares allow: each node that is
// up owns ⌊groups/nodes⌋ or one more. A node that has failed to run a group is given
// it when no other can have it, whatever the shares, and not while it waits.
func Plan(t Table, groups int) []string {
	plan := make([]string, groups)
	share := shares(t, groups)
	for g := range plan {
		if owner := t.Groups[g].Node; share[owner] > 0 {
			plan[g] = owner
			share[owner]--
		}
	}
	for g, owner := range plan {
		if owner != "" {
			continue
		}
		if name := neediest(able(t, g, share), t.Groups[g].Node); name != "" {
			plan[g] = name
			share[name]--
		}
	}
	return plan
}

// able leaves, of nodes and their shares, those that are to run a group.
func able(t Table, group int, share map[string]int) map[string]int {
	good, rest := make(map[string]int), make(map[string]int)
	for name, n := range share {
		node := t.Nodes[name]
		switch f := node.failed(group); {
		case f == nil:
			good[name] = n
		case !f.Waiting:
			rest[name] = n
		}
	}
	if len(good) > 0 {
		return good
	}
	return rest
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

// neediest is the node with the most groups to come, or none. Of several it is the
// one that owns the group, or the first by name.
func neediest(share map[string]int, owner string) string {
	if len(share) == 0 {
		return ""
	}
	rank := func(name string) string {
		if name == owner {
			return "" // before all names
		}
		return name
	}
	return slices.MinFunc(slices.Collect(maps.Keys(share)), func(a, b string) int {
		return cmp.Or(cmp.Compare(share[b], share[a]), cmp.Compare(rank(a), rank(b)))
	})
}
