package automaton

import (
	"cmp"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// The form of a state, version 1: the number of keys, and for each, in order,
//
//	its text, whether it has a deadline, the deadline
//	nodes: how many, and for each the number of the one before it (0: none),
//	       its event, its element, the elements bound up to it
//	lines: how many, and for each its starts
//	groups: how many, and for each its state and its runs
//	ripe: how many, and each
//	starts, and whether there is a roster, and its events
//
// Nodes and lines are numbered from 1, so that what runs share is written once.
const snapshotVersion = 1

// AppendTo writes the state to a snapshot.
func (s *State) AppendTo(e *engine.Encoder) {
	e.Uint(snapshotVersion)
	var all []*engine.Entry[Runs]
	s.keys.All(func(k *engine.Entry[Runs]) { all = append(all, k) })
	slices.SortFunc(all, func(a, b *engine.Entry[Runs]) int { return cmp.Compare(a.Key, b.Key) })
	e.Uint(uint64(len(all)))
	for _, k := range all {
		e.Text(k.Key)
		at, timed := k.At()
		e.Bool(timed)
		if timed {
			e.Time(at)
		}
		(&writer{e: e, node: make(map[*node]int), line: make(map[*line]int)}).runs(&k.Value)
	}
}

// writer writes the runs of one key.
type writer struct {
	e     *engine.Encoder
	node  map[*node]int
	nodes []*node
	line  map[*line]int
	lines []*line
}

func (w *writer) runs(r *Runs) {
	w.number(r)
	w.e.Uint(uint64(len(w.nodes)))
	for _, nd := range w.nodes {
		w.e.Uint(uint64(w.node[nd.prev]))
		w.e.Held(nd.ev)
		w.e.Uint(uint64(nd.elem))
		w.e.Uint(nd.seen)
	}
	w.e.Uint(uint64(len(w.lines)))
	for _, l := range w.lines {
		w.e.Uint(uint64(len(l.starts)))
		for _, st := range l.starts {
			w.start(st)
		}
	}
	w.e.Uint(uint64(len(r.groups)))
	for i := range r.groups {
		w.group(&r.groups[i])
	}
	w.e.Uint(uint64(len(r.ripe)))
	for i := range r.ripe {
		w.done(&r.ripe[i])
	}
	w.e.Uint(uint64(r.starts))
	w.e.Bool(r.roster != nil)
	if r.roster != nil {
		w.e.Uint(uint64(len(r.roster.open)))
		for _, h := range r.roster.open {
			w.e.Held(h)
		}
	}
}

// number finds the nodes and lines that are in use, each after those it refers
// to.
func (w *writer) number(r *Runs) {
	r.all(func(q *run) {
		w.chain(q.head)
		if l := q.heirs; l != nil && w.line[l] == 0 {
			w.lines = append(w.lines, l)
			w.line[l] = len(w.lines)
		}
	})
	for i := range r.ripe {
		w.chain(r.ripe[i].Bound.head)
	}
}

func (w *writer) chain(head *node) {
	from := len(w.nodes)
	for nd := head; nd != nil && w.node[nd] == 0; nd = nd.prev {
		w.nodes = append(w.nodes, nd)
		w.node[nd] = 1 // settled below
	}
	slices.Reverse(w.nodes[from:])
	for i, nd := range w.nodes[from:] {
		w.node[nd] = from + i + 1
	}
}

func (w *writer) start(s start) {
	w.e.Held(s.ev)
	w.e.Uint(uint64(s.cut))
}

func (w *writer) group(g *group) {
	w.e.Uint(uint64(g.state))
	w.e.Uint(uint64(g.len()))
	for i := range g.runs {
		q := &g.runs[i]
		if q.blank() {
			continue
		}
		w.e.Uint(uint64(w.node[q.head]))
		w.start(q.start)
		w.e.Uint(uint64(w.line[q.heirs]))
		w.e.Uint(uint64(q.lo))
		w.e.Uint(uint64(q.hi))
	}
}

func (w *writer) done(d *Done) {
	w.e.Uint(uint64(d.Outcome))
	w.e.Uint(uint64(w.node[d.Bound.head]))
	w.e.Uint(uint64(d.Bound.n))
	w.e.Held(d.Start)
	w.e.Held(d.Trigger)
	w.e.Time(d.At)
	w.e.Time(d.Deadline)
}

// Restore reads a state that the same machine wrote into an empty one.
func (s *State) Restore(d *engine.Decoder) error {
	if v := d.Uint(); v != snapshotVersion {
		d.Fail("version %d of the automaton's state", v)
	}
	const least = 6 // bytes that every key takes
	for range d.Len(least) {
		key := []byte(d.Text())
		if s.keys.Get(key) != nil {
			d.Fail("a key stands in it twice")
		}
		if d.Err() != nil {
			break
		}
		k := s.keys.Add(key)
		var at time.Time
		timed := d.Bool()
		if timed {
			at = d.Time()
		}
		(&reader{d: d, m: s.m}).runs(&k.Value)
		if timed && d.Err() == nil {
			s.keys.Set(k, at)
		}
	}
	return d.Err()
}

// reader reads the runs of one key.
type reader struct {
	d     *engine.Decoder
	m     *Machine
	nodes []*node
	lines []*line
}

func (r *reader) runs(to *Runs) {
	for range r.d.Len(4) {
		prev := r.at(r.d.Bound(len(r.nodes) + 1))
		h, elem, seen := r.event(), r.d.Bound(r.m.nfa.elems), r.d.Uint()
		if r.d.Err() != nil {
			return
		}
		nd := r.m.nfa.bind(prev, h, elem, nil)
		nd.seen |= seen
		r.nodes = append(r.nodes, nd)
	}
	for range r.d.Len(1) {
		l := new(line)
		for range r.d.Len(2) {
			l.starts = append(l.starts, r.start())
		}
		r.lines = append(r.lines, l)
	}
	for range r.d.Len(2) {
		r.group(to)
	}
	slices.SortFunc(to.groups, func(a, b group) int { return cmp.Compare(a.state, b.state) })
	for range r.d.Len(8) {
		if d, ok := r.done(); ok {
			to.ripe = append(to.ripe, d)
		}
	}
	to.starts = r.d.Bound(1 << 31)
	if r.d.Bool() {
		to.roster = new(roster)
		for range r.d.Len(1) {
			to.roster.open = append(to.roster.open, r.event())
		}
	}
}

func (r *reader) at(n int) *node {
	if n == 0 {
		return nil
	}
	return r.nodes[n-1]
}

// event reads an event that must be there.
func (r *reader) event() *Held {
	h := r.d.Held()
	if h == nil {
		r.d.Fail("an event is missing")
	}
	return h
}

func (r *reader) start() start {
	return start{ev: r.event(), cut: int32(r.d.Bound(1 << 31))}
}

func (r *reader) group(to *Runs) {
	state := int32(r.d.Bound(len(r.m.nfa.states)))
	if slices.ContainsFunc(to.groups, func(g group) bool { return g.state == state }) || r.m.nfa.states[state].kind == final || r.m.nfa.states[state].kind == stop {
		r.d.Fail("runs in state %d", state)
	}
	g := group{state: state}
	for range r.d.Len(5) {
		q := run{state: state, head: r.at(r.d.Bound(len(r.nodes) + 1)), start: r.start()}
		n := r.d.Bound(len(r.lines) + 1)
		most := 1
		if n > 0 {
			q.heirs = r.lines[n-1]
			most = len(q.heirs.starts) + 1
		}
		q.lo, q.hi = int32(r.d.Bound(most)), int32(r.d.Bound(most))
		if q.head == nil || q.start.cut >= q.head.n {
			r.d.Fail("a run without events")
		}
		for _, s := range q.later() {
			if r.d.Err() == nil && s.cut >= q.head.n {
				r.d.Fail("an heir without events")
			}
		}
		if r.d.Err() != nil {
			return
		}
		g.runs = append(g.runs, q)
	}
	if len(g.runs) > 0 {
		to.groups = append(to.groups, g)
	}
}

// later gives the heirs of a run.
func (r *run) later() []start {
	if r.lo >= r.hi {
		return nil
	}
	return r.heirs.starts[r.lo:r.hi]
}

func (r *reader) done() (d Done, ok bool) {
	d.Outcome = Outcome(r.d.Bound(int(TimedOut) + 1))
	d.Bound.head = r.at(r.d.Bound(len(r.nodes) + 1))
	d.Bound.n = r.d.Bound(1 << 31)
	d.Start, d.Trigger = r.event(), r.d.Held()
	d.At, d.Deadline = r.d.Time(), r.d.Time()
	if d.Bound.head == nil || d.Bound.n < 1 || d.Bound.n > int(d.Bound.head.n) || d.Outcome == Complete && d.Trigger == nil {
		r.d.Fail("a match without events")
	}
	return d, r.d.Err() == nil
}
