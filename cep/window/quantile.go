package window

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

const (
	// ExactQuantile is how many numbers a window may have for its quantiles to be
	// exact.
	ExactQuantile = 64
	// QuantileAccuracy is the relative error of quantiles over more numbers.
	QuantileAccuracy = 0.01

	// quantileBins bounds the sketch, per sign. 2,048 bins of 2 % each span 17
	// decades; of numbers further apart, those closest to zero fall into one bin.
	quantileBins = 2048

	// The bins of both signs, which a slice that grew may hold room for twice.
	quantilesBytes = 8*ExactQuantile + 2*2*8*quantileBins + 256
)

// quantiles keeps the numbers themselves while they are few, and a DDSketch of
// them (Masson, Rim, Lee, DDSketch, VLDB 2019) from then on. Which of the two it
// is depends on how many there are and on nothing else, and so do the bins: the
// result is the same in whatever order and grouping numbers come.
type quantiles struct {
	few     []float64
	sketch  *ddsketch.DDSketch // kept when it is empty, to be used again
	spilled bool               // whether the sketch counts
}

// binning maps numbers to bins; it has no state.
var binning = sync.OnceValue(func() mapping.IndexMapping { //nolint:gochecknoglobals // never changed
	m, err := mapping.NewLogarithmicMapping(QuantileAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant between 0 and 1
	}
	return m
})

func (q *quantiles) add(v, _ *event.Value, _ time.Time) {
	if isNumber(v) {
		q.put(v.Number())
	}
}

func (q *quantiles) put(f float64) {
	if !q.spilled {
		if len(q.few) < ExactQuantile {
			q.few = append(q.few, f)
			return
		}
		q.spill()
	}
	q.bin(f)
}

// spill moves the numbers into the sketch.
func (q *quantiles) spill() {
	q.spilled = true
	if q.sketch == nil {
		q.sketch = ddsketch.NewDDSketch(binning(), store.NewCollapsingLowestDenseStore(quantileBins), store.NewCollapsingLowestDenseStore(quantileBins))
	}
	for _, f := range q.few {
		q.bin(f)
	}
	q.few = q.few[:0]
}

// bin counts a number; what lies beyond the last bin, which is that of 1.27e308,
// counts there.
func (q *quantiles) bin(f float64) {
	limit := binning().MaxIndexableValue()
	if err := q.sketch.Add(max(-limit, min(limit, f))); err != nil {
		panic(err) // finite and within the limits, it always has a bin
	}
}

func (q *quantiles) merge(later cell) {
	o := as[*quantiles](later)
	if !o.spilled {
		for _, f := range o.few {
			q.put(f)
		}
		return
	}
	if !q.spilled {
		q.spill()
	}
	if err := q.sketch.MergeWith(o.sketch); err != nil {
		panic(err) // all sketches have the same bins
	}
}

func (q *quantiles) reset() {
	q.few = q.few[:0]
	if q.spilled {
		q.sketch.Clear()
		q.spilled = false
	}
}

// at gives the number of which the share p is not greater: the one at rank
// ⌊p·(n−1)⌋ of the sorted numbers, counted from 0.
func (q *quantiles) at(p float64) event.Value {
	if q.spilled {
		return number(q.rank(math.Floor(p * (q.sketch.GetCount() - 1))))
	}
	if len(q.few) == 0 {
		return event.Value{}
	}
	var room [ExactQuantile]float64
	sorted := append(room[:0], q.few...)
	slices.Sort(sorted)
	return number(sorted[int(p*float64(len(sorted)-1))])
}

// rank gives a number of the sketch by its rank, a whole number. The sketch's own
// GetValueAtQuantile rounds a rank between two numbers down among positive numbers
// and up among negative ones.
func (q *quantiles) rank(rank float64) float64 {
	below, zeros := q.sketch.GetNegativeValueStore(), q.sketch.GetZeroCount()
	negative := below.TotalCount()
	switch {
	case rank < negative:
		return -binning().Value(below.KeyAtRank(negative - 1 - rank))
	case rank < negative+zeros:
		return 0
	default:
		return binning().Value(q.sketch.GetPositiveValueStore().KeyAtRank(rank - negative - zeros))
	}
}

func (q *quantiles) append(dst []byte) []byte {
	if !q.spilled {
		dst = codec.AppendUint(dst, uint64(len(q.few)))
		return appendFloats(dst, q.few...)
	}
	dst = codec.AppendUint(dst, ExactQuantile+1)
	dst = codec.AppendUint(dst, uint64(q.sketch.GetZeroCount()))
	dst = appendBins(dst, q.sketch.GetNegativeValueStore())
	return appendBins(dst, q.sketch.GetPositiveValueStore())
}

func appendBins(dst []byte, s store.Store) []byte {
	var n uint64
	s.ForEach(func(int, float64) bool { n++; return false })
	dst = codec.AppendUint(dst, n)
	s.ForEach(func(index int, count float64) bool {
		dst = codec.AppendUint(codec.AppendUint(dst, uint64(index+binShift)), uint64(count))
		return false
	})
	return dst
}

// binShift makes the numbers of bins positive; those of doubles lie within it.
const binShift = 1 << 16

func (q *quantiles) restore(r *codec.Reader) {
	n := r.Int(ExactQuantile + 1)
	if n <= ExactQuantile {
		for range n {
			f := r.Float()
			r.Check(f-f == 0, "a number that is not finite")
			q.few = append(q.few, f)
		}
		return
	}
	q.spill()
	zeros := r.Int(maxEvents)
	if err := q.sketch.AddWithCount(0, float64(zeros)); err != nil {
		r.Fail("%v", err)
	}
	restoreBins(r, q.sketch.GetNegativeValueStore())
	restoreBins(r, q.sketch.GetPositiveValueStore())
	r.Check(q.sketch.GetCount() > ExactQuantile, "a sketch of too few numbers")
}

func restoreBins(r *codec.Reader, s store.Store) {
	least, most := binning().Index(binning().MinIndexableValue()), binning().Index(binning().MaxIndexableValue())
	first, last := 0, least-1
	for i := range r.Len(quantileBins) {
		index, count := r.Int(2*binShift)-binShift, r.Int(maxEvents)
		if i == 0 {
			first = index
		}
		if index <= last || index > most || index-first >= quantileBins || count == 0 {
			r.Fail("bins that cannot be")
			return
		}
		s.AddWithCount(index, float64(count))
		last = index
	}
}
