package window

import (
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// partial is what is kept of a stretch of events: of a window, of a pane of one,
// or of several panes in a row.
type partial struct {
	from        time.Time // where the pane starts; of sliding windows only
	begin, end  time.Time // of the first and the last event
	first, last uint64    // orders of the first and the last event
	n, ignored  int
	cells       []cell
}

// empty makes a partial that holds nothing.
func (p *Plan) empty() *partial {
	pt := &partial{cells: make([]cell, len(p.cells))}
	for i := range p.cells {
		pt.cells[i] = p.cells[i].new()
	}
	return pt
}

// add takes an event that comes after all before.
func (pt *partial) add(p *Plan, at time.Time, values []event.Value, order uint64) {
	if pt.n == 0 {
		pt.begin, pt.first = at, order
	}
	pt.n++
	pt.end, pt.last = at, order
	for i, needs := range p.needs {
		if needs != 0 && isPresent(&values[i]) && !needs.meets(&values[i]) {
			pt.ignored++
		}
	}
	for i := range p.cells {
		spec := &p.cells[i]
		pt.cells[i].add(&values[spec.x], &values[spec.y], at)
	}
}

// merge adds what came after all that pt holds; pt keeps its own start.
func (pt *partial) merge(later *partial) {
	if later.n == 0 {
		return
	}
	if pt.n == 0 {
		pt.begin, pt.first = later.begin, later.first
	}
	pt.end, pt.last = later.end, later.last
	pt.n += later.n
	pt.ignored += later.ignored
	for i, c := range pt.cells {
		c.merge(later.cells[i])
	}
}

// reset forgets everything, and keeps the memory.
func (pt *partial) reset() {
	cells := pt.cells
	*pt = partial{cells: cells}
	for _, c := range cells {
		c.reset()
	}
}

// result reads the aggregates of a window.
func (p *Plan) result(pt *partial, from, to time.Time) Result {
	r := Result{From: from, To: to, N: pt.n, Ignored: pt.ignored, First: pt.first, Last: pt.last}
	w := whole{n: pt.n, length: to.Sub(from)}
	r.Values = make([]event.Value, len(p.lets))
	for i := range p.lets {
		l := &p.lets[i]
		var c cell
		if l.cell >= 0 {
			c = pt.cells[l.cell]
		}
		r.Values[i] = l.read(c, l.num, &w)
	}
	return r
}

func (pt *partial) append(dst []byte) []byte {
	dst = codec.AppendUint(codec.AppendUint(dst, uint64(pt.n)), uint64(pt.ignored))
	dst = codec.AppendUint(codec.AppendUint(dst, pt.first), pt.last)
	dst = codec.AppendTime(codec.AppendTime(dst, pt.begin), pt.end)
	for _, c := range pt.cells {
		dst = c.append(dst)
	}
	return dst
}

// readPartial reads what append wrote, which is never of nothing.
func (p *Plan) readPartial(r *codec.Reader) *partial {
	pt := p.empty()
	pt.n, pt.ignored = r.Int(maxEvents), r.Int(maxEvents)
	pt.first, pt.last = r.Uint(), r.Uint()
	pt.begin, pt.end = r.Time(), r.Time()
	r.Check(pt.n > 0 && !pt.end.Before(pt.begin), "a window without events")
	for _, c := range pt.cells {
		if r.Err() != nil {
			break
		}
		c.restore(r)
	}
	return pt
}
