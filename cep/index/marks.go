package index

import "math/bits"

// marks is a set of numbers that is copied where it changes. The nil marks are
// empty.
type marks struct{ chunks []*chunk }

// chunk is a piece of marks, never changed once others can see it.
type chunk [chunkBits / 64]uint64

const chunkBits = 4096

func (m *marks) has(n uint32) bool {
	if m == nil || m.chunks[n/chunkBits] == nil {
		return false
	}
	return m.chunks[n/chunkBits][n%chunkBits/64]>>(n%64)&1 != 0
}

// marker adds to marks without changing the one it began with.
type marker struct {
	from, to *marks
}

// add marks n, below size.
func (k *marker) add(n uint32, size int) {
	if k.to == nil {
		k.to = &marks{make([]*chunk, (size+chunkBits-1)/chunkBits)}
		if k.from != nil {
			copy(k.to.chunks, k.from.chunks)
		}
	}
	c := &k.to.chunks[n/chunkBits]
	switch {
	case *c == nil:
		*c = new(chunk)
	case k.from != nil && *c == k.from.chunks[n/chunkBits]:
		fresh := **c
		*c = &fresh
	}
	(*c)[n%chunkBits/64] |= 1 << (n % 64)
}

// marks gives the result.
func (k *marker) marks() *marks {
	if k.to == nil {
		return k.from
	}
	return k.to
}

// since visits what is in m and was not in before, an earlier state of it.
func (m *marks) since(before *marks, visit func(uint32)) {
	if m == nil || m == before {
		return
	}
	for i, c := range m.chunks {
		var old *chunk
		if before != nil {
			old = before.chunks[i]
		}
		if c == nil || c == old {
			continue
		}
		for j, word := range c {
			if old != nil {
				word &^= old[j]
			}
			for ; word != 0; word &= word - 1 {
				visit(uint32(i*chunkBits + j*64 + bits.TrailingZeros64(word)))
			}
		}
	}
}
