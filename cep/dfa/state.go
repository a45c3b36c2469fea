package dfa

import (
	"cmp"
	"slices"
	"time"
	"unsafe"

	"github.com/rhost/rhost/cep/engine"
)

// State is the open partial matches of one rule, by key.
type State struct {
	m     *machine
	keys  table
	bags  []*bag // of the keys with more than one partial match
	empty []uint32
	due   queue     // unused without a bound on time
	safe  time.Time // nothing runs out of time before
}

// bag is what a key has open when that is more than one partial match.
type bag struct {
	groups []group // each in a set of its own
	forked bool    // a start may be in several groups
}

// Feed shows the rule an event of a key.
func (s *State) Feed(t *engine.Turn, key []byte) {
	t.Err = nil
	begins := !t.Closed && s.m.begins(t.Truth.True)
	if s.keys.count == 0 && !begins {
		return
	}
	hash := hashOf(key)
	id := s.keys.find(key, hash)
	if id == noEntry {
		if begins {
			s.open(t, key, hash)
		}
		return
	}
	if e := s.keys.at(id); e.start == nil {
		if s.idle(t, id, s.bags[e.at-1], begins) {
			return
		}
	} else if !begins && s.alone(t, id, e) {
		return
	}
	s.step(t, key, hash, id, begins)
}

// step is Feed where nothing is simple.
func (s *State) step(t *engine.Turn, key []byte, hash, id uint32, begins bool) {
	w := scratch(t)
	w.begin(s.m, t, t.In.At)
	w.key, w.in, w.truth = key, t.In, t.Truth.True
	if id != noEntry {
		w.take(s, s.keys.at(id))
		w.late = s.late(t.In.At)
	}
	w.step(begins)
	s.file(w, key, hash, id)
	w.end()
}

// late reports whether some start may have run out of time. What opens later than
// others is due later, so that one look at the first does for all until then.
func (s *State) late(now time.Time) bool {
	if s.m.pol.Within <= 0 || now.Before(s.safe) {
		return false
	}
	_, at, ok := s.head()
	if !ok {
		at = now.Add(s.m.pol.Within)
	}
	s.safe = at
	return !now.Before(at)
}

// idle deals with an event that leaves all partial matches of a key where they
// are, and may begin one more that waits where others do.
func (s *State) idle(t *engine.Turn, id uint32, b *bag, begins bool) bool {
	w, truth := scratch(t), t.Truth.True
	runs := 0
	for i := range b.groups {
		if g := &b.groups[i]; !w.at(s.m, g.at, truth).same {
			return false
		}
		runs += len(b.groups[i].members)
	}
	if !begins {
		return true
	}
	st := w.at(s.m, s.m.start, truth)
	if st.done != none || len(st.moves) != 1 || runs >= min(s.m.pol.Limit, s.m.pol.MaxRuns) {
		return false
	}
	for i := range b.groups {
		if g := &b.groups[i]; g.at == st.moves[0].to {
			h := t.In.Hold()
			g.members = append(g.members, member{start: h, elem: st.moves[0].elem, cut: g.log.len()})
			s.await(h.Order, id)
			return true
		}
	}
	return false
}

// open shows an event that may begin a match to a key that has nothing open.
func (s *State) open(t *engine.Turn, key []byte, hash uint32) {
	w := scratch(t)
	st := w.at(s.m, s.m.start, t.Truth.True)
	if st.done == none && len(st.moves) == 1 {
		h := t.In.Hold()
		id, e := s.keys.add(key, hash)
		e.start, e.at, e.elem = h, st.moves[0].to.id, uint32(st.moves[0].elem)
		s.await(h.Order, id)
		return
	}
	s.step(t, key, hash, noEntry, true)
}

// alone moves the only partial match of a key on, where that is simple.
func (s *State) alone(t *engine.Turn, id uint32, e *entry) bool {
	st := scratch(t).at(s.m, s.m.set(e.at), t.Truth.True)
	switch {
	case st.same:
		return true
	case s.late(t.In.At) && s.m.late(e.start, s.m.edge(t.In.At)):
		s.keys.remove(id)
		return true
	case st.done != none || len(st.moves) > 1:
		return false
	case len(st.moves) == 0:
		s.keys.remove(id)
		return true
	}
	mv := st.moves[0]
	if mv.elem >= 0 {
		e.log = bind(e.log, t.In.Hold(), mv.elem)
	}
	e.at = mv.to.id
	return true
}

// file puts what a step left behind back in its place.
func (s *State) file(w *worker, key []byte, hash, id uint32) {
	if len(w.next) == 0 {
		if id != noEntry {
			s.discard(id)
		}
		return
	}
	var e *entry
	if id == noEntry {
		id, e = s.keys.add(key, hash)
	} else {
		e = s.keys.at(id)
	}
	if w.began {
		s.await(w.in.Hold().Order, id)
	}
	if g := w.lone(); g != nil {
		if e.start == nil {
			s.giveBack(e)
		}
		q := &g.members[0]
		e.start, e.log, e.at, e.elem = q.start, g.log, g.at.id, uint32(q.elem)
		return
	}
	b := s.bag(e)
	b.forked = w.forked && len(w.next) > 1
	b.groups = refill(b.groups, w.next)
}

// refill copies what a step left behind over what a bag had.
func refill(to, from []group) []group {
	const roomy = 16
	if n := len(from); n > cap(to) || cap(to) > roomy && cap(to) > 4*n {
		to = make([]group, 0, n+n/2)
	}
	n := len(to)
	to = append(to[:0], from...)
	if n > len(to) {
		clear(to[len(to):n])
	}
	return to
}

// bag gives the bag of an entry, which gets one if it has none.
func (s *State) bag(e *entry) *bag {
	if e.start == nil && e.at != 0 {
		return s.bags[e.at-1]
	}
	if len(s.empty) == 0 {
		s.bags = append(s.bags, new(bag))
		s.empty = append(s.empty, uint32(len(s.bags)))
	}
	e.start, e.log, e.elem = nil, nil, 0
	e.at = s.empty[len(s.empty)-1]
	s.empty = s.empty[:len(s.empty)-1]
	if s.bags[e.at-1] == nil {
		s.bags[e.at-1] = new(bag)
	}
	return s.bags[e.at-1]
}

// giveBack takes the bag of an entry, if it has one. A few are kept, with their
// room.
func (s *State) giveBack(e *entry) {
	const roomy = 16
	few := max(16, s.keys.count/16)
	if e.start != nil || e.at == 0 {
		return
	}
	b := s.bags[e.at-1]
	if len(s.empty) < few && cap(b.groups) <= roomy {
		*b = bag{groups: emptied(b.groups)}
	} else {
		s.bags[e.at-1] = nil
	}
	s.empty = append(s.empty, e.at)
	e.at = 0
	if len(s.empty) == len(s.bags) && len(s.bags) > tiny {
		s.bags, s.empty = nil, nil
	}
}

// discard forgets a key.
func (s *State) discard(id uint32) {
	s.giveBack(s.keys.at(id))
	s.keys.remove(id)
}

// await queues a start until it runs out of time.
func (s *State) await(order uint64, id uint32) {
	if s.m.pol.Within > 0 {
		s.due.push(order, id)
		s.due.tidy(s.has)
	}
}

// has reports whether an event began something that is open in an entry.
func (s *State) has(order uint64, id uint32) bool {
	e := s.keys.live(id)
	switch {
	case e == nil:
		return false
	case e.start != nil:
		return e.start.Order == order
	}
	if h := s.first(e); h.Order >= order {
		return h.Order == order
	}
	for _, g := range s.bags[e.at-1].groups {
		if n := g.below(order); n < len(g.members) && g.members[n].start.Order == order {
			return true
		}
	}
	return false
}

// first gives the event that the first of what is open in an entry began with.
func (s *State) first(e *entry) *engine.Held {
	if e.start != nil {
		return e.start
	}
	var h *engine.Held
	for _, g := range s.bags[e.at-1].groups {
		if q := g.members[0].start; h == nil || q.Order < h.Order {
			h = q
		}
	}
	return h
}

// Size counts what is held.
func (s *State) Size() (size engine.Size) {
	size.Keys = s.keys.count
	size.Bytes = int(unsafe.Sizeof(*s)) + s.keys.bytes() + s.due.bytes() + 8*cap(s.bags) + 4*cap(s.empty)
	s.keys.all(func(_ uint32, e *entry) {
		if e.start != nil {
			size.Runs++
			size.Bytes += int(e.log.len()) * int(unsafe.Sizeof(node{}))
			return
		}
		b := s.bags[e.at-1]
		size.Bytes += int(unsafe.Sizeof(*b)) + cap(b.groups)*int(unsafe.Sizeof(group{}))
		var longest uint32 // groups share their logs; the longest is a fair guess at all of them
		for i := range b.groups {
			g := &b.groups[i]
			size.Runs += len(g.members)
			size.Bytes += cap(g.members) * int(unsafe.Sizeof(member{}))
			longest = max(longest, g.log.len())
		}
		size.Bytes += int(longest) * int(unsafe.Sizeof(node{}))
	})
	return size
}

// Empty reports whether nothing is held.
func (s *State) Empty() bool { return s.keys.count == 0 }

// Clear drops all that is held.
func (s *State) Clear() { *s = State{m: s.m} }

// EachKey visits the keys in order.
func (s *State) EachKey(visit func(key []byte)) {
	for _, id := range s.sorted() {
		visit(s.keys.key(id))
	}
}

// sorted lists the entries in the order of their keys.
func (s *State) sorted() []uint32 {
	ids := make([]uint32, 0, s.keys.count)
	s.keys.all(func(id uint32, _ *entry) { ids = append(ids, id) })
	slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(string(s.keys.key(a)), string(s.keys.key(b))) })
	return ids
}

// due gives when the time of a start is over.
func (m *machine) due(h *engine.Held) time.Time { return h.At.Add(m.pol.Within) }
