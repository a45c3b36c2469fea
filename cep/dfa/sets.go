package dfa

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
)

// Bounds of what a pattern's sets and their tables may grow to. A set beyond
// maxSets is followed as the atoms it is made of, one by one.
const (
	maxSets  = 1024
	maxSteps = 1 << 15
	maxWide  = 6 // conditions a set may look at and still have a table
)

// sets are the sets of atoms that partial matches have been found to stand in.
// They are added under mu and read without.
type sets struct {
	mu      sync.Mutex
	byAtoms map[string]*set
	all     atomic.Pointer[[]*set]
	room    int // for more sets of several atoms
	tables  int // for more steps in tables
}

// set is atoms that one chain of events has led to.
type set struct {
	id    uint32
	atoms []int32 // in order
	fires bool    // time running out completes the match

	looks uint64 // the conditions that decide what an event does
	bits  []uint8
	table []atomic.Pointer[step] // by those conditions; nil when they are too many
}

// step is what an event does to the partial matches in a set.
type step struct {
	same  bool   // nothing
	done  int32  // the element it is bound to in the match it completes; see the values below
	moves []move // the ways it leads, the better first
}

// What an event may be bound to besides an element.
const (
	passed int32 = -1 // it is not bound
	none   int32 = -2 // there is no match
)

// move is one way an event leads.
type move struct {
	elem int32 // what it is bound to, or passed
	to   *set
}

// set gives a set by its number.
func (m *machine) set(id uint32) *set { return (*m.sets.all.Load())[id] }

// intern gives the set of some atoms, which are in order; nil when there are too
// many sets already.
func (m *machine) intern(atoms []int32) *set {
	key := make([]byte, 0, 4*len(atoms))
	for _, a := range atoms {
		key = binary.LittleEndian.AppendUint32(key, uint32(a))
	}
	if s, ok := m.sets.byAtoms[string(key)]; ok {
		return s
	}
	if m.sets.room <= 0 && len(atoms) > 1 {
		return nil
	}
	m.sets.room--
	var all []*set
	if old := m.sets.all.Load(); old != nil {
		all = *old
	}
	s := &set{id: uint32(len(all)), atoms: slices.Clone(atoms)}
	for _, a := range atoms {
		s.looks |= m.atoms[a].looks()
		s.fires = s.fires || m.atoms[a].kind == absence
	}
	if s.bits = list(s.looks); len(s.bits) <= maxWide {
		s.table = make([]atomic.Pointer[step], 1<<len(s.bits))
	}
	m.sets.byAtoms[string(key)] = s
	all = append(all, s) // readers of the old slice do not look past its length
	m.sets.all.Store(&all)
	return s
}

// split gives the sets to follow instead of a set of atoms: usually just that.
func (m *machine) split(atoms []int32) []*set {
	if s := m.intern(atoms); s != nil {
		return []*set{s}
	}
	parts := make([]*set, len(atoms))
	for i := range atoms {
		parts[i] = m.intern(atoms[i : i+1])
	}
	return parts
}

// at gives what an event does to what stands in a set. Whatever waits to begin
// stands in m.start, where passing means nothing.
func (m *machine) at(s *set, truth uint64) *step {
	if s.table == nil {
		return m.work(s, truth, nil)
	}
	row := 0
	for i, b := range s.bits {
		row |= int(truth>>b&1) << i
	}
	if st := s.table[row].Load(); st != nil {
		return st
	}
	return m.work(s, truth, &s.table[row])
}

// work works out a step, and keeps it if there is room.
func (m *machine) work(s *set, truth uint64, keep *atomic.Pointer[step]) *step {
	m.sets.mu.Lock()
	defer m.sets.mu.Unlock()
	st := m.follow(s, truth)
	if keep != nil && m.sets.tables > 0 {
		m.sets.tables--
		keep.Store(st)
	}
	return st
}

// way is the atoms that one way of taking an event leads to.
type way struct {
	elem  int32
	atoms []int32
}

// follow works out what an event does to what stands in a set.
func (m *machine) follow(s *set, truth uint64) *step {
	st := &step{done: none}
	var ways []way
	add := func(elem int32, atoms ...int32) {
		i := slices.IndexFunc(ways, func(w way) bool { return w.elem == elem })
		if i < 0 {
			i, ways = len(ways), append(ways, way{elem: elem})
		}
		ways[i].atoms = append(ways[i].atoms, atoms...)
	}
	complete := func(elem int32) {
		if st.done == none || better(elem, st.done) {
			st.done = elem
		}
	}
	for _, id := range s.atoms {
		a := &m.atoms[id]
		if truth&a.gate != 0 {
			continue
		}
		elem := a.binds(truth)
		stays := truth&a.veto == 0
		switch {
		case elem >= 0:
			if a.to.ends && truth&a.to.unless == 0 {
				complete(elem)
			}
			if stays {
				add(elem, a.to.atoms...)
			}
		case s == m.start:
		case a.kind == anyNext:
			complete(passed)
		case stays && !a.strict:
			add(passed, a.pass)
		}
	}
	st.moves = m.ways(ways)
	st.same = st.done == none && len(st.moves) == 1 && st.moves[0].elem == passed && st.moves[0].to == s
	return st
}

// better reports whether a match that binds the event to the one comes before the
// same match that binds it to the other: more events first, then earlier elements.
func better(elem, other int32) bool {
	if elem < 0 || other < 0 {
		return elem >= 0 && other < 0
	}
	return elem < other
}

// ways turns ways into moves, the better first. What a better way leads to, too,
// is left out of the others: the same events would complete both at once, and
// only the better be seen.
func (m *machine) ways(ways []way) (moves []move) {
	slices.SortFunc(ways, func(a, b way) int {
		switch {
		case better(a.elem, b.elem):
			return -1
		case better(b.elem, a.elem):
			return 1
		}
		return 0
	})
	covered := make(map[int32]bool)
	for _, w := range ways {
		slices.Sort(w.atoms)
		atoms := slices.DeleteFunc(slices.Compact(w.atoms), func(id int32) bool { return covered[id] })
		if len(atoms) == 0 {
			continue
		}
		for _, id := range atoms {
			covered[id] = true
		}
		for _, to := range m.split(atoms) {
			moves = append(moves, move{w.elem, to})
		}
	}
	return moves
}
