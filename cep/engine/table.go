package engine

import "time"

// Table keeps a value for each key, with at most one deadline each. The zero
// Table is not ready for use; see NewTable.
//
// Deadlines that come first are in a heap; once there are many, the others are in
// a timing wheel.
type Table[V any] struct {
	entries map[string]*Entry[V]
	heap    []*Entry[V] // by time; all of them up to the wheel's present
	wheel   *wheel[V]   // nil while there are few
	most    int         // keys there ever were at once
}

// Entry is a key with its value.
type Entry[V any] struct {
	Key   string
	Value V

	at          time.Time
	prev, next  *Entry[V] // in a slot of the wheel
	place       int32     // in the heap, from 1; onWheel; or 0: no deadline
	level, slot int8      // in the wheel
}

const (
	// onWheel is the place of an entry that is not in the heap.
	onWheel = -1
	// crowd is how many deadlines a heap holds before a wheel is worth its room.
	crowd = 256
)

// NewTable gives an empty table.
func NewTable[V any]() *Table[V] { return &Table[V]{entries: make(map[string]*Entry[V])} }

// Len is the number of keys.
func (t *Table[V]) Len() int { return len(t.entries) }

// Get gives the entry of a key, or nil.
func (t *Table[V]) Get(key []byte) *Entry[V] { return t.entries[string(key)] }

// Add makes an entry for a key that has none.
func (t *Table[V]) Add(key []byte) *Entry[V] {
	e := &Entry[V]{Key: string(key)}
	t.entries[e.Key] = e
	t.most = max(t.most, len(t.entries))
	return e
}

// Remove forgets an entry and its deadline.
func (t *Table[V]) Remove(e *Entry[V]) {
	t.Unset(e)
	delete(t.entries, e.Key)
}

// All visits the entries in no order. visit must not add or remove any.
func (t *Table[V]) All(visit func(*Entry[V])) {
	for _, e := range t.entries {
		visit(e)
	}
}

// Clear forgets everything.
func (t *Table[V]) Clear() {
	clear(t.entries)
	clear(t.heap)
	t.heap, t.wheel = t.heap[:0], nil
}

// Deadline gives the earliest deadline.
func (t *Table[V]) Deadline() (at time.Time, ok bool) {
	t.refill()
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

// Pop gives the entry with the earliest deadline, provided it is not after now,
// and takes the deadline away. Several of one time come in no order.
func (t *Table[V]) Pop(now time.Time) *Entry[V] {
	t.refill()
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return nil
	}
	e := t.heap[0]
	t.Unset(e)
	return e
}

// refill turns the wheel until the earliest deadline is in the heap. Those in the
// heap are never later than any on the wheel.
func (t *Table[V]) refill() {
	if t.wheel == nil {
		return
	}
	for len(t.heap) == 0 && t.wheel.count > 0 {
		t.wheel.turn(t.push)
	}
	if t.wheel.count == 0 && len(t.heap) < crowd/4 { // not at once: a crowd of one time would build it again and again
		t.wheel = nil
	}
}

// Set sets or moves the deadline of an entry.
func (t *Table[V]) Set(e *Entry[V], at time.Time) {
	t.Unset(e)
	e.at = at
	switch {
	case t.wheel != nil && tickOf(at) > t.wheel.cur:
		e.place = onWheel
		t.wheel.add(e)
		return
	case t.wheel == nil && len(t.heap) >= crowd:
		t.spread()
		if tickOf(at) > t.wheel.cur {
			e.place = onWheel
			t.wheel.add(e)
			return
		}
	}
	t.push(e)
}

// spread moves all deadlines but those of the earliest tick to a wheel.
func (t *Table[V]) spread() {
	all := t.heap
	t.heap = nil
	t.wheel = &wheel[V]{cur: tickOf(all[0].at)}
	for _, e := range all {
		if tickOf(e.at) > t.wheel.cur {
			e.place = onWheel
			t.wheel.add(e)
		} else {
			t.push(e)
		}
	}
}

func (t *Table[V]) push(e *Entry[V]) {
	t.heap = append(t.heap, e)
	e.place = int32(len(t.heap))
	t.up(len(t.heap) - 1)
}

// Unset takes the deadline of an entry away, if it has one.
func (t *Table[V]) Unset(e *Entry[V]) {
	switch e.place {
	case 0:
		return
	case onWheel:
		t.wheel.remove(e)
		e.place = 0
		return
	}
	i, last := int(e.place)-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	e.place = 0
	if i < last {
		t.down(t.up(i))
	}
}

// At gives the deadline of an entry.
func (e *Entry[V]) At() (at time.Time, ok bool) { return e.at, e.place != 0 }

func (t *Table[V]) before(i, j int) bool { return t.heap[i].at.Before(t.heap[j].at) }

func (t *Table[V]) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].place, t.heap[j].place = int32(i+1), int32(j+1)
}

func (t *Table[V]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !t.before(i, parent) {
			break
		}
		t.swap(i, parent)
		i = parent
	}
	return i
}

func (t *Table[V]) down(i int) {
	for {
		kid := 2*i + 1
		if kid >= len(t.heap) {
			return
		}
		if kid+1 < len(t.heap) && t.before(kid+1, kid) {
			kid++
		}
		if !t.before(kid, i) {
			return
		}
		t.swap(i, kid)
		i = kid
	}
}
