package index

import (
	"fmt"
	"slices"
)

// Compaction joins segments of an Index into one, beside further edits: Compact
// or CompactAll begins it, Run does the work in any goroutine, and Apply puts the
// result into the Index as it is by then.
type Compaction struct {
	old  []part
	made part
}

// Compact gives the joining that is worth while, or nil. Of segments that are
// followed by others of together at least a quarter of their size, or that have
// lost half of their conditions, it takes the oldest and all after it, except the
// small ones at the end, which With looks after.
func (x *Index) Compact() *Compaction {
	to := len(x.parts)
	for to > 0 && x.parts[to-1].seg.Len() <= smallPart {
		to--
	}
	from, sum, worn := to, 0, false
	for i := to - 1; i >= 0; i-- {
		p := &x.parts[i]
		half := 2*p.live < p.seg.Len()
		if half || sum > 0 && p.live <= tier*sum {
			from, worn = i, worn || half
		}
		sum += p.live
	}
	if to-from < 2 && !worn {
		return nil
	}
	return &Compaction{old: slices.Clone(x.parts[from:to])}
}

// CompactAll joins all segments, and nil when there is nothing to gain.
func (x *Index) CompactAll() *Compaction {
	if len(x.parts) == 0 || len(x.parts) == 1 && x.parts[0].live == x.parts[0].seg.Len() {
		return nil
	}
	return &Compaction{old: slices.Clone(x.parts)}
}

// Run builds the joint segment.
func (c *Compaction) Run() error {
	b := NewBuilder()
	ids := b.addParts(c.old)
	s, err := b.Build()
	if err != nil {
		return fmt.Errorf("join %d segments of rules: %w", len(c.old), err)
	}
	c.made = newPart(s, ids)
	return nil
}

// Apply gives x with the joint segment in the place of those it was made of, less
// the conditions removed meanwhile. It gives x itself if x no longer has them all,
// or Run has not succeeded; then the compaction is void.
func (x *Index) Apply(c *Compaction) *Index {
	at := slices.IndexFunc(x.parts, func(p part) bool { return p.seg == c.old[0].seg })
	if c.made.seg == nil || at < 0 {
		return x
	}
	made := c.made
	k := marker{}
	to := at
	for i := range c.old {
		if to == len(x.parts) || x.parts[to].seg != c.old[i].seg {
			return x
		}
		p := &x.parts[to]
		p.gone.since(c.old[i].gone, func(n uint32) {
			if local, ok := made.local(p.id(n)); ok {
				k.add(local, made.seg.Len())
				made.live--
			}
		})
		to++
	}
	made.gone = k.marks()
	y := &Index{next: x.next, live: x.live}
	y.parts = slices.Concat(x.parts[:at], []part{made}, x.parts[to:])
	if made.live == 0 {
		y.parts = slices.Delete(y.parts, at, at+1)
	}
	return y
}

// Merge joins all segments at once; see CompactAll for doing so aside.
func (x *Index) Merge() (*Index, error) {
	c := x.CompactAll()
	if c == nil {
		return x, nil
	}
	if err := c.Run(); err != nil {
		return nil, err
	}
	return x.Apply(c), nil
}

// addParts adds the conditions of parts that were not removed, and gives their
// numbers.
func (b *Builder) addParts(parts []part) []ID {
	var ids []ID
	for i := range parts {
		p := &parts[i]
		t := copier{b: b, s: p.seg}
		for n, root := range p.seg.owners() {
			if !p.gone.has(uint32(n)) {
				b.add(t.ref(p.seg.roots[root]))
				ids = append(ids, p.id(uint32(n)))
			}
		}
	}
	return ids
}

// owners gives the root of each condition.
func (s *Segment) owners() []uint32 {
	out := make([]uint32, s.Len())
	for r := range s.roots {
		if s.idStart == nil {
			out[r] = uint32(r)
			continue
		}
		for _, id := range s.ids[s.idStart[r]:s.idStart[r+1]] {
			out[id] = uint32(r)
		}
	}
	return out
}

// copier copies conditions from a segment to a builder.
type copier struct {
	b     *Builder
	s     *Segment
	atoms map[uint32]uint32
	nodes map[uint32]uint32
}

func (t *copier) ref(ref uint32) uint32 {
	arg := refArg(ref)
	switch tag := refTag(ref); tag {
	case refAtom, refNot:
		return makeRef(tag, t.atom(arg))
	case refNode:
		return t.node(arg)
	case refLeaf, refLeafNot:
		return makeRef(tag, t.b.leaf(t.s.leafs[arg]))
	default:
		return ref
	}
}

func (t *copier) node(at uint32) uint32 {
	head, from := t.s.code[at], at+1
	if head&nodeMemo != 0 {
		if made, ok := t.nodes[at]; ok {
			return made
		}
		from++
	}
	b := t.b
	mark := len(b.stack)
	for _, k := range t.s.code[from : from+head>>nodeShift] {
		ref := t.ref(k)
		b.stack = append(b.stack, ref)
	}
	made := b.junction(b.stack[mark:], head&nodeOr != 0)
	b.stack = b.stack[:mark]
	if head&nodeMemo != 0 {
		if t.nodes == nil {
			t.nodes = make(map[uint32]uint32)
		}
		t.nodes[at] = made
	}
	return made
}

// atom copies an atom. Sets and patterns, which take long, are remembered.
func (t *copier) atom(a uint32) uint32 {
	b, s, h := t.b, t.s, t.s.heads[a]
	from := &s.fields[headField(h)]
	f := b.field(from.slot, from.path)
	switch op := headOp(h); op {
	case opHas, opAbsent:
		return b.bare(op, f)
	case opIn, opGlob, opMatches, opCIDR:
	default:
		return b.scalar(op, headFolds(h), f, s.constant(a))
	}
	made, ok := t.atoms[a]
	if !ok {
		made = t.complex(a, h, f)
		if t.atoms == nil {
			t.atoms = make(map[uint32]uint32)
		}
		t.atoms[a] = made
	}
	return made
}

func (t *copier) complex(a, h, f uint32) uint32 {
	b, s := t.b, t.s
	switch headOp(h) {
	case opIn:
		members := make([]uint32, 0, 8)
		for _, v := range s.list(s.args[a]) {
			members = append(members, t.atom(v))
		}
		slices.Sort(members)
		return b.listed(makeHead(opIn, headFolds(h), 0, f), members)
	case opCIDR:
		return b.network(f, s.str(s.list(s.args[a])[0]))
	default:
		source, _ := s.pattern(a)
		return b.matches(headFolds(h), f, source)
	}
}
