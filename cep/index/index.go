package index

import (
	"fmt"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
)

// Index is a set of conditions that can be edited: segments, oldest and mostly
// largest first, and marks on the conditions removed from them. An Index is an
// immutable value; edits give a new one that shares what did not change, to be
// published with an atomic pointer. The zero Index is empty.
//
// With does the small work at once: it joins the last few small segments into
// one, so that a stream of single edits costs a logarithmic number of rebuilds for
// each condition. Joining large segments is left to Compact, which may run beside
// further edits.
type Index struct {
	parts []part
	next  ID
	live  int
}

// part is one segment of an Index. Parts hold rising ranges of numbers.
type part struct {
	seg  *Segment
	ids  []ID // by number in the segment; nil when they follow each other
	from ID   // number of the first
	gone *marks
	live int
}

// The tiers of an Index.
const (
	smallPart = 1024 // conditions up to which With joins segments
	tier      = 4    // a segment is joined with later ones of at least a quarter of its size
)

// NewIndex gives an index over segments, whose conditions are numbered on from 0.
func NewIndex(segments ...*Segment) *Index {
	x := new(Index)
	for _, s := range segments {
		x.push(s)
	}
	return x
}

func (x *Index) push(s *Segment) {
	if s.Len() > 0 {
		x.parts = append(x.parts, part{seg: s, from: x.next, live: s.Len()})
	}
	x.next += ID(s.Len())
	x.live += s.Len()
}

// Len is the number of conditions, without those removed.
func (x *Index) Len() int { return x.live }

// Next is the number that the next condition will get.
func (x *Index) Next() ID { return x.next }

// Segments gives the segments, oldest first. Those with conditions removed still
// hold them.
func (x *Index) Segments() []*Segment {
	out := make([]*Segment, len(x.parts))
	for i := range x.parts {
		out[i] = x.parts[i].seg
	}
	return out
}

// With gives an index that also has the conditions of add, numbered on from
// x.Next(), and no longer has those of remove. Numbers that x does not have are
// passed over; numbers are never given out twice.
func (x *Index) With(add []predicate.Formula, remove []ID) (*Index, error) {
	y := &Index{parts: slices.Clone(x.parts), next: x.next, live: x.live}
	y.remove(remove)
	if len(add) == 0 {
		return y, nil
	}
	from := y.settle(len(add))
	b := NewBuilder()
	ids := b.addParts(y.parts[from:])
	for i := range add {
		b.Add(add[i])
		ids = append(ids, y.next+ID(i))
	}
	s, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("index %d conditions: %w", len(add), err)
	}
	y.parts = append(y.parts[:from], newPart(s, ids))
	y.next += ID(len(add))
	y.live += len(add)
	return y, nil
}

func newPart(s *Segment, ids []ID) part {
	p := part{seg: s, ids: exact(ids), from: ids[0], live: len(ids)}
	if int(ids[len(ids)-1]-ids[0]) == len(ids)-1 {
		p.ids = nil
	}
	return p
}

// settle gives from which part on an addition of n conditions is to be joined
// with what is there.
func (x *Index) settle(n int) int {
	from := len(x.parts)
	for from > 0 && n <= smallPart {
		p := &x.parts[from-1]
		if p.live > smallPart || p.live > tier*n {
			break
		}
		n += p.live
		from--
	}
	return from
}

// remove marks conditions in x, which nobody else has yet.
func (x *Index) remove(ids []ID) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for i := range x.parts {
		p := &x.parts[i]
		k := marker{from: p.gone}
		for len(ids) > 0 && ids[0] <= p.last() {
			if n, ok := p.local(ids[0]); ok && !p.gone.has(n) {
				k.add(n, p.seg.Len())
				p.live--
				x.live--
			}
			ids = ids[1:]
		}
		p.gone = k.marks()
	}
	x.parts = slices.DeleteFunc(x.parts, func(p part) bool { return p.live == 0 })
}

// last is the greatest number of a part.
func (p *part) last() ID {
	if p.ids != nil {
		return p.ids[len(p.ids)-1]
	}
	return p.from + ID(p.seg.Len()) - 1
}

// local finds a condition of a part.
func (p *part) local(id ID) (uint32, bool) {
	if p.ids != nil {
		n, ok := slices.BinarySearch(p.ids, id)
		return uint32(n), ok
	}
	return id - p.from, id >= p.from && int(id-p.from) < p.seg.Len()
}

// id gives the number of a condition of the segment.
func (p *part) id(local uint32) ID {
	if p.ids != nil {
		return p.ids[local]
	}
	return p.from + local
}

// Match appends the conditions that hold for an event, each once, in rising
// order, as Segment.Match does.
func (x *Index) Match(sc *Scratch, ev *predicate.Event, dst []ID) []ID {
	for i := range x.parts {
		p := &x.parts[i]
		from := len(dst)
		dst = p.seg.match(sc.of(i, p.seg), ev, dst)
		to := from
		for _, n := range dst[from:] {
			if !p.gone.has(n) {
				dst[to] = p.id(n)
				to++
			}
		}
		dst = dst[:to]
	}
	if len(sc.parts) > len(x.parts) { // let go of segments that are no more
		clear(sc.parts[len(x.parts):])
		sc.parts = sc.parts[:len(x.parts)]
	}
	return dst
}

// Has reports whether a condition is in the index.
func (x *Index) Has(id ID) bool {
	_, _, ok := x.find(id)
	return ok
}

func (x *Index) find(id ID) (*part, uint32, bool) {
	for i := range x.parts {
		p := &x.parts[i]
		if n, ok := p.local(id); ok {
			return p, n, !p.gone.has(n)
		}
	}
	return nil, 0, false
}

// Place tells where a condition is filed, as Segment.Place does.
func (x *Index) Place(id ID) Placement {
	p, n, ok := x.find(id)
	if !ok {
		return Placement{}
	}
	return p.seg.Place(n)
}
