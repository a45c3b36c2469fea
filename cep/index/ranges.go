package index

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
)

// rangeTable finds the intervals that a field's value lies in. The bounds cut the
// line into elementary segments, numbered from left to right: 2i+1 is bound i
// itself, 2i what lies between it and the one before. Intervals over these
// numbers stand in order of where they begin; above them stands a tree of the
// furthest ends, sixteen children to a node, by which a search descends only to
// intervals that hold. That takes O(log n + k log n) steps for k hits, and much
// fewer when the hits are neighbours.
type rangeTable struct {
	field uint32
	kind  event.Kind
	fold  bool

	nums []uint64 // bounds: numbers, or two words for each time
	strs []uint32 // bounds: where texts stand

	lo, hi []uint32 // first and last elementary segment, both included
	posts  []uint32
	tree   []uint32 // maxima of hi by sixteens, then of those, and so on
	levels []uint32 // where in tree each level begins
}

const fan = 16

// last is the elementary segment of intervals without upper end.
const last = math.MaxUint32

// interval is what a rangeTable is built of.
type interval struct {
	lo, hi uint32 // atoms; none for no bound
	post   uint32
}

// bounds is the number of bounds.
func (r *rangeTable) bounds() int {
	switch r.kind {
	case event.String:
		return len(r.strs)
	case event.Time:
		return len(r.nums) / 2
	default:
		return len(r.nums)
	}
}

// position gives the elementary segment of a value of the table's kind.
func (s *Segment) position(r *rangeTable, v event.Value) uint32 {
	n := r.bounds()
	if v.Kind() == event.Number {
		return numberPosition(r.nums, v.Number())
	}
	i, found := sort.Find(n, func(i int) int { return s.compareBound(r, v, i) })
	return segmentOf(i, found)
}

func segmentOf(i int, found bool) uint32 {
	if found {
		return uint32(2*i + 1)
	}
	return uint32(2 * i)
}

func numberPosition(nums []uint64, x float64) uint32 {
	lo, hi := 0, len(nums)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if math.Float64frombits(nums[mid]) < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return segmentOf(lo, lo < len(nums) && math.Float64frombits(nums[lo]) == x)
}

func (s *Segment) compareBound(r *rangeTable, v event.Value, i int) int {
	switch r.kind {
	case event.String:
		return strings.Compare(v.Str(), s.str(r.strs[i]))
	case event.Time:
		sec, nanos := timeWords(v)
		return cmp.Or(cmp.Compare(int64(sec), int64(r.nums[2*i])), cmp.Compare(nanos, r.nums[2*i+1]))
	default: // booleans
		x := uint64(0)
		if v.Bool() {
			x = 1
		}
		return cmp.Compare(x, r.nums[i])
	}
}

// bound gives a bound as a value.
func (s *Segment) bound(r *rangeTable, i int) event.Value {
	switch r.kind {
	case event.String:
		return event.StringValue(s.str(r.strs[i]))
	case event.Number:
		return event.NumberValue(math.Float64frombits(r.nums[i]))
	case event.Time:
		return event.TimeValue(time.Unix(int64(r.nums[2*i]), int64(r.nums[2*i+1])))
	default:
		return event.BoolValue(r.nums[i] != 0)
	}
}

// makeRange builds the table of intervals over one field and kind. Intervals are
// the same at most once.
func (s *Segment) makeRange(f uint32, kind event.Kind, fold bool, list []interval) rangeTable {
	r := rangeTable{field: f, kind: kind, fold: fold}
	s.setBounds(&r, list)
	spans := make([]span, 0, len(list))
	for _, v := range list {
		sp := span{0, last, v.post}
		if v.lo != none {
			sp.lo = s.position(&r, s.constant(v.lo))
			if headOp(s.heads[v.lo]) == opGt {
				sp.lo++
			}
		}
		if v.hi != none {
			sp.hi = s.position(&r, s.constant(v.hi))
			if headOp(s.heads[v.hi]) == opLt {
				sp.hi--
			}
		}
		if sp.lo <= sp.hi { // an empty interval is met by nothing
			spans = append(spans, sp)
		}
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Or(cmp.Compare(x.lo, y.lo), cmp.Compare(y.hi, x.hi)) })
	r.lo, r.hi, r.posts = make([]uint32, len(spans)), make([]uint32, len(spans)), make([]uint32, len(spans))
	for i, sp := range spans {
		r.lo[i], r.hi[i], r.posts[i] = sp.lo, sp.hi, sp.post
	}
	r.grow()
	return r
}

type span struct{ lo, hi, post uint32 }

// setBounds collects the distinct bounds in order.
func (s *Segment) setBounds(r *rangeTable, list []interval) {
	atoms := make([]uint32, 0, 2*len(list))
	for _, v := range list {
		for _, a := range []uint32{v.lo, v.hi} {
			if a != none {
				atoms = append(atoms, a)
			}
		}
	}
	if r.kind == event.Number {
		r.nums = s.numberBounds(atoms)
		return
	}
	slices.SortFunc(atoms, func(x, y uint32) int { return s.compare(s.constant(x), y) })
	atoms = slices.CompactFunc(atoms, func(x, y uint32) bool { return s.compare(s.constant(x), y) == 0 })
	for _, a := range atoms {
		switch arg := s.args[a]; r.kind {
		case event.String:
			r.strs = append(r.strs, arg)
		case event.Time:
			r.nums = append(r.nums, s.nums[arg], s.nums[arg+1])
		default:
			r.nums = append(r.nums, uint64(arg))
		}
	}
	r.nums, r.strs = exact(r.nums), exact(r.strs)
}

// numberBounds is the common case: the distinct constants of atoms in order.
func (s *Segment) numberBounds(atoms []uint32) []uint64 {
	list := make([]float64, len(atoms))
	for i, a := range atoms {
		list[i] = math.Float64frombits(s.nums[s.args[a]])
	}
	slices.Sort(list)
	list = slices.Compact(list)
	out := make([]uint64, len(list))
	for i, x := range list {
		out[i] = math.Float64bits(x)
	}
	return out
}

// grow builds the tree of furthest ends.
func (r *rangeTable) grow() {
	below := r.hi
	for len(below) > fan {
		from := len(r.tree)
		r.levels = append(r.levels, uint32(from))
		for i := 0; i < len(below); i += fan {
			r.tree = append(r.tree, slices.Max(below[i:min(i+fan, len(below))]))
		}
		below = r.tree[from:len(r.tree):len(r.tree)]
	}
	r.tree, r.levels = exact(r.tree), exact(r.levels)
}

// level gives the ends at a height: 0 are the intervals' own.
func (r *rangeTable) level(height int) []uint32 {
	switch {
	case height == 0:
		return r.hi
	case height == len(r.levels):
		return r.tree[r.levels[height-1]:]
	}
	return r.tree[r.levels[height-1]:r.levels[height]]
}

// stab appends the postings of the intervals that hold the position.
func (r *rangeTable) stab(at uint32, m *matching) {
	// Those that begin at or before it.
	n := sort.Search(len(r.lo), func(i int) bool { return r.lo[i] > at })
	r.descend(len(r.levels), 0, n, at, m)
}

// descend visits one group of siblings, which begins at from, as far as it has
// intervals among the first n.
func (r *rangeTable) descend(height, from, n int, at uint32, m *matching) {
	ends := r.level(height)
	width := 1 << (4 * height) // intervals below each sibling
	for i := from; i < min(from+fan, len(ends)) && i*width < n; i++ {
		switch {
		case ends[i] < at:
		case height == 0:
			m.post(r.posts[i])
		default:
			r.descend(height-1, i*fan, n, at, m)
		}
	}
}

func (r *rangeTable) bytes() int {
	return 8*len(r.nums) + 4*(len(r.strs)+len(r.lo)+len(r.hi)+len(r.posts)+len(r.tree)+len(r.levels))
}

// exact gives a slice memory of just its length.
func exact[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)), list...)
}
