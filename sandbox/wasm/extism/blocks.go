package extism

import (
	"math"
	"math/bits"
	"sort"
)

// blockCost is what a block counts beside its bytes: about what the host keeps for
// it, so that a great many small ones are no way around the limit.
const blockCost = 48

// blocks knows what was allocated. Memory is handed out upwards, and what is freed is
// kept by size for the next that wants as much; blocks are not split or joined, since
// all of them go when the call ends.
type blocks struct {
	list []block // by address
	idle [classes][]int32
}

// block is a piece of memory.
type block struct {
	at   uint64
	size uint64 // that it takes
	used uint64 // that was asked for; 0 when it is free
}

// Sizes are multiples of 16 up to 64, and above that there are four to each power of
// two, so that at most a fifth of a block is not used. Larger ones take what they
// need and are not used again.
const (
	classes  = 4 + 4*18
	maxClass = 16 << 20
)

// classOf returns the class of a block of n bytes.
func classOf(n uint64) (class int, ok bool) {
	switch {
	case n > maxClass:
		return 0, false
	case n <= 64:
		return int(n-1) / 16, true
	}
	// 2^e < n ≤ 2^(e+1), in four steps of 2^(e-2).
	e := bits.Len64(n-1) - 1
	return 4 + 4*(e-6) + int((n-1)>>(e-2)) - 4, true
}

// classSize returns the size of the blocks of a class.
func classSize(class int) uint64 {
	if class < 4 {
		return uint64(class+1) * 16
	}
	e, step := (class-4)/4+6, (class-4)%4
	return uint64(step+5) << (e - 2)
}

// keep is how many blocks the table has room for between two calls.
const keep = 4096

// sizeOf returns what a block of n bytes takes.
func sizeOf(n uint64) uint64 {
	if c, ok := classOf(n); ok {
		return classSize(c)
	}
	if n > math.MaxUint64-15 {
		return math.MaxUint64
	}
	return (n + 15) &^ 15
}

func (b *blocks) reset() {
	if cap(b.list) > keep {
		*b = blocks{}
		return
	}
	b.list = b.list[:0]
	for c := range b.idle {
		b.idle[c] = b.idle[c][:0]
	}
}

// reuse hands out a free block of the size that n bytes need.
func (b *blocks) reuse(n uint64) (at uint64, ok bool) {
	c, ok := classOf(n)
	if !ok || len(b.idle[c]) == 0 {
		return 0, false
	}
	last := len(b.idle[c]) - 1
	i := b.idle[c][last]
	b.idle[c] = b.idle[c][:last]
	b.list[i].used = n
	return b.list[i].at, true
}

// add remembers a new block, which lies behind all others.
func (b *blocks) add(at, size, used uint64) { b.list = append(b.list, block{at, size, used}) }

// free takes a block back. It reports false when h is the handle of none.
func (b *blocks) free(h uint64) bool {
	i, ok := b.find(h)
	if !ok {
		return false
	}
	if c, ok := classOf(b.list[i].size); ok {
		b.idle[c] = append(b.idle[c], int32(i))
	}
	b.list[i].used = 0
	return true
}

func (b *blocks) length(h uint64) uint64 {
	if i, ok := b.find(h); ok {
		return b.list[i].used
	}
	return 0
}

// find returns the index of a block in use.
func (b *blocks) find(h uint64) (int, bool) {
	// The block that was made last is the one most asked for.
	if i := len(b.list) - 1; i >= 0 && b.list[i].at == h {
		return i, b.list[i].used > 0
	}
	i := sort.Search(len(b.list), func(i int) bool { return b.list[i].at >= h })
	return i, i < len(b.list) && b.list[i].at == h && b.list[i].used > 0
}
