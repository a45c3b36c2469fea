package window

import (
	"slices"
	"time"

	"github.com/axiomhq/hyperloglog"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

const (
	// ExactDistinct is how many different values a window may have for their
	// number to be exact.
	ExactDistinct = 1024

	// hllPrecision gives 2^14 registers of a byte: a standard error of 0.81 %.
	hllPrecision = 14

	distinctBytes = 2*8*ExactDistinct + 1<<hllPrecision + 256
)

// distinct counts different values: exactly, by a sorted list of their hashes,
// while they are few, and by a HyperLogLog (Flajolet and others, 2007, with the
// bias correction of LogLog-Beta) from then on. The HyperLogLog is dense from the
// start: its registers are the same in whatever order values come, and its bytes
// too.
type distinct struct {
	few    []uint64 // sorted
	sketch *hyperloglog.Sketch
	dense  bool   // whether the sketch counts
	key    []byte // room for a key
	union  []uint64
}

func (d *distinct) add(v, _ *event.Value, _ time.Time) {
	if isPresent(v) {
		d.key = appendKey(d.key[:0], v)
		d.put(hashKey(d.key))
		if cap(d.key) > maxKey {
			d.key = nil // one large value shall not hold its memory
		}
	}
}

func (d *distinct) put(hash uint64) {
	if !d.dense {
		i, found := slices.BinarySearch(d.few, hash)
		if found {
			return
		}
		if len(d.few) < ExactDistinct {
			d.few = slices.Insert(d.few, i, hash)
			return
		}
		d.spill()
	}
	d.sketch.InsertHash(hash)
}

// spill moves the hashes into the sketch.
func (d *distinct) spill() {
	d.dense = true
	if d.sketch == nil {
		d.sketch = newSketch()
	}
	for _, h := range d.few {
		d.sketch.InsertHash(h)
	}
	d.few = d.few[:0]
}

func newSketch() *hyperloglog.Sketch {
	s, err := hyperloglog.NewSketch(hllPrecision, false)
	if err != nil {
		panic(err) // the precision is a constant it takes
	}
	return s
}

func (d *distinct) merge(later cell) {
	o := as[*distinct](later)
	switch {
	case o.dense:
		if !d.dense {
			d.spill()
		}
		if err := d.sketch.Merge(o.sketch); err != nil {
			panic(err) // all sketches have the same precision
		}
	case !d.dense && len(o.few) > 8:
		d.unite(o.few)
	default:
		for _, h := range o.few {
			d.put(h)
		}
	}
}

// unite merges two sorted lists in one pass.
func (d *distinct) unite(more []uint64) {
	all, few := d.union[:0], d.few
	for len(few) > 0 && len(more) > 0 {
		h := min(few[0], more[0])
		all = append(all, h)
		if few[0] == h {
			few = few[1:]
		}
		if more[0] == h {
			more = more[1:]
		}
	}
	all = append(append(all, few...), more...)
	d.few, d.union = all, d.few
	if len(d.few) > ExactDistinct {
		d.spill()
	}
}

func (d *distinct) count() uint64 {
	if d.dense {
		return d.sketch.Estimate()
	}
	return uint64(len(d.few))
}

func (d *distinct) reset() {
	d.few = d.few[:0]
	if d.dense {
		d.sketch.Reset()
		d.dense = false
	}
}

func (d *distinct) append(dst []byte) []byte {
	if !d.dense {
		dst = codec.AppendUint(dst, uint64(len(d.few)))
		var last uint64
		for _, h := range d.few { // differences of sorted hashes are shorter
			dst = codec.AppendUint(dst, h-last)
			last = h
		}
		return dst
	}
	b, err := d.sketch.MarshalBinary()
	if err != nil {
		panic(err) // a sketch with a precision can always be written
	}
	return codec.AppendText(codec.AppendUint(dst, ExactDistinct+1), b)
}

func (d *distinct) restore(r *codec.Reader) {
	n := r.Int(ExactDistinct + 1)
	if n <= ExactDistinct {
		var last uint64
		for i := range n {
			h := last + r.Uint()
			if i > 0 && h <= last {
				r.Fail("hashes that are not in order")
				return
			}
			d.few, last = append(d.few, h), h
		}
		return
	}
	d.dense, d.sketch = true, newSketch()
	var s hyperloglog.Sketch
	if err := s.UnmarshalBinary(r.Text(1<<hllPrecision + 64)); err != nil {
		r.Fail("%v", err)
	} else if err := d.sketch.Merge(&s); err != nil { // takes the same precision only
		r.Fail("%v", err)
	}
}
