package automaton

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// A state whose runs wait for an event with a value equal to one they have bound,
// as b in `a then b` where b is `data.id == a.data.id`, files them by that value
// once they are many. An event that could only meet conditions which need the
// equality is shown to the runs of its own value. For all others it meets no
// condition; and the state is one in which such an event leaves a run just as it
// is (still), so that not looking is the same as looking.

// fewRuns is the size from which on a group of runs is worth an index.
const fewRuns = 16

// join is what the runs in a state are filed by.
type join struct {
	predicate.Join
	conds uint64 // the conditions that need it
	value int    // where Worker.values has the side of the event under test
}

// stays reports whether an event that meets no condition leaves a run in state i
// where it is, and nothing besides.
func (n *NFA) stays(i int32) bool {
	own := 0
	for _, j := range n.reach(i, func(e edge) bool { return e.op == proceed && e.when.idle() }) {
		if k := n.states[j].kind; k == stop || k == final {
			return false
		}
		for _, e := range n.states[j].edges {
			switch {
			case e.op == proceed || !e.when.idle():
			case e.op == take || e.to != i:
				return false
			default:
				own++
			}
		}
	}
	return own == 1
}

// findJoin finds the join that most of the conditions need which s looks at.
func (n *NFA) findJoin(s *state, tr Traits) {
	needs := make(map[predicate.Join]uint64)
	for i, list := range tr.Joins {
		for _, j := range list {
			needs[j] |= s.looks & Cond(i+1).Bit()
		}
	}
	for _, list := range tr.Joins {
		for _, j := range list {
			if c := needs[j]; c != 0 && (s.join == nil || bits.OnesCount64(c) > bits.OnesCount64(s.join.conds)) {
				s.join = &join{Join: j, conds: c}
			}
		}
	}
	if s.join != nil {
		s.join.value = n.value(s.join.Path)
	}
}

// value gives the place in Worker.values of a path of the event under test.
func (n *NFA) value(p event.Path) int {
	at := slices.Index(n.paths, p)
	if at < 0 {
		at = len(n.paths)
		n.paths = append(n.paths, p)
	}
	return at
}

// decides reports whether conditions depend on nothing of what a run has bound but
// on the value it is filed by.
func (j *join) decides(conds uint64, tr Traits) bool {
	for ; conds != 0; conds &= conds - 1 {
		i := bits.TrailingZeros64(conds)
		if tr.Equal>>i&1 == 0 || i >= len(tr.Joins) {
			return false
		}
		for _, o := range tr.Joins[i] {
			if o.Elem != j.Elem || o.Part != j.Part || o.ElemPath != j.ElemPath {
				return false
			}
		}
	}
	return true
}

// index finds the runs of a group by their value. Runs keep their order, and
// their places until there is too little in between.
type index struct {
	links []link // of the first runs of the group; the others have not been filed yet
	ends  map[uint64]ends
	least int // fewer runs are not worth it
}

// link joins a run to those of the same value before and after it, by place in
// the group.
type link struct {
	value      uint64
	prev, next int32 // -1: none
}

// ends are the first and the last run of a value.
type ends struct{ first, last int32 }

// The values of runs that are not filed by a hash.
const (
	nothing = iota // equal to nothing: no event concerns them
	listed         // lists and maps, which are looked at one by one
	hashed         // from here on
)

// valueOf gives what to file a value by.
func (w *Worker) valueOf(v event.Value) uint64 {
	key, ok := predicate.AppendKey(w.key[:0], v)
	w.key = key
	switch {
	case !ok:
		return listed
	case len(key) == 0:
		return nothing
	}
	return max(hashed, maphash.Bytes(w.m.seed, key))
}

// runValue gives what a run is filed by.
func (w *Worker) runValue(q *run, j *join) uint64 {
	fold := predicate.FirstOf(j.Elem)
	if j.Part == predicate.PartLast {
		fold = predicate.LastOf(j.Elem)
	}
	so, ok := w.m.nfa.foldedOf(q.bound(), fold)
	if !ok {
		if h := q.bound().end(j.Elem, j.Part); h != nil {
			so.Event = &h.Seen
		}
	}
	if so.Event == nil {
		return nothing
	}
	return w.valueOf(j.ElemValue(so.Event))
}

// end gives the first or the last event bound to an element; nil if there is
// none.
func (b Bound) end(elem int, part predicate.Part) *Held {
	if b.n == 0 || b.head.seen&elemBit(elem) == 0 {
		return nil
	}
	var found *Held
	for nd, i := b.head, b.n; i > 0; nd, i = nd.prev, i-1 {
		if int(nd.elem) != elem {
			continue
		}
		if found = nd.ev; part == predicate.PartLast {
			break
		}
	}
	return found
}

// file brings the index of a group up to date, and reports whether it has one.
func (w *Worker) file(g *group) bool {
	if g.index == nil {
		if len(g.runs) < w.m.few {
			return false
		}
		g.index = &index{ends: make(map[uint64]ends), least: w.m.few / 2}
	}
	x, j := g.index, w.m.nfa.states[g.state].join
	for i := len(x.links); i < len(g.runs); i++ {
		value := uint64(nothing)
		if q := &g.runs[i]; !q.blank() {
			value = w.runValue(q, j)
		}
		x.append(value)
	}
	return true
}

// append files the next run.
func (x *index) append(value uint64) {
	at := int32(len(x.links))
	l := link{value, -1, -1}
	if value != nothing {
		e, ok := x.ends[value]
		if !ok {
			e.first = at
		} else {
			l.prev = e.last
			x.links[e.last].next = at
		}
		e.last = at
		x.ends[value] = e
	}
	x.links = append(x.links, l)
}

// remove takes a run out.
func (x *index) remove(at int32) {
	l := x.links[at]
	x.links[at].value = nothing
	if l.value == nothing {
		return
	}
	if l.prev < 0 && l.next < 0 {
		delete(x.ends, l.value)
		return
	}
	e := x.ends[l.value]
	if l.prev < 0 {
		e.first = l.next
	} else {
		x.links[l.prev].next = l.next
	}
	if l.next < 0 {
		e.last = l.prev
	} else {
		x.links[l.next].prev = l.prev
	}
	if l.prev < 0 || l.next < 0 {
		x.ends[l.value] = e
	}
}

// visitEqual shows the event to the runs whose value is its own.
func (w *Worker) visitEqual(g *group) {
	value := w.valueOf(w.values[w.m.nfa.states[g.state].join.value])
	if value == nothing {
		return
	}
	e, ok := g.index.ends[value]
	if !ok {
		return
	}
	for at := e.first; at >= 0; {
		next := g.index.links[at].next
		if !w.goesOn(&g.runs[at]) {
			g.drop(at)
		}
		at = next
	}
	g.tidy()
}

// drop makes a place of a group blank. tidy is to be called next.
func (g *group) drop(at int32) {
	if g.index != nil && int(at) < len(g.index.links) {
		g.index.remove(at)
	}
	g.runs[at] = run{}
	g.gone++
}

// tidy closes the gaps of a group: of one without an index at once, of one with once
// they are many. A group of few runs gives up its index.
func (g *group) tidy() {
	old := g.index
	switch {
	case g.gone == 0:
		return
	case old == nil:
	case g.len() < old.least:
		g.index, old = nil, nil
	case g.gone <= len(g.runs)/2:
		return
	default:
		g.index = &index{links: make([]link, 0, g.len()), ends: make(map[uint64]ends, len(old.ends)), least: old.least}
	}
	n := 0
	for i := range g.runs {
		if g.runs[i].blank() {
			continue
		}
		if old != nil && i < len(old.links) {
			g.index.append(old.links[i].value)
		}
		g.runs[n] = g.runs[i]
		n++
	}
	g.gone = 0
	g.clear(n)
}
