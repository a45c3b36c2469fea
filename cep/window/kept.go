package window

import (
	"bytes"
	"cmp"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
	"github.com/rhost/rhost/event"
)

// kept is a value with bytes of its own, which are used again for the next one.
// The zero kept holds Missing.
type kept struct {
	kind event.Kind
	bare event.Value // of the kinds without a text
	text []byte      // of the others
}

func (k *kept) set(v *event.Value) {
	k.kind, k.bare = v.Kind(), event.Value{}
	switch k.kind {
	case event.String:
		k.text = append(k.text[:0], v.Str()...)
	case event.List, event.Map:
		k.text = append(k.text[:0], v.Raw()...)
	default:
		k.bare = *v
	}
}

func (k *kept) copy(o *kept) {
	k.kind, k.bare, k.text = o.kind, o.bare, append(k.text[:0], o.text...)
}

func (k *kept) reset() { k.kind, k.bare, k.text = event.Missing, event.Value{}, k.text[:0] }

// value gives what is kept, with bytes of its own again.
func (k *kept) value() event.Value {
	switch k.kind {
	case event.String:
		return event.StringValue(string(k.text))
	case event.List, event.Map:
		return event.RawValue(bytes.Clone(k.text))
	default:
		return k.bare
	}
}

func (k *kept) restore(r *codec.Reader) {
	v := r.Value(MaxValue)
	k.set(&v)
}

// ends keeps the first and the last value that is there.
type ends struct{ first, last kept }

func (e *ends) add(x, _ *event.Value, _ time.Time) {
	if !isPresent(x) || !isShort(x) {
		return
	}
	if e.first.kind == event.Missing {
		e.first.set(x)
	}
	e.last.set(x)
}

func (e *ends) merge(later cell) {
	o := as[*ends](later)
	if o.first.kind == event.Missing {
		return
	}
	if e.first.kind == event.Missing {
		e.first.copy(&o.first)
	}
	e.last.copy(&o.last)
}

func (e *ends) reset() {
	e.first.reset()
	e.last.reset()
}

func (e *ends) append(dst []byte) []byte {
	return codec.AppendValue(codec.AppendValue(dst, e.first.value()), e.last.value())
}

func (e *ends) restore(r *codec.Reader) {
	e.first.restore(r)
	e.last.restore(r)
	r.Check((e.first.kind == event.Missing) == (e.last.kind == event.Missing), "a first value without a last one")
}

// extremes keeps the least and the greatest value. Values of different kinds have
// no order, so that of the kinds in a window the one with the highest rank
// counts: a stray text among numbers changes nothing.
type extremes struct{ low, high kept }

// rank orders the kinds that have an order; 0 is none.
func rank(k event.Kind) int {
	switch k {
	case event.Number:
		return 4
	case event.Time:
		return 3
	case event.String:
		return 2
	case event.Bool:
		return 1
	default:
		return 0
	}
}

func (e *extremes) add(x, _ *event.Value, _ time.Time) {
	r, have := rank(x.Kind()), rank(e.low.kind)
	switch {
	case r == 0 || r < have || x.Kind() == event.Number && !isNumber(x) || !isShort(x):
		return
	case r > have:
		e.low.set(x)
		e.high.set(x)
	case compareKept(x, &e.low) < 0:
		e.low.set(x)
	case compareKept(x, &e.high) > 0:
		e.high.set(x)
	}
}

// compareKept orders a value and a kept one of the same kind.
func compareKept(v *event.Value, k *kept) int {
	switch v.Kind() {
	case event.Number:
		return cmp.Compare(v.Number(), k.bare.Number())
	case event.Time:
		return v.Time().Compare(k.bare.Time())
	case event.String:
		s := v.Str()
		switch {
		case s < string(k.text):
			return -1
		case s > string(k.text):
			return 1
		}
		return 0
	default:
		return boolean(v.Bool()) - boolean(k.bare.Bool())
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (e *extremes) merge(later cell) {
	o := as[*extremes](later)
	switch r, have := rank(o.low.kind), rank(e.low.kind); {
	case r == 0 || r < have:
	case r > have:
		e.low.copy(&o.low)
		e.high.copy(&o.high)
	default:
		if o.low.less(&e.low) {
			e.low.copy(&o.low)
		}
		if e.high.less(&o.high) {
			e.high.copy(&o.high)
		}
	}
}

// less orders kept values of the same kind.
func (k *kept) less(o *kept) bool {
	if k.kind == event.String {
		return bytes.Compare(k.text, o.text) < 0
	}
	return compareKept(&k.bare, o) < 0
}

func (e *extremes) reset() {
	e.low.reset()
	e.high.reset()
}

func (e *extremes) append(dst []byte) []byte {
	return codec.AppendValue(codec.AppendValue(dst, e.low.value()), e.high.value())
}

func (e *extremes) restore(r *codec.Reader) {
	e.low.restore(r)
	e.high.restore(r)
	r.Check(e.low.kind == e.high.kind && (e.low.kind == event.Missing || rank(e.low.kind) > 0), "extremes that have no order")
}
