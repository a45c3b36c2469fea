package dfa

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// worker is the room that steps need. A Turn keeps it from one call to the next,
// for the states of all rules.
type worker struct {
	m     *machine
	t     *engine.Turn
	key   []byte
	in    *engine.Input // the event; nil when time is what moves
	now   time.Time
	edge  time.Time // starts at or before it have run out of time
	late  bool      // there may be some
	truth uint64

	old    []group   // what the key had
	next   []group   // what it has
	over   []match   // out of time
	done   []done    // groups that the event completes
	logs   []advance // the logs that the event was appended to
	fresh  []move    // what the event begins
	forked bool      // a start may be in several groups
	began  bool      // the event began something that is kept
	runs   int       // in next

	places []place // by the number of a set
	gen    uint32
	wide   map[wideKey]*step
	a, b   []engine.Pair
	starts []uint64
	spare  []member // room for a new group's
}

// done is a group that the event completes, bound to elem or passed.
type done struct {
	group
	elem int32
}

// advance is a log and what it became with the event appended.
type advance struct{ old, to *node }

// place says where in next the group of a set is.
type place struct{ gen, at uint32 }

type wideKey struct {
	at    *set
	truth uint64
}

// scratch gives the worker that a Turn keeps.
func scratch(t *engine.Turn) *worker {
	w, ok := t.Scratch[engine.DFA].(*worker)
	if !ok {
		w = new(worker)
		t.Scratch[engine.DFA] = w
	}
	return w
}

// at gives what an event does to what stands in a set. What has no place in the
// set's table is remembered here for a while.
func (w *worker) at(m *machine, s *set, truth uint64) *step {
	const most = 1 << 12
	if s.table != nil {
		return m.at(s, truth)
	}
	key := wideKey{s, truth & s.looks}
	st := w.wide[key]
	if st == nil {
		st = m.at(s, truth)
		if w.wide == nil || len(w.wide) >= most {
			w.wide = make(map[wideKey]*step)
		}
		w.wide[key] = st
	}
	return st
}

func (w *worker) begin(m *machine, t *engine.Turn, now time.Time) {
	w.m, w.t, w.now = m, t, now
	if m.pol.Within > 0 {
		w.edge = m.edge(now)
	}
}

// take takes over what stands in an entry.
func (w *worker) take(s *State, e *entry) {
	if e.start != nil {
		q := member{start: e.start, elem: int32(e.elem)}
		w.old = append(w.old, group{at: w.m.set(e.at), log: e.log, members: []member{q}})
		return
	}
	b := s.bags[e.at-1]
	w.old, w.forked = append(w.old, b.groups...), b.forked
}

// end forgets all that would keep events alive.
func (w *worker) end() {
	w.old, w.next = emptied(w.old), emptied(w.next)
	w.over, w.done = emptied(w.over), emptied(w.done)
	w.logs, w.a, w.b = emptied(w.logs), emptied(w.a), emptied(w.b)
	w.fresh, w.starts = w.fresh[:0], w.starts[:0]
	w.m, w.t, w.in, w.key = nil, nil, nil, nil
	w.late, w.forked, w.began, w.runs = false, false, false, 0
}

// emptied empties room that is to be used again.
func emptied[T any](room []T) []T {
	clear(room)
	return room[:0]
}

// step moves all that the key has open on by the event, and lets it begin more.
func (w *worker) step(begins bool) {
	for i := range w.old {
		g := &w.old[i]
		if w.late {
			w.expire(g)
		}
		w.runs += len(g.members)
	}
	for i := range w.old {
		if g := &w.old[i]; len(g.members) > 0 {
			w.move(g)
		}
	}
	if begins {
		w.start()
	}
	w.finish()
	w.merge()
	if len(w.fresh) > 0 {
		w.admit()
	}
}

// expire drops the members that have run out of time.
func (w *worker) expire(g *group) {
	n := 0
	for n < len(g.members) && w.m.late(g.members[n].start, w.edge) {
		n++
	}
	if n > 0 {
		g.drop(n)
	}
}

// move does to a group what the event does to its set.
func (w *worker) move(g *group) {
	st := w.at(w.m, g.at, w.truth)
	if st.same {
		w.next = append(w.next, *g)
		return
	}
	if st.done != none {
		g.shared = true
		w.done = append(w.done, done{*g, st.done})
	}
	if len(st.moves) > 1 {
		w.forked, g.shared = true, true
	}
	w.runs -= len(g.members)
	for i, mv := range st.moves {
		moved := *g
		moved.at = mv.to
		if w.runs += len(g.members); i > 0 && w.runs > w.m.pol.MaxRuns {
			w.runs -= len(g.members)
			w.t.Overflow += uint64(len(g.members))
			continue
		}
		if i < len(st.moves)-1 { // the last way goes on adding to the members
			moved.members = slices.Clip(moved.members)
		}
		if mv.elem >= 0 {
			w.bind(&moved, mv.elem)
		}
		w.next = append(w.next, moved)
	}
}

// bind appends the event to the log of a group. Groups that have bound the same
// events go on sharing a log; one that has bound nothing joins another.
func (w *worker) bind(g *group, elem int32) {
	g.trim()
	for _, l := range w.logs {
		if l.to.elem != elem {
			continue
		}
		if l.old == g.log {
			g.log = l.to
			return
		}
		if g.log == nil {
			g.own()
			for i := range g.members {
				g.members[i].cut = l.to.n - 1
			}
			g.log, g.check = l.to, 0
			return
		}
	}
	to := bind(g.log, w.in.Hold(), elem)
	w.logs = append(w.logs, advance{g.log, to})
	g.log = to
}

// start lets the event begin matches.
func (w *worker) start() {
	st := w.at(w.m, w.m.start, w.truth)
	if st.done != none {
		w.done = append(w.done, done{group{members: []member{{start: w.in.Hold(), elem: st.done}}}, passed})
	}
	w.fresh = append(w.fresh, st.moves...)
}

// merge joins the groups that have come to one set.
func (w *worker) merge() {
	if len(w.next) < 2 {
		return
	}
	w.gen++
	kept := w.next[:0]
	for i := range w.next {
		g := w.next[i]
		if p := w.place(g.at); p.gen == w.gen {
			w.join(&kept[p.at], &g)
		} else {
			*p = place{w.gen, uint32(len(kept))}
			kept = append(kept, g)
		}
	}
	clear(w.next[len(kept):])
	w.next = kept
}

// place gives where the group of a set is noted down.
func (w *worker) place(s *set) *place {
	for int(s.id) >= len(w.places) {
		w.places = append(w.places, place{})
	}
	return &w.places[s.id]
}

// join adds the members of h to g, a group in the same set.
func (w *worker) join(g, h *group) {
	if &g.members[0] == &h.members[0] && g.log.len() != h.log.len() {
		// Two ways of the same members, which differ in what they have bound since
		// they parted: what has the longer log has more events of each.
		long, short := g, h
		if long.log.len() < short.log.len() {
			long, short = short, long
		}
		if len(long.members) >= len(short.members) {
			*g = *long
			return
		}
	}
	if len(h.members) > len(g.members) {
		*g, *h = *h, *g
	}
	if g.log != h.log {
		moved := make([]member, len(h.members))
		for i := range h.members {
			moved[i] = h.members[i].onto(h.log, g.log)
		}
		h.members = moved
	}
	if last := &g.members[len(g.members)-1]; last.start.Order < h.members[0].start.Order {
		g.members = append(g.members, h.members...)
		w.keep(h)
		return
	}
	w.zip(g, h.members)
}

// keep keeps the room of members that have moved elsewhere for those to come.
func (w *worker) keep(h *group) {
	const few = 8
	if !h.shared && cap(h.members) <= few {
		w.spare = emptied(h.members)
	}
}

// zip merges members into those of g by their starts. Of two with one start the
// better stays.
func (w *worker) zip(g *group, more []member) {
	all := make([]member, 0, len(g.members)+len(more))
	for a, b := g.members, more; len(a) > 0 || len(b) > 0; {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].start.Order < b[0].start.Order:
			all, a = append(all, a[0]), a[1:]
		case len(a) == 0 || b[0].start.Order < a[0].start.Order:
			all, b = append(all, b[0]), b[1:]
		default:
			best := a[0]
			if w.compare(&b[0], g.log, &a[0], g.log) < 0 {
				best = b[0]
			}
			all, a, b = append(all, best), a[1:], b[1:]
		}
	}
	g.members, g.waste, g.shared = all, 0, false
}

// compare says which of two partial matches with one start comes first when they
// complete in the same way.
func (w *worker) compare(p *member, log *node, q *member, other *node) int {
	if a, b := p.count(log), q.count(other); a != b {
		return b - a
	}
	w.a, w.b = p.pairs(w.a[:0], log), q.pairs(w.b[:0], other)
	return earlier(w.a, w.b)
}

// lone gives the group of the only partial match that is left, if there is just
// one and it has bound all of its log.
func (w *worker) lone() *group {
	if len(w.next) != 1 {
		return nil
	}
	g := &w.next[0]
	if len(g.members) != 1 || g.members[0].cut != 0 || g.members[0].pre != nil {
		return nil
	}
	return g
}
