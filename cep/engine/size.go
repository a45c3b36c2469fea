package engine

import (
	"math/bits"
	"unsafe"
)

// Alloc gives about what n bytes take on the heap: the allocator has sizes of its
// own, some eight to each power of two.
func Alloc(n int) int {
	step := 8
	switch {
	case n > 128:
		step = 1 << (bits.Len(uint(n-1)) - 4)
	case n > 32:
		step = 16
	}
	return (n + step - 1) / step * step
}

// MapBytes gives about what a map takes that had room for n entries, each of a key
// and a value that take so many bytes together: places, of which it fills at most
// seven in eight before it doubles them, with a byte for each.
func MapBytes(n, each int) int {
	if n == 0 {
		return 0
	}
	places := 8
	if n > places {
		places = 1 << bits.Len(uint((8*n+6)/7-1))
	}
	return 48 + places*(each+1)
}

// Bytes gives about the memory that the table takes: keys and values, without what
// the values point to. It takes time in proportion to the keys.
func (t *Table[V]) Bytes() int {
	entry := Alloc(int(unsafe.Sizeof(Entry[V]{})))
	n := MapBytes(t.most, int(unsafe.Sizeof("")+unsafe.Sizeof(&Entry[V]{}))) + Alloc(8*cap(t.heap))
	if t.wheel != nil {
		n += len(t.wheel.levels) * int(unsafe.Sizeof(level[V]{}))
	}
	for key := range t.entries {
		n += entry + Alloc(len(key))
	}
	return n
}
