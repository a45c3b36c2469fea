package cea

import (
	"math/bits"
	"time"
	"unsafe"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
)

// State is what a matcher has open for one rule, by key.
type State struct {
	e     *Engine
	keys  *engine.Table[key]
	cache *cache
	pool  pool
}

var _ engine.State = (*State)(nil)

// Feed shows the rule an event of a key.
func (s *State) Feed(t *engine.Turn, name []byte) {
	mask := s.e.mask(t)
	e := s.keys.Get(name)
	if e == nil {
		if t.Closed || s.e.needs.Starts&mask == 0 && !s.e.needs.AnyStart {
			return
		}
		if s.cache.next(s.cache.empty, mask, false).still {
			return
		}
		e = s.keys.Add(name)
		e.Value = key{set: s.cache.empty, grown: leastGrown}
	}
	k := &e.Value
	k.late(t.In.At, s.e.pol.Within)
	tr := s.cache.next(k.set, mask, t.Closed)
	if tr.still {
		return
	}
	f := stepOf(t)
	f.s, f.t, f.k, f.tr, f.name = s, t, k, tr, e.Key
	f.run()
	f.s, f.t, f.k, f.tr = nil, nil, nil, nil
	s.settle(e, t.In.At)
}

// settle frees a key that has nothing open, and gives one that is new its
// deadline.
func (s *State) settle(e *engine.Entry[key], now time.Time) {
	if !e.Value.open() {
		s.remove(e)
		return
	}
	if _, ok := e.At(); !ok && s.e.pol.Within > 0 {
		s.set(e, now)
	}
}

// set makes the deadline of a key that of its latest start: time completes
// nothing, so nobody has to be there for the others. Should the clock have gone
// back since an earlier one, it is that of the earliest, which is still to come.
func (s *State) set(e *engine.Entry[key], now time.Time) {
	k := &e.Value
	at := k.starts[len(k.starts)-1].ev.At.Add(s.e.pol.Within)
	if !at.After(now) {
		at = k.starts[0].ev.At.Add(s.e.pol.Within)
	}
	s.keys.Set(e, at)
}

func (s *State) remove(e *engine.Entry[key]) {
	e.Value.clear(&s.pool)
	s.keys.Remove(e)
}

// Deadline says when Expire has something to do.
func (s *State) Deadline() (time.Time, bool) { return s.keys.Deadline() }

// Expire frees what is over. Time completes nothing here.
func (s *State) Expire(_ *engine.Turn, now time.Time) {
	e := s.keys.Pop(now)
	if e == nil {
		return
	}
	k := &e.Value
	k.late(now, s.e.pol.Within)
	if !k.open() {
		s.remove(e)
		return
	}
	k.free(&s.pool, k.bar)
	s.set(e, now)
}

// Size counts what is held. Runs are the open starts: how many partial matches
// there are for each makes no difference.
func (s *State) Size() (size engine.Size) {
	s.keys.All(func(e *engine.Entry[key]) {
		size.Keys++
		size.Runs += len(e.Value.starts)
		size.Bytes += e.Value.bytes()
	})
	size.Bytes += s.keys.Bytes()
	return size
}

// bytes is about the memory that a key points to, without the events.
func (k *key) bytes() int {
	n := engine.Alloc(cap(k.lists)*4) + engine.Alloc(cap(k.starts)*int(unsafe.Sizeof(start{}))) + engine.Alloc(cap(k.chunks)*int(unsafe.Sizeof(chunk{})))
	for i := range k.chunks {
		c := &k.chunks[i]
		n += engine.Alloc(cap(c.nodes)*int(unsafe.Sizeof(node{}))) + engine.Alloc(cap(c.events)*8)
	}
	return n
}

// Empty reports whether nothing is held.
func (s *State) Empty() bool { return s.keys.Len() == 0 }

// Clear drops all that is held.
func (s *State) Clear() {
	s.keys.All(func(e *engine.Entry[key]) { e.Value.clear(&s.pool) })
	s.keys.Clear()
}

// Uncached counts the events for which the automaton had to be determinised
// again, because what they led to had no room in the cache.
func (s *State) Uncached() uint64 { return s.cache.spare }

// mask gives the conditions that the event under test meets. None depends on
// what is bound, whether the matcher knows it yet or not.
func (e *Engine) mask(t *engine.Turn) uint64 {
	mask := t.Truth.True
	for open := e.n.conds &^ t.Truth.Known; open != 0; open &= open - 1 {
		if c := engine.Cond(bits.TrailingZeros64(open) + 1); t.Conds.Holds(c, nothing{}) {
			mask |= c.Bit()
		}
	}
	return mask
}

// nothing is the bindings of a partial match that has bound nothing.
type nothing struct{}

// Events gives no events.
func (nothing) Events(int) []*predicate.Event { return nil }

// Folded gives what is true of none.
func (nothing) Folded(predicate.Fold) (so predicate.Folded, ok bool) { return so, true }
