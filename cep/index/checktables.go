package index

import (
	"slices"

	"github.com/rhost/rhost/event"
)

func (c *checker) ranges() bool {
	for i := range c.s.ranges {
		if !c.rangeTable(&c.s.ranges[i]) {
			return false
		}
	}
	return true
}

func (c *checker) rangeTable(r *rangeTable) bool {
	if int(r.field) >= len(c.s.fields) || r.kind <= event.Null || r.kind >= event.List || r.fold && r.kind != event.String ||
		len(r.lo) != len(r.hi) || len(r.lo) != len(r.posts) || !c.posts(r.posts) {
		return false
	}
	for _, at := range r.strs {
		if !c.text(at) {
			return false
		}
	}
	n := uint32(r.bounds())
	for i, lo := range r.lo {
		if lo != 0 && (lo-1)/2 >= n || r.hi[i] != last && r.hi[i]/2 >= n {
			return false
		}
	}
	// The tree is what its leaves make of it.
	made := rangeTable{hi: r.hi}
	made.grow()
	return slices.Equal(made.tree, r.tree) && slices.Equal(made.levels, r.levels)
}

func (c *checker) tries() bool {
	for i := range c.s.tries {
		t := &c.s.tries[i]
		if int(t.field) >= len(c.s.fields) || t.variant >= variants || !c.trie(t) {
			return false
		}
	}
	return true
}

// trie checks that children come before their parents.
func (c *checker) trie(t *trie) bool {
	begins := make([]bool, len(t.nodes))
	for at := 0; at < len(t.nodes); {
		if len(t.nodes)-at < trieHead {
			return false
		}
		node := t.nodes[at:]
		n, kids := int(node[1]>>labelShift), int(node[1]&kidsMask)
		label, size := int(node[0]), len(c.s.text)
		if t.back && (n > label || label > size) || !t.back && (label > size || n > size-label) {
			return false
		}
		from := trieHead + (kids+3)/4
		if len(node) < from+kids || !c.posts(node[2:3]) {
			return false
		}
		for _, kid := range node[from : from+kids] {
			if int(kid) >= at || !begins[kid] {
				return false
			}
		}
		begins[at] = true
		at += from + kids
	}
	return int(t.root) < len(t.nodes) && begins[t.root]
}

func (c *checker) automata() bool {
	for i := range c.s.autos {
		a := &c.s.autos[i]
		if int(a.field) >= len(c.s.fields) || a.variant >= variants || !c.states(a) || !c.rows(a) {
			return false
		}
	}
	return true
}

// states checks that children come after their parents, and that failing leads
// back.
func (c *checker) states(a *automaton) bool {
	n := len(a.label)
	if n == 0 || len(a.first) != n+1 || len(a.fail) != n || len(a.out) != n || len(a.next) != len(a.posts) || !c.posts(a.posts) {
		return false
	}
	if a.first[0] != 1 || int(a.first[n]) != n || a.fail[0] != 0 {
		return false
	}
	for s := range n {
		if a.first[s] > a.first[s+1] || int(a.first[s]) <= s || s > 0 && int(a.fail[s]) >= s || int(a.out[s]) > len(a.posts) {
			return false
		}
	}
	for o, next := range a.next {
		if int(next) > o {
			return false
		}
	}
	return true
}

func (c *checker) rows(a *automaton) bool {
	if len(a.classes) != 256 || a.width < 1 || a.width > 256 || len(a.rows) != int(a.first[1])*a.width {
		return false
	}
	for _, class := range a.classes {
		if int(class) >= a.width {
			return false
		}
	}
	for _, s := range a.rows {
		if int(s) >= len(a.label) {
			return false
		}
	}
	return true
}

func (c *checker) nets() bool {
	for i := range c.s.nets {
		t := &c.s.nets[i]
		n, bits := len(t.lo), byte(128)
		if t.v4 {
			bits = 32
		}
		if int(t.field) >= len(c.s.fields) || !t.v4 && len(t.hi) != n ||
			len(t.size) != n || len(t.outer) != n || len(t.posts) != n || !c.posts(t.posts) {
			return false
		}
		for i := range n {
			if t.size[i] > bits || int(t.outer[i]) > i {
				return false
			}
		}
	}
	return true
}
