package index

import (
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Scratch is what matching needs beside the index: what is known about the event
// at hand. It belongs to one goroutine, grows to the size of the index once (four
// bytes for an atom), and may be used with several indexes in turn. The zero
// Scratch is ready.
type Scratch struct {
	parts []*matching
}

// of gives the state for the segment at a place among several.
func (sc *Scratch) of(i int, s *Segment) *matching {
	for len(sc.parts) <= i {
		sc.parts = append(sc.parts, nil)
	}
	if m := sc.parts[i]; m != nil && m.s == s {
		return m
	}
	// After an edit a segment may stand elsewhere.
	for j := i + 1; j < len(sc.parts); j++ {
		if m := sc.parts[j]; m != nil && m.s == s {
			sc.parts[i], sc.parts[j] = m, sc.parts[i]
			return m
		}
	}
	m := newMatching(s)
	sc.parts[i] = m
	return m
}

// matching is what is known about one event within one segment. What holds for
// an epoch is forgotten by beginning the next.
type matching struct {
	s     *Segment
	ev    *predicate.Event
	epoch uint32
	dst   []ID

	atoms  []uint32 // by atom: epoch<<2 | outcome
	nodes  []uint32 // by shared junction: epoch<<2 | outcome
	leafs  []uint32
	roots  []uint32   // by condition filed in several places: the epoch it was met in
	values []uint64   // by dictionary: epoch<<32 | the value's atom
	found  [][]uint32 // by automaton and output: the epoch it was found in
	texts  [][variants]variantText
	addrs  []knownAddr
}

// knownAddr is a field's text as an address.
type knownAddr struct {
	epoch uint32
	ok    bool
	addr  addr
}

// Outcomes, as they are kept.
const (
	isUnknown = iota
	isTrue
	isFalse

	outcomeShift = 2
	outcomeMask  = 1<<outcomeShift - 1
	lastEpoch    = 1<<30 - 1
)

func newMatching(s *Segment) *matching {
	m := &matching{
		s:      s,
		atoms:  make([]uint32, len(s.heads)),
		nodes:  make([]uint32, s.memos),
		leafs:  make([]uint32, len(s.leafs)),
		values: make([]uint64, len(s.dicts)),
		found:  make([][]uint32, len(s.autos)),
		texts:  make([][variants]variantText, len(s.fields)),
		addrs:  make([]knownAddr, len(s.fields)),
	}
	for i := range m.found {
		m.found[i] = make([]uint32, len(s.autos[i].posts))
	}
	if s.repeats {
		m.roots = make([]uint32, len(s.roots))
	}
	return m
}

// begin forgets the last event.
func (m *matching) begin(ev *predicate.Event) {
	m.ev = ev
	if m.epoch == lastEpoch {
		*m = *newMatching(m.s)
		m.ev = ev
	}
	m.epoch++
}

// Match appends the conditions that hold for an event, each once, in rising
// order. It reads the values of the fields from ev.Fields, looks up in ev.Ev what
// is not there, and allocates nothing once sc and dst have grown, unless a leaf
// does or a regular expression is met for the first time.
func (s *Segment) Match(sc *Scratch, ev *predicate.Event, dst []ID) []ID {
	return s.match(sc.of(0, s), ev, dst)
}

func (s *Segment) match(m *matching, ev *predicate.Event, dst []ID) []ID {
	from := len(dst)
	m.begin(ev)
	m.dst = dst
	for _, e := range s.every {
		m.entry(e)
	}
	for i := range s.fields {
		m.field(i)
	}
	dst = m.dst
	m.dst, m.ev = nil, nil // they are the caller's
	if found := dst[from:]; !slices.IsSorted(found) {
		slices.Sort(found)
	}
	return dst
}

// value gives a field of the event.
func (m *matching) value(f *field) event.Value {
	if f.slot < len(m.ev.Fields) {
		return m.ev.Fields[f.slot]
	}
	return m.ev.Ev.Get(f.path)
}

// field looks a field's value up wherever conditions ask for it.
func (m *matching) field(i int) {
	f := &m.s.fields[i]
	v := m.value(f)
	if v.Kind() == event.Missing {
		m.post(f.absent)
		return
	}
	m.post(f.has)
	for _, p := range f.probes {
		switch p.kind {
		case probeDict:
			if a := m.valueAtom(p.at); a != none {
				m.fire(a)
			}
		case probeRange:
			m.probeRange(&m.s.ranges[p.at], v, i)
		default:
			if v.Kind() == event.String {
				m.probeText(p, v.Str(), i)
			}
		}
	}
}

func (m *matching) probeRange(r *rangeTable, v event.Value, i int) {
	if v.Kind() != r.kind || v.Kind() == event.Number && v.Number() != v.Number() {
		return
	}
	if r.fold {
		v = event.StringValue(m.text(i, v.Str(), lowered))
	}
	r.stab(m.s.position(r, v), m)
}

func (m *matching) probeText(p probe, text string, i int) {
	s := m.s
	switch p.kind {
	case probeTrie:
		t := &s.tries[p.at]
		t.walk(s.atomTable.text, m.text(i, text, t.variant), m)
	case probeAuto:
		a := &s.autos[p.at]
		a.scan(m.text(i, text, a.variant), m.found[p.at], m)
	case probeNet:
		if a, ok := m.addr(i, text); ok {
			s.nets[p.at].visit(a, m)
		}
	default: // the others are of values
	}
}

// text gives a variant of a field's text.
func (m *matching) text(i int, text string, variant int) string {
	if variant == asIs {
		return text
	}
	return m.texts[i][variant].of(text, variant, m.epoch)
}

// longestAddr bounds what is read as an address.
const longestAddr = 64

func (m *matching) addr(i int, text string) (addr, bool) {
	k := &m.addrs[i]
	if k.epoch != m.epoch {
		k.epoch, k.ok = m.epoch, false
		if len(text) <= longestAddr {
			k.addr, k.ok = parseAddr(text)
		}
	}
	return k.addr, k.ok
}

// valueAtom gives the equality atom of a field's value, looked up at most once
// for an event.
func (m *matching) valueAtom(d uint32) uint32 {
	if kept := m.values[d]; uint32(kept>>32) == m.epoch {
		return uint32(kept)
	}
	t := &m.s.dicts[d]
	v := m.value(&m.s.fields[t.field])
	a := uint32(none)
	switch {
	case t.fold && v.Kind() != event.String:
	case t.fold:
		a = m.s.find(t, event.StringValue(m.text(int(t.field), v.Str(), lowered)))
	case v.Kind() < event.List && v.Kind() != event.Missing:
		a = m.s.find(t, v)
	}
	m.values[d] = uint64(m.epoch)<<32 | uint64(a)
	return a
}

// fire notes that an atom is true, and visits what is filed under it.
func (m *matching) fire(a uint32) {
	m.atoms[a] = m.epoch<<outcomeShift | isTrue
	m.postFrom(m.s.posts[a], a)
}

// post visits the entries of a posting.
func (m *matching) post(p uint32) { m.postFrom(p, none) }

func (m *matching) postFrom(p, a uint32) {
	switch {
	case p == noPost:
	case p&postList == 0:
		m.entryFrom(p, a)
	default:
		refs := m.s.refs[p&^postList:]
		for _, e := range refs[1 : 1+refs[0]] {
			m.entryFrom(e, a)
		}
	}
}

func (m *matching) entry(e uint32) { m.entryFrom(e, none) }

// entryFrom does what an entry says; a is the atom under which it is filed.
func (m *matching) entryFrom(e, a uint32) {
	arg := e >> entryShift
	switch e & entryMask {
	case entryRoot:
		m.root(arg)
	case entryRepeat:
		if m.roots[arg] != m.epoch {
			m.roots[arg] = m.epoch
			m.root(arg)
		}
	case entryFire:
		m.atoms[arg] = m.epoch<<outcomeShift | isTrue
		m.filed(m.s.posts[arg])
	case entryTest:
		if m.atom(arg) == isTrue {
			m.filed(m.s.posts[arg])
		}
	case entryPartner:
		if b := m.valueAtom(arg); b != none {
			m.filed(m.s.pairs.find(pairKey(a, b)))
		}
	}
}

// filed visits the conditions in a posting, and nothing else that may be there.
func (m *matching) filed(p uint32) {
	switch {
	case p == noPost:
	case p&postList == 0:
		m.filedEntry(p)
	default:
		refs := m.s.refs[p&^postList:]
		for _, e := range refs[1 : 1+refs[0]] {
			m.filedEntry(e)
		}
	}
}

func (m *matching) filedEntry(e uint32) {
	if tag := e & entryMask; tag == entryRoot || tag == entryRepeat {
		m.entryFrom(e, none)
	}
}

// root decides a condition, and gives out its numbers if it holds.
func (m *matching) root(r uint32) {
	s := m.s
	if !m.holds(s.roots[r]) {
		return
	}
	if s.idStart == nil {
		m.dst = append(m.dst, r)
		return
	}
	m.dst = append(m.dst, s.ids[s.idStart[r]:s.idStart[r+1]]...)
}
