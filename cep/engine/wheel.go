package engine

import (
	"math/bits"
	"time"
)

// wheel is a hierarchical timing wheel (Varghese and Lauck, SOSP 1987): setting
// and taking away a deadline take constant time, however many there are. It only
// sorts by ticks of about a millisecond; what has come to the present tick goes to
// a heap, which knows the order within it.
type wheel[V any] struct {
	cur    uint64 // the tick up to which everything has left
	count  int
	levels []*level[V]
}

// level is 64 slots. Those of level n are 64ⁿ ticks wide, and hold entries whose
// tick differs from cur in the digit of that level, and in no higher one.
type level[V any] struct {
	used  uint64 // slots with entries, bit by bit
	slots [64]*Entry[V]
}

// digit is how many bits of a tick a level looks at.
const digit = 6

// tickOf cuts time into ticks of 2²⁰ ns, of which 954 make a second. Ticks have
// the order of times, from before 1970 to beyond the year 9999.
func tickOf(t time.Time) uint64 {
	return uint64(t.Unix()<<10|int64(t.Nanosecond()>>20)) ^ 1<<63
}

// add files an entry whose tick is later than cur.
func (w *wheel[V]) add(e *Entry[V]) {
	tick := tickOf(e.at)
	n := (bits.Len64(tick^w.cur) - 1) / digit
	for len(w.levels) <= n {
		w.levels = append(w.levels, new(level[V]))
	}
	slot := tick >> (n * digit) & 63
	l := w.levels[n]
	e.level, e.slot = int8(n), int8(slot)
	e.prev, e.next = nil, l.slots[slot]
	if e.next != nil {
		e.next.prev = e
	}
	l.slots[slot] = e
	l.used |= 1 << slot
	w.count++
}

// remove takes an entry out.
func (w *wheel[V]) remove(e *Entry[V]) {
	l := w.levels[e.level]
	if e.next != nil {
		e.next.prev = e.prev
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.slots[e.slot] = e.next
		if e.next == nil {
			l.used &^= 1 << uint(e.slot)
		}
	}
	e.prev, e.next = nil, nil
	w.count--
}

// turn moves cur on to the next tick that has entries, and gives them out.
func (w *wheel[V]) turn(give func(*Entry[V])) {
	for n := 0; n < len(w.levels); n++ {
		l := w.levels[n]
		if l.used == 0 {
			continue
		}
		// Slots of this level lie behind cur's own: earlier ones would differ from
		// it in a higher digit as well.
		slot := uint64(bits.TrailingZeros64(l.used))
		shift := n * digit
		w.cur = w.cur>>(shift+digit)<<(shift+digit) | slot<<shift
		e := l.slots[slot]
		l.slots[slot] = nil
		l.used &^= 1 << slot
		for e != nil {
			next := e.next
			e.prev, e.next = nil, nil
			w.count--
			if tickOf(e.at) == w.cur {
				give(e)
			} else {
				w.add(e)
			}
			e = next
		}
		return
	}
}
