package cea

import (
	"cmp"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

var _ engine.Inspector = (*State)(nil)

// EachKey visits the keys in order.
func (s *State) EachKey(visit func(key []byte)) {
	var keys []string
	s.keys.All(func(e *engine.Entry[key]) { keys = append(keys, e.Key) })
	slices.Sort(keys)
	for _, k := range keys {
		visit([]byte(k))
	}
}

// Furthest gives the open partial match of a key that has come furthest, or what
// would begin one.
func (s *State) Furthest(name []byte, now time.Time) (pairs []engine.Pair, waiting []int, nots uint64, deadline time.Time, ok bool) {
	e := s.keys.Get(name)
	if e != nil {
		e.Value.late(now, s.e.pol.Within)
	}
	if e == nil || !e.Value.open() {
		waiting, nots = s.look(nil, 0, s.e.n.start)
		return nil, waiting, nots, time.Time{}, true
	}
	k := &e.Value
	pairs = k.furthest().pairs()
	for j, i := range k.lists {
		if k.live(i) && k.holds(i, pairs) {
			waiting, nots = s.look(waiting, nots, k.set.states[j])
		}
	}
	if s.e.pol.Within > 0 {
		deadline = pairs[0].Held.At.Add(s.e.pol.Within)
	}
	return pairs, waiting, nots, deadline, true
}

// look adds what a partial match in a state waits for.
func (s *State) look(waiting []int, nots uint64, at int32) ([]int, uint64) {
	for _, i := range s.cache.w.reach(nil, at, func(edge) bool { return true }) {
		st := &s.e.n.states[i]
		for _, e := range st.takes {
			waiting = append(waiting, e.elem)
		}
		for _, g := range st.stops {
			for _, c := range g {
				nots |= c.pos
			}
		}
	}
	slices.Sort(waiting)
	return slices.Compact(waiting), nots
}

// row is a partial match, latest event first.
type row struct {
	pair   engine.Pair
	prev   *row
	events int
	high   int // the latest element bound
}

func (r *row) pairs() []engine.Pair {
	pairs := make([]engine.Pair, r.events)
	for i := r.events - 1; i >= 0; i-- {
		pairs[i], r = r.pair, r.prev
	}
	return pairs
}

func (r *row) add(p engine.Pair) *row {
	if r == nil {
		return &row{p, nil, 1, p.Elem}
	}
	return &row{p, r, r.events + 1, max(r.high, p.Elem)}
}

// further compares by the latest element bound, then by the number of events.
func further(a, b *row) int {
	if a == nil || b == nil {
		return cmp.Compare(events(a), events(b))
	}
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.events, b.events))
}

func longer(a, b *row) int { return cmp.Compare(events(a), events(b)) }

func events(r *row) int {
	if r == nil {
		return 0
	}
	return r.events
}

// furthest gives the open partial match that has come furthest. Two are known of
// every node: the one that has come furthest and the longest. A later element
// makes the longest the furthest.
func (k *key) furthest() (best *row) {
	var m marks
	k.reach(&m)
	far, long := make(map[int32]*row), make(map[int32]*row)
	for i := k.low(); i < k.end(); i++ {
		if !m.has(i) {
			continue
		}
		n := k.node(i)
		if n.elem == union {
			far[i] = slices.MaxFunc([]*row{far[n.left], far[n.right]}, further)
			long[i] = slices.MaxFunc([]*row{long[n.left], long[n.right]}, longer)
			continue
		}
		p := engine.Pair{Elem: int(n.elem), Held: k.event(i, n)}
		long[i] = long[n.left].add(p)
		far[i] = slices.MaxFunc([]*row{far[n.left].add(p), long[i]}, further)
	}
	for _, i := range k.lists {
		if k.live(i) {
			best = slices.MaxFunc([]*row{best, far[i]}, further)
		}
	}
	return best
}

// holds reports whether a partial match is one of those of a live node: it looks
// for the events from the last to the first, each among all that may come there.
func (k *key) holds(i int32, pairs []engine.Pair) bool {
	var m marks
	at := []int32{i}
	for p, pair := range slices.Backward(pairs) {
		m.reset(k.low(), k.end())
		var before []int32
		for len(at) > 0 {
			i := at[len(at)-1]
			at = at[:len(at)-1]
			if i == none || !k.live(i) || !m.set(i) {
				continue
			}
			n := k.node(i)
			switch {
			case n.elem == union:
				at = append(at, n.left, n.right)
			case int(n.elem) != pair.Elem || k.event(i, n) != pair.Held:
			case n.left == none && p == 0:
				return true
			default:
				before = append(before, n.left)
			}
		}
		at = before
	}
	return false
}
