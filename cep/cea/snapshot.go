package cea

import (
	"cmp"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// The form of a state, version 1: the number of keys, and for each, in order,
//
//	its text
//	starts: how many, and for each its event and the outputs made before it,
//	        less those made before the first
//	outputs made since the first start
//	nodes: how many, and for each its element and one (0: it is a union), then
//	       of an output how far back the node before it is (0: it begins a
//	       match) and its start or its event; of a union how far back its two
//	       parts are
//	lists: how many, and for each the state and the node
//
// Starts, nodes and states are numbered from 0. What is over is not written.
const snapshotVersion = 1

// AppendTo writes the state to a snapshot.
func (s *State) AppendTo(e *engine.Encoder) {
	e.Uint(snapshotVersion)
	var all []*engine.Entry[key]
	s.keys.All(func(k *engine.Entry[key]) { all = append(all, k) })
	f := &step{s: s}
	all = slices.DeleteFunc(all, func(k *engine.Entry[key]) bool {
		f.k = &k.Value
		f.collect()
		return len(f.k.starts) == 0 // all of it is over, and nobody has looked since
	})
	slices.SortFunc(all, func(a, b *engine.Entry[key]) int { return cmp.Compare(a.Key, b.Key) })
	e.Uint(uint64(len(all)))
	for _, k := range all {
		e.Text(k.Key)
		k.Value.appendTo(e)
	}
}

// appendTo writes a key that has just been collected.
func (k *key) appendTo(e *engine.Encoder) {
	e.Uint(uint64(len(k.starts)))
	for _, s := range k.starts {
		e.Held(s.ev)
		e.Uint(s.outs - k.starts[0].outs)
	}
	e.Uint(k.outs - k.starts[0].outs)
	e.Uint(uint64(k.end()))
	for i := range k.end() {
		n := k.node(i)
		switch {
		case n.elem == union:
			e.Uint(0)
			e.Uint(uint64(i - n.left))
			e.Uint(uint64(i - n.right))
		case n.left == none:
			e.Uint(uint64(n.elem) + 1)
			e.Uint(0)
			e.Uint(uint64(n.max))
		default:
			e.Uint(uint64(n.elem) + 1)
			e.Uint(uint64(i - n.left))
			e.Held(k.event(i, n))
		}
	}
	e.Uint(uint64(len(k.lists)))
	for j, i := range k.lists {
		e.Uint(uint64(k.set.states[j]))
		e.Uint(uint64(i + 1))
	}
}

// Restore reads a state that the same engine wrote into an empty one.
func (s *State) Restore(d *engine.Decoder) error {
	if v := d.Uint(); v != snapshotVersion {
		d.Fail("version %d of a state of the cea engine", v)
	}
	const least = 7 // bytes that every key takes
	for range d.Len(least) {
		name := []byte(d.Text())
		if s.keys.Get(name) != nil {
			d.Fail("a key stands in it twice")
		}
		if d.Err() != nil {
			break
		}
		e := s.keys.Add(name)
		s.readKey(d, &e.Value)
		if d.Err() != nil {
			break
		}
		if s.e.pol.Within > 0 {
			s.set(e, time.Time{})
		}
	}
	return d.Err()
}

func (s *State) readKey(d *engine.Decoder, k *key) {
	s.readStarts(d, k)
	for i := range d.Len(3) {
		if s.readNode(d, k, int32(i)); d.Err() != nil {
			return
		}
	}
	k.grown = max(leastGrown, 4*k.size)
	var states []int32
	for range d.Len(2) {
		at, i := int32(d.Bound(len(s.e.n.states))), int32(d.Bound(int(k.end())+1))-1
		if len(states) > 0 && at <= states[len(states)-1] || s.e.n.states[at].final {
			d.Fail("partial matches in state %d", at)
		}
		states, k.lists = append(states, at), append(k.lists, i)
	}
	if d.Err() == nil && !k.open() {
		d.Fail("a key has nothing open")
	}
	k.set = s.cache.set(states)
}

func (s *State) readStarts(d *engine.Decoder, k *key) {
	for range d.Len(2) {
		s := start{d.Held(), d.Uint()}
		if s.ev == nil || len(k.starts) > 0 && !s.follows(k.starts[len(k.starts)-1]) {
			d.Fail("starts are not in order")
		}
		if d.Err() != nil {
			return
		}
		k.starts = append(k.starts, s)
	}
	k.outs = d.Uint()
	if n := len(k.starts); n == 0 || k.outs < k.starts[n-1].outs {
		d.Fail("a key has no starts, or more than were made")
	}
}

func (s start) follows(before start) bool {
	return s.ev.Order > before.ev.Order && !s.ev.At.Before(before.ev.At) && s.outs >= before.outs
}

func (s *State) readNode(d *engine.Decoder, k *key, i int32) {
	elem := d.Bound(s.e.elems + 1)
	left := i - int32(d.Bound(int(i)+1)) // i itself: none
	if elem == 0 {
		right := i - int32(d.Bound(int(i)+1))
		if left == i || right == i || d.Err() == nil && k.node(left).max < k.node(right).max {
			d.Fail("a union of too little")
		}
		if d.Err() == nil {
			k.add(&s.pool, node{max: k.node(left).max, left: left, right: right, elem: union}, nil, k.next())
		}
		return
	}
	n := node{left: none, right: none, elem: uint16(elem - 1)}
	var h *engine.Held
	if left == i {
		n.max = uint32(d.Bound(len(k.starts)))
		if d.Err() == nil {
			h = k.starts[n.max].ev
		}
	} else {
		n.left, n.max, h = left, k.node(left).max, d.Held()
	}
	if h == nil {
		d.Fail("an event is missing")
		return
	}
	k.add(&s.pool, n, h, k.next())
}
