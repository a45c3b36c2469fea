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
	f.enumerate()
	slices.SortFunc(f.found, first)
	f.t.Out = slices.Grow(f.t.Out, len(f.found))
	for _, m := range f.found {
		if m[0].Held.Order < f.pruned {
			continue
		}
		order, err := f.s.e.bar(m)
		if err != nil {
			f.t.Err = err
			break
		}
		f.give(m)
		f.prune(order)
	}
	clear(f.found)
	f.found = f.found[:0]
}

// first orders what completes together: earliest start first, then most events,
// then earliest events.
func first(a, b []engine.Pair) int {
	if a[0].Held != b[0].Held {
		return cmp.Compare(a[0].Held.Order, b[0].Held.Order)
	}
	if len(a) != len(b) {
		return len(b) - len(a)
	}
	for i := range a {
		switch {
		case a[i].Held != b[i].Held:
			return cmp.Compare(a[i].Held.Order, b[i].Held.Order)
		case a[i].Elem != b[i].Elem:
			return a[i].Elem - b[i].Elem
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
