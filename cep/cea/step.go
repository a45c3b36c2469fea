package cea

import "github.com/rhost/rhost/cep/engine"

// step is one event for one key, and the room it needs. A Turn keeps it for all
// states of this kind.
type step struct {
	s  *State
	t  *engine.Turn
	k  *key
	tr *transition

	name   string // of the key
	pruned uint64 // what began before the event of this order is over
	nodes  []int32
	lists  []int32

	walk  walk
	found [][]engine.Pair // matches complete
	marks marks
	best  []best
	tips  []int32
	to    []int32
	nums  []uint32
}

func stepOf(t *engine.Turn) *step {
	f, ok := t.Scratch[engine.CEA].(*step)
	if !ok {
		f = new(step)
		t.Scratch[engine.CEA] = f
	}
	return f
}

// run does what the transition says: it extends lists, gives out what is
// complete, moves the lists and begins new matches. The order of the three
// matters: what is given out prunes, and the limit counts what is left.
func (f *step) run() {
	if f.k.refused >= MaxBound/8 && f.k.dirty {
		f.collect()
	}
	f.extend()
	f.pruned = 0
	if len(f.tr.done)+len(f.tr.single) > 0 {
		f.finish()
	}
	f.moveLists()
	if len(f.tr.starts) > 0 && f.t.In.Order >= f.pruned && f.admit() {
		f.begin()
	}
}

// extend makes the outputs of the event.
func (f *step) extend() {
	k := f.k
	f.nodes = f.nodes[:0]
	for _, tk := range f.tr.takes {
		i := k.lists[tk.from]
		switch {
		case !k.live(i):
			i = none
		case f.full():
			f.t.Overflow++
			k.refused++
			k.dirty = true
			i = none
		default:
			k.lists[tk.from] = k.skip(i)
			i = k.output(&f.s.pool, f.t.In.Hold(), tk.elem, k.lists[tk.from])
		}
		f.nodes = append(f.nodes, i)
	}
}

// full reports whether the key holds all the events it may.
func (f *step) full() bool {
	k := f.k
	return len(k.starts) > 0 && k.outs-k.starts[0].outs >= MaxBound
}

// from gives the node of a place: an old list, or one that was extended.
func (f *step) from(i int32) int32 {
	if i < 0 {
		return f.nodes[^i]
	}
	return f.k.lists[i]
}

// moveLists gives the key its new set and lists.
func (f *step) moveLists() {
	k := f.k
	for _, i := range f.tr.drops {
		k.dirty = k.dirty || k.live(k.lists[i])
	}
	f.lists = f.lists[:0]
	for range f.tr.next.states {
		f.lists = append(f.lists, none)
	}
	for _, p := range f.tr.moves {
		if i := f.from(p.from); k.live(i) {
			f.lists[p.to] = k.union(&f.s.pool, i, f.lists[p.to])
		}
	}
	k.set = f.tr.next
	k.lists = append(k.lists[:0], f.lists...)
	k.free(&f.s.pool, k.bar)
	if k.size >= k.grown || k.gone >= maxGone || k.bar >= maxStart {
		f.collect()
	}
}

// admit holds the open starts of a key to the limit. It reports whether the
// event may begin matches.
func (f *step) admit() bool {
	k, pol := f.k, &f.s.e.pol
	if len(k.starts) < pol.Limit {
		return true
	}
	if k.dirty && !f.s.e.steady {
		f.collect()
	}
	switch {
	case len(k.starts) < pol.Limit:
		return true
	case !pol.DropOld:
		f.t.Rejected++
		return false
	}
	f.t.Dropped++
	k.drop()
	return true
}

// begin makes the event the latest start.
func (f *step) begin() {
	k := f.k
	h := f.t.In.Hold()
	at := start{h, k.outs}
	f.nodes = f.nodes[:0]
	for _, elem := range f.tr.begins {
		f.nodes = append(f.nodes, k.output(&f.s.pool, h, elem, none))
	}
	k.starts = append(k.starts, at)
	for _, p := range f.tr.starts {
		k.lists[p.to] = k.union(&f.s.pool, f.nodes[p.from], k.lists[p.to])
	}
}
