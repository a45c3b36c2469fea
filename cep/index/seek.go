package index

import (
	"cmp"
	"slices"
)

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
