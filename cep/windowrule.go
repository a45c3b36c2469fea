package cep

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
)

// windowEngine follows a rule over windows. It is an engine.Engine.
type windowEngine struct {
	plan   *window.Plan
	where  engine.Cond     // None: every event counts
	having *predicate.Cond // nil: every window matches
	names  []string        // of the values, as `having` calls them
}

func (w *windowEngine) Plan() engine.Plan {
	_, bound := w.plan.Bound()
	return engine.Plan{
		Engine: "window", Why: "aggregates over a " + w.plan.Spec().String() + " window",
		States: 1, Bound: bound,
	}
}

func (w *windowEngine) Needs() engine.Needs {
	return engine.Needs{Starts: w.where.Bit(), AnyStart: w.where == engine.None, Paths: w.plan.Paths()}
}

func (w *windowEngine) New() engine.State {
	return &windowState{w: w, keys: engine.NewTable[window.State]()}
}

// maxKeys bounds the keys of a rule over windows or a state: those that never grow
// quiet, such as of a count that is never reached, would be kept for ever. What
// comes with another key is counted as Overflow.
const maxKeys = 1 << 20

// windowState is the windows of one rule, by key.
type windowState struct {
	w       *windowEngine
	keys    *engine.Table[window.State]
	results []window.Result

	drains bool // windows that begin after since are another's
	since  time.Time
	over   bool // the key at hand has none but those
}

// Drain leaves windows that are open to be finished, and begins no others.
func (s *windowState) Drain(now time.Time) { s.drains, s.since = true, now }
func (s *windowState) Resume()             { s.drains, s.since = false, time.Time{} }

func (s *windowState) Feed(t *engine.Turn, key []byte) {
	if s.w.where != engine.None && t.Truth.True&s.w.where.Bit() == 0 {
		return
	}
	e := s.keys.Get(key)
	if e == nil {
		if t.Closed {
			return
		}
		if s.keys.Len() >= maxKeys {
			t.Overflow++
			return
		}
		e = s.keys.Add(key)
	}
	s.results = s.w.plan.Add(&e.Value, t.In.At, t.Values, t.In.Order, s.results[:0])
	s.give(t, e.Key, true)
	s.settle(e)
}

// settle keeps or frees a key, and sets its deadline.
func (s *windowState) settle(e *engine.Entry[window.State]) {
	at, ok := s.w.plan.Deadline(&e.Value)
	switch {
	case s.over:
		s.over = false
		s.keys.Remove(e)
	case ok:
		s.keys.Set(e, at)
	case e.Value.Empty():
		s.keys.Remove(e)
	default:
		s.keys.Unset(e)
	}
}

// give turns results into matches, of those windows that `having` holds for.
func (s *windowState) give(t *engine.Turn, key string, fed bool) {
	for i := range s.results {
		r := &s.results[i]
		if s.drains && r.From.After(s.since) {
			s.over = true
			continue
		}
		t.Ignored += uint64(r.Ignored)
		if !s.w.holds(r.Values) {
			continue
		}
		d := engine.Done{Outcome: engine.ByTime, Key: key, At: r.To, Deadline: r.To, From: r.From, To: r.To, Let: r.Values, Count: r.N, Order: r.First}
		if fed && r.Last == t.In.Order {
			d.Outcome, d.Trigger, d.At, d.Deadline = engine.Complete, t.In.Hold(), t.In.At, time.Time{}
		}
		t.Out = append(t.Out, d)
	}
	clear(s.results)
}

// holds decides `having` for the values of a window: a condition on an event with
// these as its payload.
func (w *windowEngine) holds(values []event.Value) bool {
	if w.having == nil {
		return true
	}
	ev := event.Event{Data: appendValues(nil, w.names, values)}
	return w.having.Eval(&predicate.Event{Ev: &ev}, nil) == predicate.True
}

// appendValues writes values as a JSON object, those that are missing left out.
func appendValues(dst []byte, names []string, values []event.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range values {
		if v.Kind() == event.Missing {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = v.AppendJSON(append(appendText(dst, names[i]), ':'))
	}
	return append(dst, '}')
}

func (s *windowState) Deadline() (time.Time, bool) { return s.keys.Deadline() }

func (s *windowState) Expire(t *engine.Turn, now time.Time) {
	at, ok := s.keys.Deadline()
	if !ok || at.After(now) {
		return
	}
	from := len(t.Out)
	for e := s.keys.Pop(at); e != nil; e = s.keys.Pop(at) {
		s.results = s.w.plan.Advance(&e.Value, at, s.results[:0])
		s.give(t, e.Key, false)
		s.settle(e)
	}
	slices.SortStableFunc(t.Out[from:], func(a, b engine.Done) int { return cmp.Compare(a.Order, b.Order) })
}

func (s *windowState) Size() (size engine.Size) {
	size.Keys, size.Runs = s.keys.Len(), s.keys.Len()
	s.keys.All(func(e *engine.Entry[window.State]) { size.Bytes += e.Value.Bytes() })
	size.Bytes += s.keys.Bytes()
	return size
}

func (s *windowState) Empty() bool { return s.keys.Len() == 0 }
func (s *windowState) Clear()      { s.keys.Clear() }

// The form of the state, version 1: how many keys, and for each, in order, its
// text and its window in the form of package window.
// Where the rule drains, the version is windowDrains, and since when comes first.
const (
	windowVersion = 1
	windowDrains  = 2
)

func (s *windowState) AppendTo(e *engine.Encoder) {
	if s.drains {
		e.Uint(windowDrains)
		e.Time(s.since)
	} else {
		e.Uint(windowVersion)
	}
	var all []*engine.Entry[window.State]
	s.keys.All(func(k *engine.Entry[window.State]) { all = append(all, k) })
	slices.SortFunc(all, func(a, b *engine.Entry[window.State]) int { return cmp.Compare(a.Key, b.Key) })
	e.Uint(uint64(len(all)))
	for _, k := range all {
		e.Text(k.Key)
		e.Bytes(s.w.plan.AppendState(nil, &k.Value))
	}
}

func (s *windowState) Restore(d *engine.Decoder) error {
	switch v := d.Uint(); v {
	case windowVersion:
	case windowDrains:
		s.drains, s.since = true, d.Time()
	default:
		d.Fail("version %d of a window's state", v)
	}
	for range d.Len(2) {
		key, form := []byte(d.Text()), d.Bytes()
		if d.Err() != nil {
			break
		}
		state, rest, err := s.w.plan.RestoreState(form)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		case len(rest) > 0 || s.keys.Get(key) != nil:
			d.Fail("a key with %d bytes too many, or there twice", len(rest))
			return d.Err()
		}
		e := s.keys.Add(key)
		e.Value = *state
		s.settle(e)
	}
	return d.Err()
}
