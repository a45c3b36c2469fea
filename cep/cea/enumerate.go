package cea

import (
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// The bounds on what one event may complete for one key. A pattern can have
// exponentially many matches; those beyond are not given out, and Turn.Overflow
// counts the event.
const (
	MaxMatches = 1 << 16
	MaxPairs   = 1 << 21 // bound events, over all matches
)

// slabSize is the most pairs that matches are made in the room of.
const slabSize = 512

// walk is a search through the nodes, from the last event of matches to the
// first.
type walk struct {
	stack []fork
	path  []engine.Pair // latest event first
}

// fork is the other side of a union that the search has passed, and how many
// events were on the path there.
type fork struct {
	node int32
	path int
}

// enumerate finds all matches that the event completes, in no order. The work is
// in proportion to the events in them, and to what has expired since the last
// time.
func (f *step) enumerate() {
	h := f.t.In.Hold()
	for _, elem := range f.tr.single {
		f.found = append(f.found, []engine.Pair{{Elem: elem, Held: h}})
	}
	room := MaxPairs
	var slab []engine.Pair // matches of one event are mostly kept and dropped together
	for _, i := range f.tr.done {
		if i = f.from(i); !f.k.live(i) {
			continue
		}
		whole := f.k.each(&f.walk, i, func(path []engine.Pair) bool {
			n := len(path)
			if room -= n; room < 0 || len(f.found) == MaxMatches {
				return false
			}
			if n > cap(slab)-len(slab) {
				slab = make([]engine.Pair, 0, max(n, min(slabSize, n*(len(f.found)+1))))
			}
			from := len(slab)
			slab = append(slab, path...)
			m := slab[from:len(slab):len(slab)]
			slices.Reverse(m)
			f.found = append(f.found, m)
			return true
		})
		if !whole {
			f.t.Overflow++
			break
		}
	}
	clear(f.walk.path[:cap(f.walk.path)])
}

// each visits the partial matches of a live node, each as its events, latest
// first, for as long as visit wants more. It reports whether that was all.
func (k *key) each(w *walk, root int32, visit func(path []engine.Pair) bool) bool {
	w.stack = append(w.stack[:0], fork{k.skip(root), 0})
	for len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.path = w.path[:top.path]
		for i := top.node; i != none; {
			n := k.node(i)
			if n.elem == union {
				n.left, n.right = k.skip(n.left), k.skip(n.right)
				w.stack = append(w.stack, fork{n.right, len(w.path)})
				i = n.left
				continue
			}
			w.path = append(w.path, engine.Pair{Elem: int(n.elem), Held: k.event(i, n)})
			if n.left != none {
				n.left = k.skip(n.left)
			}
			i = n.left
		}
		if !visit(w.path) {
			return false
		}
	}
	return true
}
