package cep

import "slices"

// vector is a list of which copies are cheap to change: it is kept in chunks,
// and a copy shares those it does not write to. A vector is immutable once
// another goroutine may see it.
type vector[T any] struct {
	chunks [][]T
	n      int
}

// chunk is how many values lie together: a change copies one chunk and the list
// of chunks.
const chunk = 1024

func (v *vector[T]) len() int { return v.n }

func (v *vector[T]) at(i int) *T { return &v.chunks[i/chunk][i%chunk] }

// add appends a value in place; nobody may share v.
func (v *vector[T]) add(x T) {
	if v.n%chunk == 0 {
		v.chunks = append(v.chunks, make([]T, 0, chunk))
	}
	last := &v.chunks[len(v.chunks)-1]
	*last = append(*last, x)
	v.n++
}

// edit gives a copy to write to.
func (v *vector[T]) edit() *edited[T] {
	return &edited[T]{vector: vector[T]{slices.Clone(v.chunks), v.n}, own: make(map[int]bool)}
}

// edited is a vector whose chunks are copied when they are first written to.
type edited[T any] struct {
	vector[T]
	own map[int]bool
}

func (e *edited[T]) chunk(c int) {
	if !e.own[c] {
		e.own[c] = true
		e.chunks[c] = append(make([]T, 0, chunk), e.chunks[c]...)
	}
}

func (e *edited[T]) set(i int, x T) {
	e.chunk(i / chunk)
	e.chunks[i/chunk][i%chunk] = x
}

func (e *edited[T]) push(x T) {
	if e.n%chunk != 0 {
		e.chunk(e.n / chunk)
	} else {
		e.own[e.n/chunk] = true
	}
	e.add(x)
}

// sameChunk reports whether two vectors share a chunk, so that nothing in it
// differs.
func sameChunk[T any](a, b *vector[T], c int) bool {
	x, y := a.chunks[c], b.chunks[c]
	return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
}
