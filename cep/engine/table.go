package engine

import "time"

// Table keeps a value for each key, with at most one deadline each. The zero
// Table is not ready for use; see NewTable.
type Table[V any] struct {
	entries map[string]*Entry[V]
	heap    []*Entry[V] // those with a deadline, by time
}

// Entry is a key with its value.
type Entry[V any] struct {
	Key   string
	Value V

	at    time.Time
	place int // in the heap, from 1; 0: no deadline
}

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
	t.heap = t.heap[:0]
}

// Deadline gives the earliest deadline.
func (t *Table[V]) Deadline() (at time.Time, ok bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

// Pop gives the entry with the earliest deadline, provided it is not after now,
// and takes the deadline away. Several of one time come in no order.
func (t *Table[V]) Pop(now time.Time) *Entry[V] {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return nil
	}
	e := t.heap[0]
	t.Unset(e)
	return e
}

// Set sets or moves the deadline of an entry.
func (t *Table[V]) Set(e *Entry[V], at time.Time) {
	e.at = at
	if e.place == 0 {
		t.heap = append(t.heap, e)
		e.place = len(t.heap)
	}
	t.down(t.up(e.place - 1))
}

// Unset takes the deadline of an entry away, if it has one.
func (t *Table[V]) Unset(e *Entry[V]) {
	if e.place == 0 {
		return
	}
	i, last := e.place-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	e.place = 0
	if i < last {
		t.down(t.up(i))
	}
}

// At gives the deadline of an entry.
func (e *Entry[V]) At() (at time.Time, ok bool) { return e.at, e.place > 0 }

func (t *Table[V]) before(i, j int) bool { return t.heap[i].at.Before(t.heap[j].at) }

func (t *Table[V]) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].place, t.heap[j].place = i+1, j+1
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
