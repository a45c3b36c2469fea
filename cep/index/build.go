package index

import (
	"cmp"
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

// number notes which conditions each root stands for.
func (b *Builder) number() {
	s := b.seg
	if len(b.owner) == len(s.roots) {
		return // each for one, in order
	}
	s.idStart, s.ids = make([]uint32, len(s.roots)+1), make([]uint32, len(b.owner))
	for _, r := range b.owner {
		s.idStart[r+1]++
	}
	for r := range s.roots {
		s.idStart[r+1] += s.idStart[r]
	}
	at := slices.Clone(s.idStart)
	for id, r := range b.owner {
		s.ids[at[r]] = uint32(id)
		at[r]++
	}
	b.owner = nil
}

// shareNodes rewrites the code so that junctions which several others share have
// a place for their outcome.
func (b *Builder) shareNodes() {
	s := b.seg
	shared := make([]byte, len(s.code)) // uses, at most 2
	note := func(ref uint32) {
		if refTag(ref) == refNode {
			shared[refArg(ref)] = min(shared[refArg(ref)]+1, 2)
		}
	}
	s.eachNode(func(at, head uint32, kids []uint32) {
		for _, k := range kids {
			note(k)
		}
	})
	for _, r := range s.roots {
		note(r)
	}
	if !slices.Contains(shared, 2) {
		return
	}
	moved := make([]uint32, len(s.code))
	code := make([]uint32, 0, len(s.code)+len(s.code)/8)
	move := func(ref uint32) uint32 {
		if refTag(ref) == refNode {
			return makeRef(refNode, moved[refArg(ref)])
		}
		return ref
	}
	s.eachNode(func(at, head uint32, kids []uint32) {
		moved[at] = uint32(len(code))
		if shared[at] < 2 {
			code = append(code, head)
		} else {
			code = append(code, head|nodeMemo, uint32(s.memos))
			s.memos++
		}
		for _, k := range kids {
			code = append(code, move(k))
		}
	})
	for i, r := range s.roots {
		s.roots[i] = move(r)
	}
	s.code = code
}

// eachNode visits the junctions in the order of the code, in which operands come
// before what is made of them.
func (s *Segment) eachNode(visit func(at, head uint32, kids []uint32)) {
	for at := 0; at < len(s.code); {
		head := s.code[at]
		from := at + 1
		if head&nodeMemo != 0 {
			from++
		}
		to := from + int(head>>nodeShift)
		visit(uint32(at), head, s.code[from:to])
		at = to
	}
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

// seek says how to find an atom that something is filed under.
func (m *maker) seek(a uint32) {
	s, h := m.s, m.s.heads[a]
	f, fire, test := headField(h), makeEntry(entryFire, a), makeEntry(entryTest, a)
	variant := asIs
	if headFolds(h) {
		variant = lowered
	}
	switch headOp(h) {
	case opPrefix:
		m.keys[0] = append(m.keys[0], key{f, variant, s.args[a], fire})
	case opSuffix:
		m.keys[1] = append(m.keys[1], key{f, variant, s.args[a], fire})
	case opContains:
		switch text := s.str(s.args[a]); {
		case text == "": // which every text begins with
			m.keys[0] = append(m.keys[0], key{f, variant, s.args[a], fire})
		case len(text) > maxPiece:
			m.words = append(m.words, word{f, variant, pieceFor(text), test})
		default:
			m.words = append(m.words, word{f, variant, text, fire})
		}
	case opGlob:
		m.seekGlob(a, f, test)
	case opMatches:
		n := m.c.needsOf(a)
		for _, text := range n.texts {
			m.words = append(m.words, word{f, n.variant, pieceFor(text), test})
		}
	case opCIDR:
		m.nets = append(m.nets, filedNet{s.networkOf(a), f, fire})
	}
}

func (m *maker) seekGlob(a, f, test uint32) {
	list := m.s.list(m.s.args[a])
	shape, _ := globParts(list)
	variant := int(shape & (shapeStart - 1))
	switch at, kind := globKey(list); kind {
	case pieceStart:
		m.keys[0] = append(m.keys[0], key{f, variant, at, test})
	case pieceEnd:
		m.keys[1] = append(m.keys[1], key{f, variant, at, test})
	default:
		m.words = append(m.words, word{f, variant, pieceFor(m.s.str(at)), test})
	}
}

// makeTexts makes the tries and automata.
func (m *maker) makeTexts() {
	s := m.s
	for back, keys := range m.keys {
		slices.SortFunc(keys, func(x, y key) int {
			return cmp.Or(cmp.Compare(x.field, y.field), cmp.Compare(x.variant, y.variant), cmp.Compare(s.str(x.text), s.str(y.text)))
		})
		chunks(keys, func(x, y key) bool { return x.field == y.field && x.variant == y.variant }, func(part []key) {
			s.tries = append(s.tries, s.makeTrie(part, back == 1))
		})
	}
	slices.SortFunc(m.words, func(x, y word) int {
		return cmp.Or(cmp.Compare(x.field, y.field), cmp.Compare(x.variant, y.variant), cmp.Compare(x.text, y.text))
	})
	chunks(m.words, func(x, y word) bool { return x.field == y.field && x.variant == y.variant }, func(part []word) {
		s.autos = append(s.autos, s.makeAutomaton(part))
	})
}

func (m *maker) makeNets() {
	s := m.s
	order := func(n filedNet) int {
		if n.v4 {
			return int(n.field) * 2
		}
		return int(n.field)*2 + 1
	}
	slices.SortFunc(m.nets, func(x, y filedNet) int { return cmp.Compare(order(x), order(y)) })
	chunks(m.nets, func(x, y filedNet) bool { return order(x) == order(y) }, func(part []filedNet) {
		s.nets = append(s.nets, s.makeNets(part))
	})
}

// chunks visits the runs of a list in which all are alike.
func chunks[T any](list []T, alike func(x, y T) bool, visit func([]T)) {
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && alike(list[from], list[to]) {
			to++
		}
		visit(list[from:to])
		from = to
	}
}

// makeRanges makes the tables of intervals.
func (m *maker) makeRanges() {
	s := m.s
	var list []filing
	for _, f := range m.c.filings {
		if m.isInterval(f) {
			list = append(list, f)
		}
	}
	sort := func(f filing) uint32 { return s.heads[min(f.a, f.b)] >> 5 } // field, kind and fold; none is the greatest
	slices.SortFunc(list, func(x, y filing) int {
		return cmp.Or(cmp.Compare(sort(x), sort(y)), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	chunks(list, func(x, y filing) bool { return sort(x) == sort(y) }, func(part []filing) {
		var spans []interval
		chunks(part, func(x, y filing) bool { return x.a == y.a && x.b == y.b }, func(same []filing) {
			spans = append(spans, interval{same[0].a, same[0].b, m.posting(same)})
		})
		h := s.heads[min(part[0].a, part[0].b)]
		s.ranges = append(s.ranges, s.makeRange(headField(h), headKind(h), headFolds(h), spans))
	})
}

func (m *maker) posting(same []filing) uint32 {
	entries := make([]uint32, len(same))
	for i, f := range same {
		entries[i] = m.rootEntry[f.root]
	}
	return m.s.posting(entries)
}

func (m *maker) makePairs() {
	var list []filing
	for _, f := range m.c.filings {
		if f.b != none && !m.isInterval(f) {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(x, y filing) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	alike := func(x, y filing) bool { return x.a == y.a && x.b == y.b }
	n := 0
	chunks(list, alike, func([]filing) { n++ })
	m.s.pairs = newPairTable(n)
	chunks(list, alike, func(same []filing) {
		m.s.pairs.put(pairKey(same[0].a, same[0].b), m.posting(same))
	})
}

// trim gives what the builder grew memory of its exact size.
func (s *Segment) trim() {
	s.heads, s.args, s.text, s.nums, s.lists = exact(s.heads), exact(s.args), exact(s.text), exact(s.nums), exact(s.lists)
	s.code, s.roots, s.refs, s.every = exact(s.code), exact(s.roots), exact(s.refs), exact(s.every)
	s.fields, s.leafs = exact(s.fields), exact(s.leafs)
}
