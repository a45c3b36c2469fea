package cep

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/event"
)

// stateEngine follows a rule over how a value is. It is an engine.Engine.
type stateEngine struct {
	watch *trigger.Watch
	path  event.Path
	where engine.Cond // None: every event that has the value tells it
}

func (e *stateEngine) Plan() engine.Plan {
	return engine.Plan{Engine: "state", Why: "a value is watched: " + e.watch.String(), States: 2, Bound: "one event per key"}
}

func (e *stateEngine) Needs() engine.Needs {
	return engine.Needs{Starts: e.where.Bit(), AnyStart: e.where == engine.None, Paths: []event.Path{e.path}}
}

func (e *stateEngine) New() engine.State {
	return &stateState{e: e, keys: engine.NewTable[watched]()}
}

// watched is what is known of one key: its state, and the event that began the
// excursion, while one goes on that has not fired.
type watched struct {
	state trigger.State
	held  *engine.Held
}

// stateState is the keys of one rule.
type stateState struct {
	e       *stateEngine
	keys    *engine.Table[watched]
	firings []trigger.Firing
	drains  bool
}

// Drain leaves what waits for its time, and forgets the rest.
func (s *stateState) Drain(time.Time) {
	s.drains = true
	var gone []*engine.Entry[watched]
	s.keys.All(func(e *engine.Entry[watched]) {
		if _, waits := e.At(); !waits {
			gone = append(gone, e)
		}
	})
	for _, e := range gone {
		s.keys.Remove(e)
	}
}

func (s *stateState) Resume() { s.drains = false }

func (s *stateState) Feed(t *engine.Turn, key []byte) {
	if s.e.where != engine.None && t.Truth.True&s.e.where.Bit() == 0 || !s.e.watch.Takes(t.Values[0]) {
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
	was, _ := s.e.watch.Deadline(&e.Value.state)
	s.firings = s.e.watch.Feed(&e.Value.state, t.In.At, t.Values[0], t.In.Order, s.firings[:0])
	for i := range s.firings {
		if s.firings[i].Order == t.In.Order {
			e.Value.held = t.In.Hold()
		}
		s.give(t, e, &s.firings[i])
	}
	switch due, waits := s.e.watch.Deadline(&e.Value.state); {
	case !waits:
		e.Value.held = nil
	case e.Value.held == nil || !due.Equal(was): // another excursion than before
		e.Value.held = t.In.Hold()
	}
	s.settle(e)
}

// settle keeps or frees a key, and sets its deadline.
func (s *stateState) settle(e *engine.Entry[watched]) {
	at, ok := s.e.watch.Deadline(&e.Value.state)
	was, waited := e.At()
	switch {
	case s.drains && (!ok || waited && at.After(was)):
		s.keys.Remove(e)
	case ok:
		s.keys.Set(e, at)
	case e.Value.state.Empty():
		s.keys.Remove(e)
	default:
		s.keys.Unset(e)
	}
}

func (s *stateState) give(t *engine.Turn, e *engine.Entry[watched], f *trigger.Firing) {
	d := engine.Done{Outcome: engine.ByTime, Key: e.Key, At: f.At, Deadline: f.At, Order: f.Order}
	if h := e.Value.held; h != nil {
		d.Pairs = []engine.Pair{{Elem: 0, Held: h}}
		if t.In != nil && f.Order == t.In.Order {
			d.Outcome, d.Trigger, d.Deadline = engine.Complete, h, time.Time{}
		}
	}
	t.Out = append(t.Out, d)
}

func (s *stateState) Deadline() (time.Time, bool) { return s.keys.Deadline() }

func (s *stateState) Expire(t *engine.Turn, now time.Time) {
	at, ok := s.keys.Deadline()
	if !ok || at.After(now) {
		return
	}
	from := len(t.Out)
	for e := s.keys.Pop(at); e != nil; e = s.keys.Pop(at) {
		s.firings = s.e.watch.Advance(&e.Value.state, at, s.firings[:0])
		for i := range s.firings {
			s.give(t, e, &s.firings[i])
		}
		e.Value.held = nil
		s.settle(e)
	}
	slices.SortStableFunc(t.Out[from:], func(a, b engine.Done) int { return cmp.Compare(a.Order, b.Order) })
}

func (s *stateState) Size() engine.Size {
	const each = 470 // bytes of a key, its state and its place among deadlines, about
	n := s.keys.Len()
	return engine.Size{Keys: n, Runs: n, Bytes: n * each}
}

func (s *stateState) Empty() bool { return s.keys.Len() == 0 }
func (s *stateState) Clear()      { s.keys.Clear() }

// The form of the state, version 1: how many keys, and for each, in order, its
// text, its state in the form of package trigger, and the event that began.
// Where the rule drains, the version is stateDrains.
const (
	stateVersion = 1
	stateDrains  = 2
)

func (s *stateState) AppendTo(e *engine.Encoder) {
	if s.drains {
		e.Uint(stateDrains)
	} else {
		e.Uint(stateVersion)
	}
	var all []*engine.Entry[watched]
	s.keys.All(func(k *engine.Entry[watched]) { all = append(all, k) })
	slices.SortFunc(all, func(a, b *engine.Entry[watched]) int { return cmp.Compare(a.Key, b.Key) })
	e.Uint(uint64(len(all)))
	for _, k := range all {
		e.Text(k.Key)
		e.Bytes(s.e.watch.AppendState(nil, &k.Value.state))
		e.Held(k.Value.held)
	}
}

func (s *stateState) Restore(d *engine.Decoder) error {
	switch v := d.Uint(); v {
	case stateVersion:
	case stateDrains:
		s.drains = true
	default:
		d.Fail("version %d of a state rule's state", v)
	}
	for range d.Len(3) {
		key, form, held := []byte(d.Text()), d.Bytes(), d.Held()
		if d.Err() != nil {
			break
		}
		state, rest, err := s.e.watch.RestoreState(form)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		case len(rest) > 0 || s.keys.Get(key) != nil:
			d.Fail("a key with %d bytes too many, or there twice", len(rest))
			return d.Err()
		}
		e := s.keys.Add(key)
		e.Value = watched{*state, held}
		s.settle(e)
	}
	return d.Err()
}
