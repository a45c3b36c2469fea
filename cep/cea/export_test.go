package cea

import (
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Starve leaves a state no room to keep transitions.
func Starve(s engine.State) { s.(*State).cache.room = 0 }

// Age numbers the nodes and starts of a state as if it had been running for so
// long that the numbers are about to run out.
func Age(s engine.State) {
	st := s.(*State)
	f := &step{s: st}
	st.keys.All(func(e *engine.Entry[key]) {
		k := &e.Value
		f.k = k
		f.collect()
		const gone, bar = maxGone - 1, maxStart - 1
		move := func(i *int32) {
			if *i != none {
				*i += gone << chunkBits
			}
		}
		for c := range k.chunks {
			k.chunks[c].top += bar
			for j := range k.chunks[c].nodes {
				n := &k.chunks[c].nodes[j]
				n.max += bar
				move(&n.left)
				if n.elem == union {
					move(&n.right)
				}
			}
		}
		for j := range k.lists {
			move(&k.lists[j])
		}
		k.gone, k.bar = gone, bar
	})
}

// Nodes counts the nodes a state holds, those that are over included.
func Nodes(s engine.State) (n int) {
	s.(*State).keys.All(func(e *engine.Entry[key]) {
		for _, c := range e.Value.chunks {
			n += len(c.nodes)
		}
	})
	return n
}

// LetPass drops the starts whose time is up, as an event does that means nothing to
// their keys.
func LetPass(s engine.State, now time.Time) {
	st := s.(*State)
	st.keys.All(func(e *engine.Entry[key]) { e.Value.late(now, st.e.pol.Within) })
}
