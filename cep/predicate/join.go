package predicate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/rhost/rhost/event"
)

// Join is an equality that a condition needs: field Field of the event under
// test equals field ElemField of the first or the last event bound to element
// Elem. Where one of them is missing, or no event is bound, the condition is not
// true. An engine that files its runs by AppendKey of the element's value finds
// with that of the event the only runs for which the condition can be true.
type Join struct {
	Field     int  // index in Set.Paths, of the event under test
	Elem      int  // index in Scope.Elements
	Part      Part // PartFirst or PartLast
	ElemField int  // index in Set.Paths, of the bound event

	Path, ElemPath event.Path // of Field and ElemField
}

// Value gives the side of the event under test; Missing if there is none.
func (j Join) Value(ev *Event) event.Value {
	f := field{j.Field, j.Path}
	return f.of(ev)
}

// ElemValue gives the other side from the first or last event that is bound to
// the element.
func (j Join) ElemValue(bound *Event) event.Value {
	f := field{j.ElemField, j.ElemPath}
	return f.of(bound)
}

// Joins gives the equalities that stand at the top of the condition, alone or
// joined with && to the rest, each once: data.a == e.data.b either way round,
// where e may also be first(e), last(e) or e[0].
func (c *Cond) Joins() []Join { return joins(c.root, nil) }

func joins(t truth, out []Join) []Join {
	switch t := t.(type) {
	case *andNode:
		for _, k := range t.kids {
			out = joins(k, out)
		}
	case *relateNode:
		l, ok := t.l.(*fieldRef)
		r, ok2 := t.r.(*fieldRef)
		if !ok || !ok2 || t.op != OpEq {
			return out
		}
		if l.whose != underTest {
			l, r = r, l
		}
		part, ok := r.end()
		if !ok || l.whose != underTest {
			return out
		}
		j := Join{l.field.index, r.elem, part, r.field.index, l.field.path, r.field.path}
		if !slices.Contains(out, j) {
			out = append(out, j)
		}
	default:
	}
	return out
}

// end says whether a field is of the first or of the last event bound to an
// element.
func (r *fieldRef) end() (Part, bool) {
	switch {
	case r.whose == theFirst, r.whose == theNth && r.n == 0:
		return PartFirst, true
	case r.whose == theLast:
		return PartLast, true
	}
	return 0, false
}

// AppendKey appends a text that two values share exactly when `==` of conditions
// is true of them: equal numbers of either sign of zero, texts, booleans, times,
// null. What equals nothing, a missing value and NaN, has no key: dst comes back
// as it was, with ok. ok is false for lists and maps, which can be equal without
// being spelled alike and have to be compared.
func AppendKey(dst []byte, v event.Value) (key []byte, ok bool) {
	switch v.Kind() {
	case event.Missing:
		return dst, true
	case event.Null:
		return append(dst, 'z'), true
	case event.Bool:
		if v.Bool() {
			return append(dst, 't'), true
		}
		return append(dst, 'f'), true
	case event.Number:
		f := v.Number()
		if isNaN(v) {
			return dst, true
		}
		if f == 0 {
			f = 0 // and not -0
		}
		return binary.BigEndian.AppendUint64(append(dst, 'n'), math.Float64bits(f)), true
	case event.String:
		return append(append(dst, 's'), v.Str()...), true
	case event.Time:
		t := v.Time()
		dst = binary.BigEndian.AppendUint64(append(dst, '@'), uint64(t.Unix()))
		return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond())), true
	default:
		return dst, false
	}
}
