package workflow

import (
	"container/heap"
	"container/list"
	"iter"
	"time"
)

// letters keeps a bounded number of dead letters, oldest first.
type letters struct {
	max   int
	order *list.List // of letter
	byID  map[string]*list.Element
}

// letter is an execution that was given up.
type letter struct {
	x  *execution
	at time.Time
}

func newLetters(limit int) *letters {
	return &letters{max: limit, order: list.New(), byID: make(map[string]*list.Element)}
}

func (d *letters) add(l letter) { d.byID[l.x.id] = d.order.PushBack(l) }

// trim takes out the oldest of too many.
func (d *letters) trim() (gone []*execution) {
	for d.order.Len() > d.max {
		old := value(d.order.Front())
		d.remove(old.x.id)
		gone = append(gone, old.x)
	}
	return gone
}

func (d *letters) get(id string) (letter, bool) {
	el, ok := d.byID[id]
	if !ok {
		return letter{}, false
	}
	return value(el), true
}

func (d *letters) remove(id string) (letter, bool) {
	el, ok := d.byID[id]
	if !ok {
		return letter{}, false
	}
	delete(d.byID, id)
	d.order.Remove(el)
	return value(el), true
}

func (d *letters) len() int { return d.order.Len() }

func (d *letters) all() iter.Seq[letter] {
	return func(yield func(letter) bool) {
		for el := d.order.Front(); el != nil; el = el.Next() {
			if !yield(value(el)) {
				return
			}
		}
	}
}

func value(el *list.Element) letter {
	l, ok := el.Value.(letter)
	if !ok {
		panic("workflow: something else than a letter among the letters")
	}
	return l
}

// recent remembers the latest ids given to it.
type recent struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newRecent(size int) *recent {
	return &recent{ids: make(map[string]struct{}), ring: make([]string, size)}
}

func (r *recent) add(id string) {
	if r.has(id) {
		return
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next] = id
	r.ids[id] = struct{}{}
	r.next = (r.next + 1) % len(r.ring)
}

func (r *recent) has(id string) bool {
	_, ok := r.ids[id]
	return ok
}

// timers orders executions by the time they go on. An execution that finished
// or waits for another time meanwhile is passed over when its entry comes up.
type timers struct{ h timerHeap }

type timer struct {
	at time.Time
	x  *execution
}

func (t *timers) push(at time.Time, x *execution) { heap.Push(&t.h, timer{at, x}) }

// next returns the earliest time that still counts.
func (t *timers) next() (time.Time, bool) {
	for len(t.h) > 0 {
		if t.h[0].valid() {
			return t.h[0].at, true
		}
		heap.Pop(&t.h)
	}
	return time.Time{}, false
}

// pop takes out an execution whose time has come.
func (t *timers) pop(now time.Time) (*execution, bool) {
	at, ok := t.next()
	if !ok || at.After(now) {
		return nil, false
	}
	x := t.h[0].x
	heap.Pop(&t.h)
	return x, true
}

func (t timer) valid() bool {
	at, ok := t.x.timer()
	return ok && at.Equal(t.at)
}

// timerHeap is a container/heap by time, then by order of start.
type timerHeap []timer

func (h timerHeap) Len() int      { return len(h) }
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].x.seq < h[j].x.seq
	}
	return h[i].at.Before(h[j].at)
}

// Push is for container/heap.
func (h *timerHeap) Push(v any) {
	t, ok := v.(timer)
	if !ok {
		panic("workflow: something else than a timer among the timers")
	}
	*h = append(*h, t)
}

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return last
}
