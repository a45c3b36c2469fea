package index

import (
	"encoding/binary"
	"fmt"

	"github.com/rhost/rhost/event"
)

// checker verifies that nothing in a loaded segment leads outside of it or runs
// in circles. Its work is linear in the segment.
type checker struct {
	s     *Segment
	lists []bool // by place in refs: whether a list begins there
}

func (s *Segment) check() error {
	c := checker{s: s}
	for _, part := range []struct {
		name string
		ok   func() bool
	}{
		{"sizes", c.sizes},
		{"atoms", c.atoms},
		{"code", c.code},
		{"numbers", c.numbers},
		{"postings", c.postings},
		{"dictionaries", c.dicts},
		{"intervals", c.ranges},
		{"trees", c.tries},
		{"automata", c.automata},
		{"networks", c.nets},
	} {
		if !part.ok() {
			return fmt.Errorf("%w: its %s do not fit together", errDamaged, part.name)
		}
	}
	return nil
}

func (c *checker) sizes() bool {
	s := c.s
	return len(s.heads) == len(s.args) && len(s.heads) == len(s.posts) && len(s.heads) < maxRefs &&
		len(s.roots) < maxRefs && len(s.code) < maxRefs && len(s.fields) <= maxFields &&
		s.memos <= len(s.code) && len(s.refs) < postList
}

func (c *checker) text(at uint32) bool {
	if int(at) >= len(c.s.text) {
		return false
	}
	b := c.s.text[at:]
	n, w := binary.Uvarint(b)
	return w > 0 && w == varintLen(int(n)) && n <= uint64(len(b)-w)
}

func (c *checker) list(at uint32) bool {
	n := len(c.s.lists)
	return int(at) < n && int(c.s.lists[at]) < n-int(at)
}

func (c *checker) atoms() bool {
	for a, h := range c.s.heads {
		if headOp(h) >= opEnd || int(headField(h)) >= len(c.s.fields) || !c.atom(h, c.s.args[a]) {
			return false
		}
	}
	return true
}

func (c *checker) atom(h, arg uint32) bool {
	kind := headKind(h)
	switch headOp(h) {
	case opEq:
		return kind > event.Missing && kind < event.List && c.scalar(kind, arg)
	case opLt, opLe, opGt, opGe:
		return kind > event.Null && kind < event.List && c.scalar(kind, arg)
	case opPrefix, opSuffix, opContains:
		return kind == event.String && c.text(arg)
	case opIn:
		return c.list(arg) && c.equals(c.s.list(arg))
	case opGlob, opMatches:
		return c.list(arg) && c.pattern(headOp(h), c.s.list(arg))
	case opCIDR:
		return c.list(arg) && c.network(c.s.list(arg))
	default:
		return true
	}
}

func (c *checker) scalar(kind event.Kind, arg uint32) bool {
	switch kind {
	case event.String:
		return c.text(arg)
	case event.Number:
		return int(arg) < len(c.s.nums)
	case event.Time:
		return int(arg)+1 < len(c.s.nums)
	default:
		return true
	}
}

func (c *checker) equals(atoms []uint32) bool {
	for _, a := range atoms {
		if int(a) >= len(c.s.heads) || headOp(c.s.heads[a]) != opEq {
			return false
		}
	}
	return true
}

func (c *checker) pattern(op uint32, list []uint32) bool {
	if len(list) < 2 || !c.text(list[0]) || int(list[1]) >= len(c.s.patterns) {
		return false
	}
	if op == opMatches {
		return true
	}
	if len(list) < 4 {
		return false
	}
	shape, pieces := globParts(list)
	if shape&(shapeStart-1) >= variants || int(shape>>shapePiece) >= len(pieces) {
		return false
	}
	for _, at := range pieces {
		if !c.text(at) {
			return false
		}
	}
	return true
}

func (c *checker) network(list []uint32) bool {
	if len(list) != 2 || !c.text(list[0]) || int(list[1])+2 >= len(c.s.nums) {
		return false
	}
	size := c.s.nums[list[1]+2]
	return size <= 128 || size&^isV4 <= 32
}

// code checks that junctions are made of earlier ones, are not too deep to be
// decided by recursion, and that what several share is decided once.
func (c *checker) code() bool {
	s := c.s
	depth := make([]uint16, len(s.code)) // by place of a junction, from 1
	shared := make([]bool, len(s.code))
	var level uint16
	ref := func(r uint32) bool {
		arg := refArg(r)
		switch refTag(r) {
		case refAtom, refNot:
			return int(arg) < len(s.heads)
		case refLeaf, refLeafNot:
			return int(arg) < len(s.leafs)
		case refConst:
			return arg <= 1
		case refNode:
			if int(arg) >= len(s.code) || depth[arg] == 0 || shared[arg] && s.code[arg]&nodeMemo == 0 {
				return false
			}
			shared[arg] = true
			level = max(level, depth[arg]+1)
			return level <= maxDepth+2
		}
		return false
	}
	for at := 0; at < len(s.code); {
		head, from := s.code[at], at+1
		if head&nodeMemo != 0 {
			if from == len(s.code) || int(s.code[from]) >= s.memos {
				return false
			}
			from++
		}
		if int(head>>nodeShift) > len(s.code)-from {
			return false
		}
		to := from + int(head>>nodeShift)
		level = 1
		for _, k := range s.code[from:to] {
			if !ref(k) {
				return false
			}
		}
		depth[at] = level
		at = to
	}
	for _, r := range s.roots {
		if !ref(r) {
			return false
		}
	}
	return true
}

// numbers checks that every condition has one root.
func (c *checker) numbers() bool {
	s := c.s
	if len(s.idStart) == 0 {
		return len(s.ids) == 0
	}
	if len(s.idStart) != len(s.roots)+1 || s.idStart[0] != 0 || int(s.idStart[len(s.roots)]) != len(s.ids) {
		return false
	}
	for r := range s.roots {
		if s.idStart[r] > s.idStart[r+1] {
			return false
		}
	}
	seen := make([]bool, len(s.ids))
	for _, id := range s.ids {
		if int(id) >= len(seen) || seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}

func (c *checker) postings() bool {
	s := c.s
	c.lists = make([]bool, len(s.refs))
	for at := 0; at < len(s.refs); {
		c.lists[at] = true
		n := int(s.refs[at])
		if n >= len(s.refs)-at || !c.entries(s.refs[at+1:at+1+n]) {
			return false
		}
		at += 1 + n
	}
	return c.posts(s.posts) && c.entries(s.every)
}

func (c *checker) entries(list []uint32) bool {
	s := c.s
	for _, e := range list {
		limit := 0
		switch e & entryMask {
		case entryRoot:
			limit = len(s.roots)
		case entryRepeat:
			if s.repeats {
				limit = len(s.roots)
			}
		case entryFire, entryTest:
			limit = len(s.heads)
		case entryPartner:
			limit = len(s.dicts)
		}
		if int(e>>entryShift) >= limit {
			return false
		}
	}
	return true
}

func (c *checker) posts(list []uint32) bool {
	for _, p := range list {
		switch {
		case p == noPost:
		case p&postList == 0:
			if !c.entries([]uint32{p}) {
				return false
			}
		case int(p&^postList) >= len(c.lists) || !c.lists[p&^postList]:
			return false
		}
	}
	return true
}

func (c *checker) dicts() bool {
	s := c.s
	for i := range s.dicts {
		d := &s.dicts[i]
		free := false
		for _, slot := range d.slots {
			if slot == 0 {
				free = true
			} else if a := uint32(slot) - 1; int(a) >= len(s.heads) || headOp(s.heads[a]) != opEq {
				return false
			}
		}
		if !free || int(d.field) >= len(s.fields) {
			return false
		}
	}
	p := &s.pairs
	free := len(p.keys) == 0
	for _, key := range p.keys {
		free = free || key == 0
		if key != 0 && (key>>32 >= uint64(len(s.heads)) || uint64(uint32(key)-1) >= uint64(len(s.heads))) {
			return false
		}
	}
	return free && len(p.keys) == len(p.posts) && c.posts(p.posts)
}
