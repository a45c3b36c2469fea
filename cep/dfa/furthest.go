package dfa

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Furthest gives the open partial match of a key that has come furthest: that has
// bound the latest element, and of those the most events, the earliest start
// first. With none open it says what would begin one.
func (s *State) Furthest(key []byte, now time.Time) (pairs []engine.Pair, waiting []int, nots uint64, deadline time.Time, ok bool) {
	w := &worker{m: s.m}
	if id := s.keys.find(key, hashOf(key)); id != noEntry {
		w.take(s, s.keys.at(id))
	}
	if s.m.pol.Within > 0 {
		w.edge = s.m.edge(now)
	}
	var best *member
	for i := range w.old {
		g := &w.old[i]
		w.expire(g)
		for j := range g.members {
			q := &g.members[j]
			row := q.pairs(nil, g.log)
			if best == nil || further(row, pairs) {
				best, pairs = q, row
			}
		}
	}
	if best == nil {
		waiting, nots = s.m.ahead(s.m.start)
		return nil, waiting, nots, time.Time{}, true
	}
	for i := range w.old { // one start may wait in several sets
		g := &w.old[i]
		for j := range g.members {
			if q := &g.members[j]; q.start == best.start && slices.Equal(q.pairs(nil, g.log), pairs) {
				elems, ends := s.m.ahead(g.at)
				waiting, nots = append(waiting, elems...), nots|ends
			}
		}
	}
	if s.m.pol.Within > 0 {
		deadline = s.m.due(best.start)
	}
	slices.Sort(waiting)
	return pairs, slices.Compact(waiting), nots, deadline, true
}

// ahead lists what may be bound in a set, and the conditions that end what stands
// in it.
func (m *machine) ahead(s *set) (elems []int, nots uint64) {
	for _, id := range s.atoms {
		a := &m.atoms[id]
		nots |= a.gate | a.veto
		for _, t := range a.takes {
			elems = append(elems, int(t.elem))
		}
	}
	slices.Sort(elems)
	return slices.Compact(elems), nots
}

// further reports whether a row of events has come further than another.
func further(a, b []engine.Pair) bool {
	latest := func(row []engine.Pair) (elem int) {
		for _, p := range row {
			elem = max(elem, p.Elem)
		}
		return elem
	}
	if x, y := latest(a), latest(b); x != y {
		return x > y
	}
	return len(a) > len(b)
}
