package cea

import (
	"cmp"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// finish gives out what the event completes, in order, and drops the starts that
// this prunes.
func (f *step) finish() {
	switch f.s.e.pol.Skip.Kind {
	case engine.PastLast, engine.ToNext:
		f.giveBest()
	default:
		f.giveAll()
	}
}

// giveAll gives out every match, up to the bounds on them. Those that a skip to
// an element prunes are found and not given out.
func (f *step) giveAll() {
	from := len(f.t.Out)
	f.enumerate()
	found := f.t.Out[from:]
	slices.SortFunc(found, first)
	kept := found[:0]
	for i := range found {
		d := found[i]
		if d.Pairs[0].Held.Order < f.pruned {
			continue
		}
		order, err := f.s.e.bar(d.Pairs)
		if err != nil {
			f.t.Err = err
			break
		}
		kept = append(kept, d)
		f.prune(order)
	}
	clear(found[len(kept):])
	f.t.Out = f.t.Out[:from+len(kept)]
}

// first orders what completes together: earliest start first, then most events,
// then earliest events.
func first(a, b engine.Done) int {
	if c := cmp.Compare(a.Pairs[0].Held.Order, b.Pairs[0].Held.Order); c != 0 {
		return c
	}
	if c := cmp.Compare(len(b.Pairs), len(a.Pairs)); c != 0 {
		return c
	}
	for i := range a.Pairs {
		p, q := &a.Pairs[i], &b.Pairs[i]
		if c := cmp.Or(cmp.Compare(p.Held.Order, q.Held.Order), cmp.Compare(p.Elem, q.Elem)); c != 0 {
			return c
		}
	}
	return 0
}

// bar gives the order below which starts are pruned once a match is given out; 0
// prunes nothing.
func (e *Engine) bar(pairs []engine.Pair) (uint64, error) {
	s := e.pol.Skip
	bound := func(p engine.Pair) bool { return p.Elem == s.Elem }
	at := -1
	switch s.Kind {
	case engine.NoSkip:
		return 0, nil
	case engine.PastLast:
		return pairs[len(pairs)-1].Held.Order + 1, nil
	case engine.ToNext:
		return pairs[0].Held.Order + 1, nil
	case engine.ToFirst:
		at = slices.IndexFunc(pairs, bound)
	case engine.ToLast:
		for i := range pairs {
			if bound(pairs[i]) {
				at = i
			}
		}
	}
	switch {
	case s.Strict && at <= 0:
		return 0, engine.ErrMiss
	case at < 0:
		return 0, nil
	}
	return pairs[at].Held.Order, nil
}

func (f *step) prune(order uint64) {
	f.pruned = max(f.pruned, order)
	f.k.prune(order)
}

// give gives out a match.
func (f *step) give(pairs []engine.Pair) {
	f.t.Out = append(f.t.Out, engine.Done{Outcome: engine.Complete, Key: f.name, Pairs: pairs, Trigger: f.t.In.Hold(), At: f.t.In.At})
}
