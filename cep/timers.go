package cep

import (
	"slices"
	"time"
)

// timer is when a key next has something due.
type timer struct {
	at    time.Time
	first uint64 // order of the event that the key's earliest run began with
	index int    // in timers
	set   bool
}

// timers is a heap of keys, by time, then in the order of rules, then of the
// events their partial matches began with. A key has at most one timer.
type timers struct{ heap []*keyState }

func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].timer.at, true
}

func (t *timers) due(now time.Time) bool {
	return len(t.heap) > 0 && !t.heap[0].timer.at.After(now)
}

// set sets or moves the timer of a key.
func (t *timers) set(k *keyState, at time.Time) {
	k.timer.at = at
	if h := k.runs.First(); h != nil {
		k.timer.first = h.Order
	}
	if !k.timer.set {
		k.timer.set, k.timer.index = true, len(t.heap)
		t.heap = append(t.heap, k)
	}
	t.down(t.up(k.timer.index))
}

// sort puts the heap in order again after rules have changed places, and forgets
// the keys of those that are gone.
func (t *timers) sort() {
	t.heap = slices.DeleteFunc(t.heap, func(k *keyState) bool { return k.rule.gone })
	for i, k := range t.heap {
		k.timer.index = i
	}
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.down(i)
	}
}

// pop takes out the key that is due first.
func (t *timers) pop() *keyState {
	k := t.heap[0]
	last := len(t.heap) - 1
	t.swap(0, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if last > 0 {
		t.down(0)
	}
	k.timer.set = false
	return k
}

func (t *timers) before(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if c := a.timer.at.Compare(b.timer.at); c != 0 {
		return c < 0
	}
	if a.rule.rank != b.rule.rank {
		return a.rule.rank < b.rule.rank
	}
	return a.timer.first < b.timer.first
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].timer.index, t.heap[j].timer.index = i, j
}

func (t *timers) up(i int) int {
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

func (t *timers) down(i int) {
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
