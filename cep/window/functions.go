package window

import (
	"math"
	"time"

	"github.com/rhost/rhost/event"
)

// MaxTop bounds how many values topk gives.
const MaxTop = 100

// function is an aggregate: what it takes, what it keeps, and how its value is
// read from that.
type function struct {
	name     string
	example  string
	paths    int
	optional bool                   // the path may be left out; nothing is then kept
	number   func(f float64) string // says what is wrong with the number behind the paths
	cell     cellKind
	needs    need // of the values of its paths
	read     func(c cell, num float64, w *whole) event.Value
}

// whole is what concerns the window and not one path.
type whole struct {
	n      int
	length time.Duration
}

// takes says what arguments the function has.
func (f *function) takes() string {
	switch {
	case f.optional:
		return "one path or nothing"
	case f.number != nil:
		return "a path and a number"
	case f.paths == 2:
		return "two paths"
	default:
		return "one path"
	}
}

// functions are the aggregates, in the order in which people hear of them.
func functions() []function {
	return []function{
		{name: "count", example: "count()", paths: 1, optional: true, cell: tallyCell, read: readCount},
		{name: "sum", example: "sum(data.bytes)", paths: 1, cell: momentsCell, needs: needNumber, read: readSum},
		{name: "avg", example: "avg(data.ms)", paths: 1, cell: momentsCell, needs: needNumber, read: readAvg},
		{name: "min", example: "min(data.ms)", paths: 1, cell: extremesCell, needs: needOrder | needShort, read: readMin},
		{name: "max", example: "max(data.ms)", paths: 1, cell: extremesCell, needs: needOrder | needShort, read: readMax},
		{name: "quantile", example: "quantile(data.ms, 0.99)", paths: 1, number: checkQuantile, cell: quantilesCell, needs: needNumber, read: readQuantile},
		{name: "distinct", example: "distinct(data.user)", paths: 1, cell: distinctCell, read: readDistinct},
		{name: "topk", example: "topk(data.user, 5)", paths: 1, number: checkTop, cell: topCell, needs: needShort, read: readTop},
		{name: "stddev", example: "stddev(data.ms)", paths: 1, cell: momentsCell, needs: needNumber, read: readDeviation},
		{name: "slope", example: "slope(data.ms)", paths: 1, cell: trendCell, needs: needNumber, read: readSlope},
		{name: "rate", example: "rate(data.total)", paths: 1, optional: true, cell: spanCell, needs: needNumber, read: readRate},
		{name: "delta", example: "delta(data.total)", paths: 1, cell: spanCell, needs: needNumber, read: readDelta},
		{name: "corr", example: "corr(data.x, data.y)", paths: 2, cell: pairCell, needs: needNumber, read: readCorr},
		{name: "first", example: "first(data.user)", paths: 1, cell: endsCell, needs: needShort, read: readFirst},
		{name: "last", example: "last(data.user)", paths: 1, cell: endsCell, needs: needShort, read: readLast},
	}
}

func functionOf(name string) *function {
	for _, f := range functions() {
		if f.name == name {
			return &f
		}
	}
	return nil
}

func functionNames() []string {
	var names []string
	for _, f := range functions() {
		names = append(names, f.name)
	}
	return names
}

func checkQuantile(f float64) string {
	if f < 0 || f > 1 {
		return "a quantile is a number from 0 to 1"
	}
	return ""
}

func checkTop(f float64) string {
	if f < 1 || f > MaxTop || f != math.Trunc(f) {
		return "topk gives a whole number of values, from 1 to 100"
	}
	return ""
}

// number is f, unless it went beyond what a double can hold.
func number(f float64) event.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return event.Value{}
	}
	return event.NumberValue(f)
}

// perSecond divides by a time.
func perSecond(f float64, d time.Duration) event.Value {
	if d <= 0 {
		return event.Value{}
	}
	return number(f / d.Seconds())
}

func readCount(c cell, _ float64, w *whole) event.Value {
	if c == nil {
		return event.NumberValue(float64(w.n))
	}
	return event.NumberValue(float64(as[*tally](c).n))
}

func readSum(c cell, _ float64, _ *whole) event.Value { return number(as[*moments](c).sum.value()) }

func readAvg(c cell, _ float64, _ *whole) event.Value {
	m := as[*moments](c)
	if m.n == 0 {
		return event.Value{}
	}
	return number(m.sum.value() / float64(m.n))
}

func readDeviation(c cell, _ float64, _ *whole) event.Value {
	m := as[*moments](c)
	if m.n < 2 {
		return event.Value{}
	}
	return number(math.Sqrt(m.m2 / float64(m.n-1)))
}

func readMin(c cell, _ float64, _ *whole) event.Value { return as[*extremes](c).low.value() }
func readMax(c cell, _ float64, _ *whole) event.Value { return as[*extremes](c).high.value() }

func readFirst(c cell, _ float64, _ *whole) event.Value { return as[*ends](c).first.value() }
func readLast(c cell, _ float64, _ *whole) event.Value  { return as[*ends](c).last.value() }

func readQuantile(c cell, q float64, _ *whole) event.Value { return as[*quantiles](c).at(q) }

func readDistinct(c cell, _ float64, _ *whole) event.Value {
	return event.NumberValue(float64(as[*distinct](c).count()))
}

func readTop(c cell, k float64, _ *whole) event.Value { return as[*top](c).list(int(k)) }

func readSlope(c cell, _ float64, _ *whole) event.Value {
	t := as[*trend](c)
	if t.n < 2 || t.mtt <= 0 {
		return event.Value{}
	}
	return number(t.mtx / t.mtt)
}

func readDelta(c cell, _ float64, _ *whole) event.Value {
	s := as[*span](c)
	if s.n == 0 {
		return event.Value{}
	}
	return number(s.last - s.first)
}

func readRate(c cell, _ float64, w *whole) event.Value {
	if c == nil {
		return perSecond(float64(w.n), w.length)
	}
	s := as[*span](c)
	if s.n < 2 {
		return event.Value{}
	}
	return perSecond(s.last-s.first, s.end.Sub(s.begin))
}

func readCorr(c cell, _ float64, _ *whole) event.Value {
	p := as[*pair](c)
	if p.n < 2 || p.mxx <= 0 || p.myy <= 0 {
		return event.Value{}
	}
	// Each root apart: the product of two small variances could vanish.
	r := p.mxy / math.Sqrt(p.mxx) / math.Sqrt(p.myy)
	return number(max(-1, min(1, r)))
}
