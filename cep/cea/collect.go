package cea

import (
	"math/bits"

	"github.com/rhost/rhost/cep/engine"
)

const (
	// Numbers start again at zero before they run out.
	maxGone  = 1 << 22
	maxStart = 1 << 31

	leastGrown = 2 * chunkSize
)

// marks is a set of nodes of an arena.
type marks struct {
	low  int32
	bits []uint64
}

// reset empties the set and makes room for the nodes from low to end.
func (m *marks) reset(low, end int32) {
	n := int(end-low+63) / 64
	if n > cap(m.bits) {
		m.bits = make([]uint64, n, 2*n)
	}
	m.low, m.bits = low, m.bits[:n]
	clear(m.bits)
}

// set adds a node and reports whether it is new.
func (m *marks) set(i int32) bool {
	w, bit := &m.bits[(i-m.low)/64], uint64(1)<<((i-m.low)%64)
	was := *w&bit != 0
	*w |= bit
	return !was
}

func (m *marks) has(i int32) bool { return m.bits[(i-m.low)/64]>>((i-m.low)%64)&1 != 0 }

// last gives the greatest node of the set that is less than end, or none.
func (m *marks) last(end int32) int32 {
	at := end - 1 - m.low
	if at < 0 {
		return none
	}
	w := m.bits[at/64] << (63 - at%64)
	if w != 0 {
		return m.low + at - int32(bits.LeadingZeros64(w))
	}
	for i := at/64 - 1; i >= 0; i-- {
		if m.bits[i] != 0 {
			return m.low + i*64 + 63 - int32(bits.LeadingZeros64(m.bits[i]))
		}
	}
	return none
}

// reach marks the nodes that the lists of a key lead to and that are not over,
// and makes references lead past those that are.
func (k *key) reach(m *marks) {
	m.reset(k.low(), k.end())
	for j, i := range k.lists {
		if k.live(i) {
			k.lists[j] = k.skip(i)
			m.set(k.lists[j])
		}
	}
	// A node has a greater number than those it refers to.
	for i := m.last(k.end()); i != none; i = m.last(i) {
		n := k.node(i)
		if n.left != none {
			n.left = k.skip(n.left)
			m.set(n.left)
		}
		if n.elem == union {
			n.right = k.skip(n.right)
			m.set(n.right)
		}
	}
}

// collect moves the nodes that are left together and frees the others, also the
// starts that nothing is left of. Chunks go by themselves when their time is up;
// this is for partial matches that end otherwise. A key is not collected again
// before it has four times as many nodes, so each node pays for a constant share.
func (f *step) collect() {
	k := f.k
	k.reach(&f.marks)
	f.renumber()
	old := k.arena
	k.arena = arena{}
	f.compact(&old)
	for j, i := range k.lists {
		if i < old.low() || !f.marks.has(i) {
			k.lists[j] = none
		} else {
			k.lists[j] = f.to[i-old.low()]
		}
	}
	old.clear(&f.s.pool)
	k.bar, k.dirty, k.refused = 0, false, 0
	k.grown = max(leastGrown, 4*k.size)
}

// compact copies the nodes that are marked, in order, and notes where each went.
func (f *step) compact(old *arena) {
	k, low := f.k, old.low()
	if n := int(old.end() - low); n > len(f.to) {
		f.to = make([]int32, n)
	}
	for c := range old.chunks {
		for j, n := range old.chunks[c].nodes {
			i := low + int32(c)<<chunkBits + int32(j)
			if !f.marks.has(i) {
				continue
			}
			var h *engine.Held
			if n.elem == union {
				n.right = f.to[n.right-low]
			} else {
				h = old.event(i, &n)
			}
			if n.left != none {
				n.left = f.to[n.left-low]
			}
			n.max = f.nums[n.max-k.bar]
			f.to[i-low] = k.add(&f.s.pool, n, h, uint32(len(k.starts)))
		}
	}
}

// renumber drops the starts of which nothing is left and gives the others new
// numbers, in nums.
func (f *step) renumber() {
	k := f.k
	f.nums = f.nums[:0]
	for range k.starts {
		f.nums = append(f.nums, 0)
	}
	for i := f.marks.last(k.end()); i != none; i = f.marks.last(i) {
		if n := k.node(i); n.elem != union && n.left == none {
			f.nums[n.max-k.bar] = 1
		}
	}
	kept := k.starts[:0]
	for i, s := range k.starts {
		if f.nums[i] != 0 {
			f.nums[i] = uint32(len(kept))
			kept = append(kept, s)
		}
	}
	clear(k.starts[len(kept):])
	k.starts = kept
}
