package index

import (
	"regexp"
	"slices"
	"sync/atomic"
)

// Build files the conditions and gives the segment. The Builder is done then.
// It fails when there are more conditions than one segment can number, or when a
// constant of an atom is not what its test takes.
func (b *Builder) Build() (*Segment, error) {
	if b.err != nil {
		return nil, b.err
	}
	s := b.seg
	has := b.addPresence()
	b.atoms, b.nodes, b.roots, b.pieces, b.met = interner{}, interner{}, interner{}, interner{}, nil
	b.number()
	b.shareNodes()
	c := newChooser(s, has, b.common)
	for r := range s.roots {
		c.place(uint32(r))
	}
	m := maker{c: c, s: s, rootEntry: make([]uint32, len(s.roots))}
	m.make()
	s.patterns = make([]atomic.Pointer[regexp.Regexp], b.patterns)
	s.connect()
	s.trim()
	return s, b.err
}

// addPresence gives each field its test for being there, under which negative
// literals are filed.
func (b *Builder) addPresence() []uint32 {
	has := make([]uint32, len(b.seg.fields))
	for f := range has {
		has[f] = b.bare(opHas, uint32(f))
	}
	return has
}

// trim gives what the builder grew memory of its exact size.
func (s *Segment) trim() {
	s.heads, s.args, s.text, s.nums, s.lists = exact(s.heads), exact(s.args), exact(s.text), exact(s.nums), exact(s.lists)
	s.code, s.roots, s.refs, s.every = exact(s.code), exact(s.roots), exact(s.refs), exact(s.every)
	s.fields, s.leafs = exact(s.fields), exact(s.leafs)
}

// maker makes the structures that lead to the filed conditions.
type maker struct {
	c *chooser
	s *Segment

	rootEntry []uint32
	under     []uint64 // atom<<32 | entry
	keys      [2][]key // of beginnings, of endings
	words     []word
	nets      []filedNet
}

func (m *maker) make() {
	m.rootEntries()
	m.makeDicts()
	m.fileEntries()
	m.makePosts()
	for a := range m.s.heads {
		if m.s.posts[a] != noPost {
			m.seek(uint32(a))
		}
	}
	m.makeRanges()
	m.makePairs()
	m.makeTexts()
	m.makeNets()
}

// rootEntries gives each root its entry, which tells those that an event may lead
// to more than once.
func (m *maker) rootEntries() {
	s, list := m.s, m.c.filings
	for i, f := range list {
		tag := entryRoot
		if i > 0 && list[i-1].root == f.root || i+1 < len(list) && list[i+1].root == f.root || m.repeats(f) {
			tag, s.repeats = entryRepeat, true
		}
		m.rootEntry[f.root] = makeEntry(tag, f.root)
	}
	for _, r := range m.c.every {
		s.every = append(s.every, makeEntry(entryRoot, r))
	}
}

// repeats reports whether what leads to a filing may be found more than once.
func (m *maker) repeats(f filing) bool {
	return f.a != none && headOp(m.s.heads[f.a]) == opMatches && len(m.c.needsOf(f.a).texts) > 1
}

// makeDicts collects the values that must be found: those under which something
// is filed, and those of sets.
func (m *maker) makeDicts() {
	s := m.s
	wanted := make([]bool, len(s.heads))
	want := func(a uint32) {
		if a != none && headOp(s.heads[a]) == opEq {
			wanted[a] = true
		}
	}
	for _, f := range m.c.filings {
		want(f.a)
		want(f.b)
	}
	for a, h := range s.heads {
		if headOp(h) == opIn {
			for _, v := range s.list(s.args[a]) {
				want(v)
			}
		}
	}
	lists := make([][2][]uint32, len(s.fields))
	for a, h := range s.heads {
		if wanted[a] {
			l := &lists[headField(h)][foldOf(h)]
			*l = append(*l, uint32(a))
		}
	}
	for f := range s.fields {
		for fold, atoms := range lists[f] {
			if len(atoms) > 0 {
				s.dicts = append(s.dicts, s.makeDict(uint32(f), fold == 1, atoms))
				s.fields[f].dictsOf[fold] = uint32(len(s.dicts))
			}
		}
	}
}

func foldOf(head uint32) int {
	if headFolds(head) {
		return 1
	}
	return 0
}

// fileEntries turns filings under atoms and pairs into entries of atoms.
func (m *maker) fileEntries() {
	s := m.s
	tests := make([]bool, len(s.heads)) // sets and expressions that lead further
	for _, f := range m.c.filings {
		switch {
		case m.isInterval(f):
		case f.b != none:
			h := s.heads[f.b]
			m.enter(f.a, makeEntry(entryPartner, s.fields[headField(h)].dictsOf[foldOf(h)]-1))
		default:
			m.enter(f.a, m.rootEntry[f.root])
			tests[f.a] = true
		}
	}
	for a, h := range s.heads {
		if !tests[a] {
			continue
		}
		switch headOp(h) {
		case opIn:
			for _, v := range s.list(s.args[a]) {
				m.enter(v, makeEntry(entryFire, uint32(a)))
			}
		case opMatches:
			if len(m.c.needsOf(uint32(a)).texts) == 0 {
				m.enter(m.c.has[headField(h)], makeEntry(entryTest, uint32(a)))
			}
		}
	}
}

func (m *maker) isInterval(f filing) bool {
	if f.a == none {
		return true
	}
	op := headOp(m.s.heads[f.a])
	return op == opGt || op == opGe
}

func (m *maker) enter(a, entry uint32) { m.under = append(m.under, uint64(a)<<32|uint64(entry)) }

// makePosts groups the entries by atom.
func (m *maker) makePosts() {
	s := m.s
	slices.Sort(m.under)
	m.under = slices.Compact(m.under)
	s.posts = make([]uint32, len(s.heads))
	var list []uint32
	for from := 0; from < len(m.under); {
		a := m.under[from] >> 32
		list = list[:0]
		for ; from < len(m.under) && m.under[from]>>32 == a; from++ {
			list = append(list, uint32(m.under[from]))
		}
		s.posts[a] = s.posting(list)
	}
	m.under = nil
}

// posting stores entries, which it may reorder.
func (s *Segment) posting(entries []uint32) uint32 {
	if len(entries) == 1 {
		return entries[0]
	}
	slices.Sort(entries)
	entries = slices.Compact(entries)
	if len(entries) == 1 {
		return entries[0]
	}
	at := len(s.refs)
	s.refs = append(append(s.refs, uint32(len(entries))), entries...)
	return uint32(at) | postList
}
