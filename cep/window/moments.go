package window

import (
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// Products are converted to float64 before they are added to something: the
// compiler may otherwise fuse the two on some processors, and the same log would
// give another last digit there.

// total is a sum in twice the precision of a double: hi + lo, with the rounding
// error of every addition kept in lo (TwoSum: Knuth, The Art of Computer
// Programming 2, 4.2.2). Panes can then be merged in any grouping and give the
// same sum, but for the rarest last digit.
type total struct{ hi, lo float64 }

func (t *total) add(x float64) {
	sum := t.hi + x
	b := sum - t.hi
	t.lo += (t.hi - (sum - b)) + (x - b)
	t.hi = sum
}

func (t *total) merge(o total) {
	t.add(o.hi)
	t.lo += o.lo
}

func (t *total) value() float64 { return t.hi + t.lo }

// moments keeps count, sum, mean and the sum of squared differences from the
// mean, added to by Welford's method and merged by that of Chan, Golub and
// LeVeque (Updating formulae and a pairwise algorithm for computing sample
// variances, 1979): neither subtracts large squares from each other.
type moments struct {
	n        int
	sum      total
	mean, m2 float64
}

func (m *moments) add(v, _ *event.Value, _ time.Time) {
	if !isNumber(v) {
		return
	}
	x := v.Number()
	m.n++
	m.sum.add(x)
	d := x - m.mean
	m.mean += d / float64(m.n)
	m.m2 += float64(d * (x - m.mean))
}

func (m *moments) merge(later cell) {
	o := as[*moments](later)
	switch {
	case o.n == 0:
	case m.n == 0:
		*m = *o
	default:
		n, b := float64(m.n+o.n), float64(o.n)
		d := o.mean - m.mean
		m.m2 += o.m2 + float64(d*d*(float64(m.n)*b/n))
		m.mean += float64(d * (b / n))
		m.sum.merge(o.sum)
		m.n += o.n
	}
}

func (m *moments) reset() { *m = moments{} }

func (m *moments) append(dst []byte) []byte {
	dst = codec.AppendUint(dst, uint64(m.n))
	if m.n == 0 {
		return dst
	}
	return appendFloats(dst, m.sum.hi, m.sum.lo, m.mean, m.m2)
}

func (m *moments) restore(r *codec.Reader) {
	if m.n = r.Int(maxEvents); m.n > 0 {
		readFloats(r, &m.sum.hi, &m.sum.lo, &m.mean, &m.m2)
	}
}

func appendFloats(dst []byte, fs ...float64) []byte {
	for _, f := range fs {
		dst = codec.AppendFloat(dst, f)
	}
	return dst
}

func readFloats(r *codec.Reader, fs ...*float64) {
	for _, f := range fs {
		*f = r.Float()
	}
}

// pair keeps the moments of two numbers of an event together.
type pair struct {
	n             int
	x, y          float64 // means
	mxx, mxy, myy float64 // sums of products of differences from the means
}

func (p *pair) add(a, b *event.Value, _ time.Time) {
	if isNumber(a) && isNumber(b) {
		p.put(a.Number(), b.Number())
	}
}

func (p *pair) put(x, y float64) {
	p.n++
	n := float64(p.n)
	dx, dy := x-p.x, y-p.y
	p.x += dx / n
	p.y += dy / n
	p.mxx += float64(dx * (x - p.x))
	p.mxy += float64(dx * (y - p.y))
	p.myy += float64(dy * (y - p.y))
}

func (p *pair) merge(later cell) { p.join(as[*pair](later)) }

func (p *pair) join(o *pair) {
	switch {
	case o.n == 0:
	case p.n == 0:
		*p = *o
	default:
		n, b := float64(p.n+o.n), float64(o.n)
		w := float64(p.n) * b / n
		dx, dy := o.x-p.x, o.y-p.y
		p.mxx += o.mxx + float64(dx*dx*w)
		p.mxy += o.mxy + float64(dx*dy*w)
		p.myy += o.myy + float64(dy*dy*w)
		p.x += float64(dx * (b / n))
		p.y += float64(dy * (b / n))
		p.n += o.n
	}
}

func (p *pair) reset() { *p = pair{} }

func (p *pair) append(dst []byte) []byte {
	dst = codec.AppendUint(dst, uint64(p.n))
	if p.n == 0 {
		return dst
	}
	return appendFloats(dst, p.x, p.y, p.mxx, p.mxy, p.myy)
}

func (p *pair) restore(r *codec.Reader) {
	if p.n = r.Int(maxEvents); p.n > 0 {
		readFloats(r, &p.x, &p.y, &p.mxx, &p.mxy, &p.myy)
	}
}

// trend keeps the moments of a number and the time it came at, in seconds since
// the first that came. The slope does not depend on where time is counted from;
// counted from 1970, a double would resolve it no finer than a tenth of a
// microsecond, and its square not at all.
type trend struct {
	base     time.Time // of the first number
	n        int
	t, x     float64 // means
	mtt, mtx float64 // sums of products of differences from the means
}

func (t *trend) add(v, _ *event.Value, at time.Time) {
	if !isNumber(v) {
		return
	}
	if t.n == 0 {
		t.base = at
	}
	t.n++
	sec, x := at.Sub(t.base).Seconds(), v.Number()
	dt, dx := sec-t.t, x-t.x
	t.t += dt / float64(t.n)
	t.x += dx / float64(t.n)
	t.mtt += float64(dt * (sec - t.t))
	t.mtx += float64(dt * (x - t.x))
}

func (t *trend) merge(later cell) {
	o := as[*trend](later)
	switch {
	case o.n == 0:
	case t.n == 0:
		*t = *o
	default:
		n, b := float64(t.n+o.n), float64(o.n)
		w := float64(t.n) * b / n
		dt, dx := o.base.Sub(t.base).Seconds()+o.t-t.t, o.x-t.x
		t.mtt += o.mtt + float64(dt*dt*w)
		t.mtx += o.mtx + float64(dt*dx*w)
		t.t += float64(dt * (b / n))
		t.x += float64(dx * (b / n))
		t.n += o.n
	}
}

func (t *trend) reset() { *t = trend{} }

func (t *trend) append(dst []byte) []byte {
	dst = codec.AppendUint(dst, uint64(t.n))
	if t.n == 0 {
		return dst
	}
	return appendFloats(codec.AppendTime(dst, t.base), t.t, t.x, t.mtt, t.mtx)
}

func (t *trend) restore(r *codec.Reader) {
	if t.n = r.Int(maxEvents); t.n > 0 {
		t.base = r.Time()
		readFloats(r, &t.t, &t.x, &t.mtt, &t.mtx)
	}
}
