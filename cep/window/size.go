package window

import (
	"math/bits"
	"unsafe"

	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Bytes is about the memory that s points to. Plan.Bound says what it can become.
func (s *State) Bytes() int {
	n := s.open.bytes()
	if q := s.panes; q != nil {
		n += rounded(int(unsafe.Sizeof(*q))) + rounded(8*cap(q.front)) + rounded(8*cap(q.back)) + rounded(8*cap(q.spare)) + q.total.bytes()
		for _, list := range [][]*partial{q.front, q.back, q.spare} {
			for _, pt := range list {
				n += pt.bytes()
			}
		}
	}
	return n
}

func (pt *partial) bytes() int {
	if pt == nil {
		return 0
	}
	n := rounded(int(unsafe.Sizeof(*pt))) + rounded(cap(pt.cells)*int(unsafe.Sizeof(cell(nil))))
	for _, c := range pt.cells {
		n += c.bytes()
	}
	return n
}

// rounded is what n bytes take on the heap, about: the allocator has some eight
// sizes to each power of two.
func rounded(n int) int {
	step := 8
	switch {
	case n > 128:
		step = 1 << (bits.Len(uint(n-1)) - 4)
	case n > 32:
		step = 16
	}
	return (n + step - 1) / step * step
}

func (t *tally) bytes() int   { return rounded(int(unsafe.Sizeof(*t))) }
func (m *moments) bytes() int { return rounded(int(unsafe.Sizeof(*m))) }
func (p *pair) bytes() int    { return rounded(int(unsafe.Sizeof(*p))) }
func (t *trend) bytes() int   { return rounded(int(unsafe.Sizeof(*t))) }
func (s *span) bytes() int    { return rounded(int(unsafe.Sizeof(*s))) }

func (e *ends) bytes() int {
	return rounded(int(unsafe.Sizeof(*e))) + rounded(cap(e.first.text)) + rounded(cap(e.last.text))
}

func (e *extremes) bytes() int {
	return rounded(int(unsafe.Sizeof(*e))) + rounded(cap(e.low.text)) + rounded(cap(e.high.text))
}

func (q *quantiles) bytes() int {
	n := rounded(int(unsafe.Sizeof(*q))) + rounded(8*cap(q.few))
	if q.sketch != nil {
		n += sketchBytes + binsBytes(q.sketch.GetPositiveValueStore()) + binsBytes(q.sketch.GetNegativeValueStore())
	}
	return n
}

// sketchBytes is about what a sketch takes besides its bins.
const sketchBytes = 256

// binsBytes is about what bins take: they lie in a row, with some room to grow.
func binsBytes(s store.Store) int {
	const room = 64
	low, err := s.MinIndex()
	if err != nil {
		return 0 // it has none
	}
	high, err := s.MaxIndex()
	if err != nil {
		return 0
	}
	return rounded(8 * (high - low + 1 + room))
}

func (d *distinct) bytes() int {
	n := rounded(int(unsafe.Sizeof(*d))) + rounded(8*cap(d.few)) + rounded(8*cap(d.union)) + rounded(cap(d.key))
	if d.sketch != nil {
		n += 1<<hllPrecision + 256
	}
	return n
}

func (t *top) bytes() int {
	n := rounded(int(unsafe.Sizeof(*t))) + rounded(cap(t.heap)*int(unsafe.Sizeof(counter{}))) + rounded(cap(t.key))
	const place = 16 + 8 + 1 // in the map: the key's header, the index, a byte
	places := 8
	for 7*places < 8*len(t.index) {
		places *= 2
	}
	n += 48 + places*place
	for i := range t.heap {
		n += rounded(len(t.heap[i].key))
	}
	return n
}
