package cep

import (
	"slices"
	"time"
)

// timers is a heap of the rules that have something due at some time, by time,
// then in the order of rules, those that drain before the versions that follow
// them. Each rule keeps the deadlines of its keys itself.
type timers struct{ heap []*ruleState }

func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].due, true
}

// first gives the rule that is due first, provided it is not after now.
func (t *timers) first(now time.Time) *ruleState {
	if len(t.heap) == 0 || t.heap[0].due.After(now) {
		return nil
	}
	return t.heap[0]
}

// update takes over the deadline that a rule now has.
func (t *timers) update(rs *ruleState) {
	at, ok := rs.state.Deadline()
	switch {
	case !ok:
		t.remove(rs)
		return
	case rs.timer == 0:
		t.heap = append(t.heap, rs)
		rs.timer = len(t.heap)
	case at.Equal(rs.due):
		return
	}
	rs.due = at
	t.down(t.up(rs.timer - 1))
}

// remove forgets a rule.
func (t *timers) remove(rs *ruleState) {
	if rs.timer == 0 {
		return
	}
	i, last := rs.timer-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	rs.timer = 0
	if i < last {
		t.down(t.up(i))
	}
}

// sort puts the heap in order again after rules have changed places.
func (t *timers) sort() {
	slices.SortFunc(t.heap, compareDue)
	for i, rs := range t.heap {
		rs.timer = i + 1
	}
}

func compareDue(a, b *ruleState) int {
	switch c := a.due.Compare(b.due); {
	case c != 0:
		return c
	default:
		return before(a, b)
	}
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].timer, t.heap[j].timer = i+1, j+1
}

func (t *timers) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if compareDue(t.heap[i], t.heap[parent]) >= 0 {
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
		if kid+1 < len(t.heap) && compareDue(t.heap[kid+1], t.heap[kid]) < 0 {
			kid++
		}
		if compareDue(t.heap[kid], t.heap[i]) >= 0 {
			return
		}
		t.swap(i, kid)
		i = kid
	}
}
