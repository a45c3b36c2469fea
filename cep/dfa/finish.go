package dfa

import (
	"cmp"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// match is a match, or a partial match that ran out of time. Its key is filled in
// when it is given out.
type match = engine.Done

func began(d *match) *engine.Held { return d.Pairs[0].Held }

// first orders what completes together: earliest start first, then most events,
// then earliest events.
func first(a, b match) int {
	return cmp.Or(cmp.Compare(began(&a).Order, began(&b).Order), earlier(a.Pairs, b.Pairs))
}

// finish gives out what the event completes. What it gives out prunes the rest.
func (w *worker) finish() {
	if w.m.best {
		w.foremost()
		return
	}
	var ready []match
	for i := range w.done {
		d := &w.done[i]
		for j := range d.members {
			ready = append(ready, w.complete(d, &d.members[j]))
		}
	}
	w.release(ready)
}

// foremost gives out the first of all matches, prunes, and goes on for as long as
// any are left. Usually the first is the last.
func (w *worker) foremost() {
	bar := uint64(0)
	for len(w.done) > 0 && bar <= w.in.Order {
		var best *done
		var lead *member
		for i := range w.done {
			d := &w.done[i]
			n := d.below(bar)
			if n == len(d.members) {
				continue
			}
			if q := &d.members[n]; best == nil || w.ahead(d, q, best, lead) {
				best, lead = d, q
			}
		}
		if best == nil {
			return
		}
		m := w.complete(best, lead)
		w.give(m)
		next := m.Pairs[len(m.Pairs)-1].Held.Order + 1
		if next <= bar {
			return
		}
		bar = next
		w.prune(bar)
	}
}

// ahead reports whether one match comes before another.
func (w *worker) ahead(d *done, p *member, e *done, q *member) bool {
	if p.start.Order != q.start.Order {
		return p.start.Order < q.start.Order
	}
	w.a, w.b = w.events(w.a[:0], d, p), w.events(w.b[:0], e, q)
	return earlier(w.a, w.b) < 0
}

// events appends the events of a match.
func (w *worker) events(dst []engine.Pair, d *done, q *member) []engine.Pair {
	dst = q.pairs(dst, d.log)
	if d.elem >= 0 {
		dst = append(dst, engine.Pair{Elem: int(d.elem), Held: w.in.Hold()})
	}
	return dst
}

func (w *worker) complete(d *done, q *member) match {
	return match{Outcome: engine.Complete, Pairs: w.events(nil, d, q), Trigger: w.in.Hold()}
}

// give gives a match out.
func (w *worker) give(m match) {
	m.At, m.Key = w.now, string(w.key)
	w.t.Out = append(w.t.Out, m)
}

// release gives out complete matches, in order.
//
// Whether it is immediate or ordered makes no difference here. A match would have
// to wait for one that began earlier and is still open. But where every element
// comes a fixed number of times, what began earlier is never behind: standing in
// one place with what began later, it goes wherever that goes.
func (w *worker) release(ready []match) {
	slices.SortStableFunc(ready, first)
	for len(ready) > 0 {
		bar, err := bar(w.m.pol.Skip, &ready[0])
		if err != nil {
			w.t.Err = err
			return
		}
		w.give(ready[0])
		ready = ready[1:]
		if bar > 0 {
			w.prune(bar)
			ready = slices.DeleteFunc(ready, func(o match) bool { return began(&o).Order < bar })
		}
	}
}

// bar gives the order below which starts are pruned once m is given out; 0 prunes
// nothing.
func bar(s engine.Skip, m *match) (uint64, error) {
	switch s.Kind {
	case engine.NoSkip:
		return 0, nil
	case engine.PastLast:
		return m.Pairs[len(m.Pairs)-1].Held.Order + 1, nil
	case engine.ToNext:
		return began(m).Order + 1, nil
	case engine.ToFirst, engine.ToLast:
	}
	var to *engine.Held
	for _, p := range m.Pairs {
		if p.Elem == s.Elem && (to == nil || s.Kind == engine.ToLast) {
			to = p.Held
		}
	}
	switch {
	case s.Strict && (to == nil || to == began(m)):
		return 0, engine.ErrMiss
	case to == nil:
		return 0, nil
	}
	return to.Order, nil
}

// prune drops what began before bar.
func (w *worker) prune(bar uint64) {
	kept := w.next[:0]
	for i := range w.next {
		g := w.next[i]
		if n := g.below(bar); n > 0 {
			w.runs -= n
			if n == len(g.members) {
				continue
			}
			g.drop(n)
		}
		kept = append(kept, g)
	}
	clear(w.next[len(kept):])
	w.next = kept
	if w.in != nil && w.in.Order < bar {
		w.fresh = w.fresh[:0]
	}
}
