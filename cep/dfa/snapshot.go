package dfa

import (
	"cmp"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// The form of a state, version 1: the number of keys, and for each, by its text,
//
//	its text
//	nodes: how many, and for each the number of the one before it (0: none),
//	       its event, its element
//	groups: how many, and for each the atoms of its set, the node its log ends
//	       with, and its members: start, element, node of pre, preCut, cut
//	whether a start may be in several groups
//
// Nodes are numbered from 1, so that what partial matches share is written once.
// Atoms are numbered as the pattern is built, which is the same every time.
const snapshotVersion = 1

// AppendTo writes the state to a snapshot.
func (s *State) AppendTo(e *engine.Encoder) {
	e.Uint(snapshotVersion)
	ids := s.sorted()
	e.Uint(uint64(len(ids)))
	w := &writer{e: e, node: make(map[*node]int)}
	for _, id := range ids {
		e.Text(string(s.keys.key(id)))
		if en := s.keys.at(id); en.start != nil {
			q := member{start: en.start, elem: int32(en.elem)}
			w.one = append(w.one[:0], q)
			w.bag(&bag{groups: []group{{at: s.m.set(en.at), log: en.log, members: w.one}}})
		} else {
			w.bag(s.bags[en.at-1])
		}
	}
}

// writer writes what keys have open, one after the other.
type writer struct {
	e     *engine.Encoder
	node  map[*node]int // 0 for nil
	nodes []*node
	one   []member // scratch
}

func (w *writer) bag(b *bag) {
	e := w.e
	if len(w.nodes) > 64 { // to clear a map takes as long as it was large
		w.node = make(map[*node]int)
	}
	clear(w.node)
	w.nodes = w.nodes[:0]
	for i := range b.groups {
		g := &b.groups[i]
		w.chain(g.log)
		for j := range g.members {
			w.chain(g.members[j].pre)
		}
	}
	e.Uint(uint64(len(w.nodes)))
	for _, nd := range w.nodes {
		e.Uint(uint64(w.node[nd.prev]))
		e.Held(nd.ev)
		e.Uint(uint64(nd.elem))
	}
	e.Uint(uint64(len(b.groups)))
	for i := range b.groups {
		w.group(&b.groups[i])
	}
	e.Bool(b.forked)
}

// chain numbers the nodes of a chain, each after the one before it.
func (w *writer) chain(head *node) {
	from := len(w.nodes)
	for nd := head; nd != nil && w.node[nd] == 0; nd = nd.prev {
		w.nodes = append(w.nodes, nd)
	}
	slices.Reverse(w.nodes[from:])
	for i, nd := range w.nodes[from:] {
		w.node[nd] = from + i + 1
	}
}

func (w *writer) group(g *group) {
	w.e.Uint(uint64(len(g.at.atoms)))
	for _, a := range g.at.atoms {
		w.e.Uint(uint64(a))
	}
	w.e.Uint(uint64(w.node[g.log]))
	w.e.Uint(uint64(len(g.members)))
	for i := range g.members {
		q := &g.members[i]
		w.e.Held(q.start)
		w.e.Uint(uint64(q.elem))
		w.e.Uint(uint64(w.node[q.pre]))
		w.e.Uint(uint64(q.preCut))
		w.e.Uint(uint64(q.cut))
	}
}

// Restore reads a state that the same engine wrote into an empty one.
func (s *State) Restore(d *engine.Decoder) error {
	if v := d.Uint(); v != snapshotVersion && d.Err() == nil {
		d.Fail("version %d of the dfa's state", v)
	}
	const least = 5 // bytes that every key takes
	var starts []opening
	for range d.Len(least) {
		key := []byte(d.Text())
		hash := hashOf(key)
		if s.keys.find(key, hash) != noEntry {
			d.Fail("a key stands in it twice")
		}
		b := (&reader{d: d, m: s.m}).bag()
		if d.Err() != nil {
			break
		}
		starts = s.put(key, hash, b, starts)
	}
	if d.Err() != nil {
		return d.Err()
	}
	return s.queue(d, starts)
}

// opening is a start of an entry.
type opening struct {
	held *engine.Held
	id   uint32
}

// put files what a key had open, and notes its starts.
func (s *State) put(key []byte, hash uint32, b *bag, starts []opening) []opening {
	w := &worker{m: s.m, next: b.groups, forked: b.forked}
	s.file(w, key, hash, noEntry)
	id := s.keys.find(key, hash)
	from := len(starts)
	for i := range b.groups {
		for _, q := range b.groups[i].members {
			starts = append(starts, opening{q.start, id})
		}
	}
	own := starts[from:]
	slices.SortFunc(own, func(a, b opening) int { return cmp.Compare(a.held.Order, b.held.Order) })
	return starts[:from+len(slices.CompactFunc(own, func(a, b opening) bool { return a.held.Order == b.held.Order }))]
}

// queue makes the queue of starts.
func (s *State) queue(d *engine.Decoder, starts []opening) error {
	slices.SortFunc(starts, func(a, b opening) int { return cmp.Compare(a.held.Order, b.held.Order) })
	for i, st := range starts {
		if i > 0 && st.held.At.Before(starts[i-1].held.At) {
			d.Fail("later starts came earlier")
			return d.Err()
		}
		if s.m.pol.Within > 0 {
			s.due.push(st.held.Order, st.id)
		}
	}
	return nil
}

// reader reads what one key had open.
type reader struct {
	d     *engine.Decoder
	m     *machine
	nodes []*node
}

func (r *reader) bag() *bag {
	for range r.d.Len(3) {
		prev := r.at(r.d.Bound(len(r.nodes) + 1))
		h, elem := r.event(), r.elem()
		if r.d.Err() != nil {
			return nil
		}
		r.nodes = append(r.nodes, bind(prev, h, elem))
	}
	b := new(bag)
	for range r.d.Len(4) {
		if g := r.group(b); r.d.Err() == nil {
			b.groups = append(b.groups, g)
		}
	}
	b.forked = r.d.Bool()
	if len(b.groups) == 0 {
		r.d.Fail("a key with nothing open")
	}
	return b
}

func (r *reader) at(n int) *node {
	if n == 0 {
		return nil
	}
	return r.nodes[n-1]
}

// event reads an event that must be there.
func (r *reader) event() *engine.Held {
	h := r.d.Held()
	if h == nil {
		r.d.Fail("an event is missing")
	}
	return h
}

func (r *reader) elem() int32 { return int32(r.d.Bound(r.m.elems)) }

func (r *reader) group(b *bag) (g group) {
	g.at = r.set()
	g.log = r.at(r.d.Bound(len(r.nodes) + 1))
	for range r.d.Len(5) {
		q := member{start: r.event(), elem: r.elem(), pre: r.at(r.d.Bound(len(r.nodes) + 1))}
		q.preCut = uint32(r.d.Bound(int(q.pre.len()) + 1))
		q.cut = uint32(r.d.Bound(int(g.log.len()) + 1))
		if r.d.Err() != nil {
			return g
		}
		if n := len(g.members); n > 0 && g.members[n-1].start.Order >= q.start.Order {
			r.d.Fail("starts out of order")
		}
		g.members = append(g.members, q)
	}
	if len(g.members) == 0 || slices.ContainsFunc(b.groups, func(o group) bool { return o.at == g.at }) {
		r.d.Fail("a group without members, or in two parts")
	}
	return g
}

// set reads the set of a group.
func (r *reader) set() *set {
	var atoms []int32
	for range r.d.Len(1) {
		a := int32(r.d.Bound(len(r.m.atoms)))
		if n := len(atoms); n > 0 && atoms[n-1] >= a {
			r.d.Fail("atoms out of order")
		}
		atoms = append(atoms, a)
	}
	if len(atoms) == 0 {
		r.d.Fail("a set without atoms")
	}
	if r.d.Err() != nil {
		return nil
	}
	r.m.sets.mu.Lock()
	defer r.m.sets.mu.Unlock()
	s := r.m.intern(atoms)
	if s == nil || s == r.m.start {
		r.d.Fail("a set that cannot be")
	}
	return s
}
