package cea

import (
	"cmp"

	"github.com/rhost/rhost/cep/engine"
)

// Where a match prunes all others that began with its start, only the first
// match of each start counts, however many there are. All of them are found
// together in one pass over the nodes below what is complete, from later nodes
// to earlier ones: each node learns how the best of the rows of events goes on
// that lead up from it.

// best is how the best row of events goes on above a node: events so many, the
// next of them that of output up.
type best struct {
	events int32
	up     int32
}

// giveBest gives out the first match of each start, unless an earlier one prunes
// it.
func (f *step) giveBest() {
	k := f.k
	base := k.bar
	f.findBest()
	for i, tip := range f.tips {
		if tip == none || base+uint32(i) < k.bar {
			continue
		}
		f.giveOne(f.rowOf(tip))
	}
	if len(f.tr.single) > 0 && f.t.In.Order >= f.pruned {
		least := f.tr.single[0]
		for _, elem := range f.tr.single {
			least = min(least, elem)
		}
		f.giveOne([]engine.Pair{{Elem: least, Held: f.t.In.Hold()}})
	}
}

func (f *step) giveOne(pairs []engine.Pair) {
	order, _ := f.s.e.bar(pairs) // these two strategies always have somewhere to go
	f.give(pairs)
	f.prune(order)
}

// findBest fills tips: for each start the output that its first match begins
// with, or none.
func (f *step) findBest() {
	k := f.k
	f.tips = f.tips[:0]
	for range k.starts {
		f.tips = append(f.tips, none)
	}
	f.marks.reset(k.low(), k.end())
	if n := int(k.end() - k.low()); n > len(f.best) {
		f.best = make([]best, n)
	}
	for _, i := range f.tr.done {
		if i = f.from(i); k.live(i) {
			f.offer(i, best{0, none})
		}
	}
	for i := f.marks.last(k.end()); i != none; i = f.marks.last(i) {
		n, b := k.node(i), f.best[i-k.low()]
		switch {
		case n.elem == union:
			f.offer(n.left, b)
			f.offer(n.right, b)
		case n.left != none:
			f.offer(n.left, best{b.events + 1, i})
		default:
			tip := &f.tips[n.max-k.bar]
			if *tip == none || f.better(best{b.events, i}, best{f.best[*tip-k.low()].events, *tip}) {
				*tip = i
			}
		}
	}
}

// offer tells a node of a way to go on.
func (f *step) offer(i int32, b best) {
	if !f.k.live(i) {
		return
	}
	at := &f.best[i-f.k.low()]
	if f.marks.set(i) || f.better(b, *at) {
		*at = b
	}
}

// better compares two rows of events that lead up from one place: most events
// first, then earliest events.
func (f *step) better(a, b best) bool {
	if a.events != b.events {
		return a.events > b.events
	}
	k := f.k
	for i, j := a.up, b.up; i != j; i, j = f.best[i-k.low()].up, f.best[j-k.low()].up {
		p, q := k.node(i), k.node(j)
		c := cmp.Or(cmp.Compare(k.event(i, p).Order, k.event(j, q).Order), cmp.Compare(p.elem, q.elem))
		if c != 0 {
			return c < 0
		}
	}
	return false
}

// rowOf gives the match that begins with an output.
func (f *step) rowOf(tip int32) []engine.Pair {
	k := f.k
	pairs := make([]engine.Pair, 0, f.best[tip-k.low()].events+1)
	for i := tip; i != none; i = f.best[i-k.low()].up {
		n := k.node(i)
		pairs = append(pairs, engine.Pair{Elem: int(n.elem), Held: k.event(i, n)})
	}
	return pairs
}
