package predicate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// folder is an Env that knows the folds it was made for.
type folder struct {
	bound
	folds map[Fold]Folded
}

func (f folder) Folded(fold Fold) (Folded, bool) {
	so, ok := f.folds[fold]
	return so, ok
}

// folding binds events anew, one after the other, keeping what cond asks for.
func folding(cond *Cond, events bound) folder {
	f := folder{make(bound, len(events)), make(map[Fold]Folded)}
	for _, fold := range cond.Folds() {
		f.folds[fold] = Folded{}
	}
	for elem, list := range events {
		for _, ev := range list {
			ev = &Event{Ev: ev.Ev}
			for _, field := range cond.BoundFields() {
				if field.Elem == elem {
					ev.Keep(field.Path, ev.Ev.Get(field.Path))
				}
			}
			f.bound[elem] = append(f.bound[elem], ev)
			for fold, so := range f.folds {
				if fold.Elem == elem {
					f.folds[fold] = fold.Add(so, ev)
				}
			}
		}
	}
	return f
}

// drawNumber gives numbers whose sums depend on the order they are added in, and
// reach infinity and what is no number.
func drawNumber(t *rapid.T) float64 {
	return rapid.OneOf(
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.1, 1e16, -1e16, 1, math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}),
		rapid.Float64(),
	).Draw(t, "number")
}

// drawField gives a value that an aggregate may meet.
func drawField(t *rapid.T) event.Value {
	if rapid.IntRange(0, 9).Draw(t, "kind") > 0 {
		return event.NumberValue(drawNumber(t))
	}
	return rapid.SampledFrom([]event.Value{
		{}, event.NullValue(), event.BoolValue(true), event.BoolValue(false), event.StringValue("b"), event.StringValue("a"), event.RawValue([]byte("[1]")),
	}).Draw(t, "other")
}

// What a fold has come to after every event is what listing the events gives, bit
// by bit: sums in the same order, minima and maxima among what has no order, one
// value that is missing among many.
func TestFoldsEqualLists(t *testing.T) {
	path := event.PathOf("data", "x")
	rapid.Check(t, func(t *rapid.T) {
		kind := drawField(t).Kind() // most lists are of one kind
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Value {
			if v := drawField(t); v.Kind() == kind || rapid.IntRange(0, 20).Draw(t, "odd") == 0 {
				return v
			}
			return event.NumberValue(drawNumber(t))
		}), 0, 30).Draw(t, "values")
		var list []*Event
		for _, agg := range []aggregate{aggSum, aggAvg, aggMin, aggMax} {
			n := &aggregateValue{agg: agg, field: field{path: path}}
			list = list[:0]
			so, first := Folded{}, Folded{}
			for i := 0; ; i++ {
				f := folder{bound{list}, map[Fold]Folded{n.fold(): so, FirstOf(0): first}}
				want, got := n.eval(nil, bound{list}), n.eval(nil, f)
				require.True(t, want == got, "%s of %v: %v, listed %v", agg, values[:i], got, want) //nolint:testifylint // bit by bit, NaN included
				if i == len(values) {
					break
				}
				ev := &Event{Ev: &event.Event{}}
				ev.Keep(path, values[i])
				list = append(list, ev)
				so, first = n.fold().Add(so, ev), FirstOf(0).Add(first, ev)
			}
		}
	})
}

// What a condition asks of bound events is told, each once.
func TestFoldsAndFieldsOfConditions(t *testing.T) {
	x := event.PathOf("data", "x")
	sum := Fold{Elem: 1, Path: x, kind: foldSum}
	for _, tt := range []struct {
		cond   string
		folds  []Fold
		fields []BoundField
	}{
		{`data.x > 1`, nil, nil},
		{`data.x == one.data.x`, []Fold{FirstOf(0)}, []BoundField{{0, x}}},
		{`last(many).data.x == 1 && many[0].data.x == 2 && many[2].data.x == 3`, []Fold{LastOf(1), FirstOf(1)}, []BoundField{{1, x}}},
		{`count(many) > 2 && count(many) < 9`, []Fold{FirstOf(1)}, nil},
		{`sum(many.data.x) > avg(many.data.x)`, []Fold{sum, FirstOf(1)}, []BoundField{{1, x}}},
		{`min(many.data.x) < max(here.data.x)`, []Fold{{1, x, foldMin}, {3, x, foldMax}}, []BoundField{{1, x}, {3, x}}},
		{`many.exists(e, e.data.x == 1)`, nil, nil},
	} {
		cond, err := NewSet().Add(randomScope(), tt.cond, yamldoc.Pos{})
		require.NoError(t, err)
		assert.Equal(t, tt.folds, cond.Folds(), tt.cond)
		assert.Equal(t, tt.fields, cond.BoundFields(), tt.cond)
	}
}

// What an event keeps is its own: buffers it was read from may be written over.
func TestKeptFieldsAreCopies(t *testing.T) {
	for _, text := range []string{`"short"`, `"` + fmt.Sprintf("%070d", 1) + `"`, `[1,2,3]`, `{"a":{"b":1}}`, `12`, `null`} {
		buf := fmt.Appendf(nil, `{"x":%s}`, text)
		ev := &Event{Ev: &event.Event{Data: slices.Clone(buf)}}
		read := event.Event{Data: buf}
		ev.Keep(event.PathOf("data", "x"), read.Get(event.PathOf("data", "x")))
		clear(buf)
		require.NotNil(t, ev.kept)
		assert.Equal(t, text, string(ev.kept.value.AppendJSON(nil)))
	}
}

// An event keeps no more than a few fields, however many rules ask for others.
func TestKeptFieldsAreBounded(t *testing.T) {
	ev := &Event{Ev: &event.Event{Data: []byte(`{}`)}}
	for i := range 100 {
		ev.Keep(event.PathOf("data", fmt.Sprint(i)), event.NumberValue(float64(i)))
		ev.Keep(event.PathOf("type"), event.StringValue("t"))
	}
	n := 0
	for k := ev.kept; k != nil; k = k.next {
		n++
	}
	assert.Equal(t, maxKept, n)
	assert.InDelta(t, 3, ev.value(event.PathOf("data", "3")).Number(), 0)
	assert.Equal(t, event.Missing, ev.value(event.PathOf("data", "99")).Kind())
}
