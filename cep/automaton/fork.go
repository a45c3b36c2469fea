package automaton

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Concerns reports whether the event meets a condition of the rule's own for a run
// that the trunk has open, or for one that it would begin; or may meet one in a state
// in which the rule alone would do something to its runs even if it did not. No
// conditions are asked but those that the rule would ask by itself.
func (b *Branch) Concerns(t *engine.Turn, trunk engine.State, key []byte) bool {
	s, w := trunk.(*State), worker(t) //nolint:errcheck,forcetypeassert // it is of a machine of this package
	a := &asking{b: b, w: w, met: t.Truth.True & b.own, may: ^t.Truth.Known & b.own}
	w.m, w.values, w.view.conds, w.view.nfa = s.m, t.Values, t.Conds, s.m.nfa
	defer func() {
		w.view.reader.Reset()
		w.view.bound, w.view.conds, w.view.nfa, w.values = Bound{}, nil, nil, nil
	}()
	if a.concerned(s.m.nfa.start, Bound{}) {
		return true
	}
	e := s.keys.Get(key)
	if e == nil {
		return false
	}
	for i := range e.Value.groups {
		if a.group(&e.Value.groups[i], t.In.At) {
			return true
		}
	}
	return false
}

// asking finds out whether an event concerns a rule that goes on from a trunk.
type asking struct {
	b        *Branch
	w        *Worker
	met, may uint64 // conditions of the rule's own that hold, and that depend on the run
}

// concerned reports whether a condition holds that decides what happens in a state
// of the trunk.
func (a *asking) concerned(state int32, q Bound) bool {
	looks := a.b.looks[state]
	if a.met&looks != 0 {
		return true
	}
	for may := a.may & looks; may != 0; may &= may - 1 {
		if a.w.view.Holds(lowest(may), q) {
			return true
		}
	}
	return false
}

// group looks at the runs in one state: if the conditions need a value that these
// are filed by, only at those that have it.
func (a *asking) group(g *group, now time.Time) bool {
	looks := a.b.looks[g.state]
	if (a.met|a.may)&looks == 0 {
		return false
	}
	m := a.w.m
	if !m.nfa.states[g.state].still {
		return true
	}
	ask := func(q *run) bool {
		return !q.blank() && !m.late(q.last(), now) && a.concerned(g.state, a.b.current(q, now))
	}
	j, filed := a.b.m.nfa.states[a.b.whole[g.state]].join, m.nfa.states[g.state].join
	if !j.like(filed) || (a.met|a.may)&looks&^j.conds != 0 || !a.w.file(g) {
		for i := range g.runs {
			if ask(&g.runs[i]) {
				return true
			}
		}
		return false
	}
	value := a.w.valueOf(a.w.values[filed.value])
	e, ok := g.index.ends[value]
	if value == nothing || !ok {
		return false
	}
	for at := e.first; at >= 0; at = g.index.links[at].next {
		if ask(&g.runs[at]) {
			return true
		}
	}
	return false
}

// like reports whether two joins, of rules that share a trunk, compare the same
// values.
func (j *join) like(o *join) bool {
	return j != nil && o != nil && j.Elem == o.Elem && j.Part == o.Part && j.ElemPath == o.ElemPath && j.Path == o.Path
}

// current gives what a run holds once starts that have run out of time are gone.
func (b *Branch) current(q *run, now time.Time) Bound {
	c := *q
	b.m.renew(&c, now)
	return c.bound()
}

// Same reports whether the runs of the rule are those of the trunk, down to how
// they are kept. Those that have run out of time do not count.
func (b *Branch) Same(trunk, own engine.State, key []byte, now time.Time) bool {
	t, s := trunk.(*State).keys.Get(key), own.(*State).keys.Get(key) //nolint:errcheck,forcetypeassert // both are of machines of this package
	if t == nil || s == nil {
		return t == s
	}
	c := comparison{b: b, now: now}
	common, mine := walk{runs: &t.Value}, walk{runs: &s.Value}
	for {
		p, there := c.next(&common)
		q, also := c.next(&mine)
		if !there || !also {
			return there == also
		}
		if b.whole[p.state] != q.state || !c.same(&p, &q) {
			return false
		}
	}
}

// comparison compares runs of the trunk with those of the rule.
type comparison struct {
	b     *Branch
	now   time.Time
	lines map[*line]*line // of the trunk, with the rule's
	taken map[*line]bool  // those of the rule
}

// walk is how far runs have been looked at.
type walk struct {
	runs       *Runs
	group, run int
}

// next gives the next run that has time, as it would be if it were looked at now.
func (c *comparison) next(w *walk) (q run, ok bool) {
	for ; w.group < len(w.runs.groups); w.group, w.run = w.group+1, 0 {
		for g := &w.runs.groups[w.group]; w.run < len(g.runs); {
			q = g.runs[w.run]
			w.run++
			if !q.blank() && c.b.m.renew(&q, c.now) {
				return q, true
			}
		}
	}
	return run{}, false
}

// same reports whether two runs hold the same events and speak for the same starts.
func (c *comparison) same(p, q *run) bool {
	if p.start != q.start || p.lo != q.lo || p.hi != q.hi || p.head.n != q.head.n {
		return false
	}
	for a, b := p.head, q.head; a != b; a, b = a.prev, b.prev {
		if a == nil || b == nil || a.ev != b.ev || a.elem != b.elem || a.seen != b.seen {
			return false
		}
	}
	return c.line(p.heirs, q.heirs)
}

// line reports whether two lines hold the same starts, and are shared by the same
// runs.
func (c *comparison) line(l, k *line) bool {
	if l == nil || k == nil {
		return l == k
	}
	if have := c.lines[l]; have != nil {
		return have == k
	}
	if c.taken[k] || !slices.Equal(l.starts, k.starts) {
		return false
	}
	if c.lines == nil {
		c.lines, c.taken = make(map[*line]*line), make(map[*line]bool)
	}
	c.lines[l], c.taken[k] = k, true
	return true
}

// Drop forgets a key.
func (s *State) Drop(key []byte) {
	if e := s.keys.Get(key); e != nil {
		s.keys.Remove(e)
	}
}
