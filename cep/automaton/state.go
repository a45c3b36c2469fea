package automaton

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
)

// New gives the state of a matcher that has seen nothing.
func (m *Machine) New() engine.State { return &State{m: m, keys: engine.NewTable[Runs]()} }

// Needs says which events the rule must be shown.
func (m *Machine) Needs() engine.Needs {
	return engine.Needs{Starts: m.nfa.starts, AnyStart: m.nfa.anyStart, SeesAll: m.nfa.alert || m.all, Paths: m.nfa.paths}
}

// Plan describes the machine to people.
func (m *Machine) Plan() engine.Plan {
	full := "later ones are refused"
	if m.pol.DropOld {
		full = "the oldest makes room"
	}
	bound := fmt.Sprintf("%d start events per key (%s), %d partial matches", m.pol.Limit, full, m.pol.MaxRuns)
	if m.pol.Within > 0 {
		bound += ", each for " + m.pol.Within.Truncate(time.Millisecond).String()
	} else {
		bound += ", without a bound on time"
	}
	return engine.Plan{Engine: "nfa", Why: "it follows any pattern", States: m.nfa.States(), Bound: bound, Graph: m.nfa.Graph()}
}

// State is the open runs of one rule, by key.
type State struct {
	m    *Machine
	keys *engine.Table[Runs]
}

// Worker gives the room that steps need, which a Turn keeps.
func worker(t *engine.Turn) *Worker {
	w, ok := t.Scratch[engine.NFA].(*Worker)
	if !ok {
		w = new(Worker)
		t.Scratch[engine.NFA] = w
	}
	w.Closed = t.Closed
	return w
}

// Feed shows the rule an event of a key.
func (s *State) Feed(t *engine.Turn, key []byte) {
	e := s.keys.Get(key)
	if e == nil {
		may := t.Truth.True | ^t.Truth.Known
		if t.Closed || s.m.nfa.starts&may == 0 && !s.m.nfa.anyStart {
			return
		}
		e = s.keys.Add(key)
	}
	w := worker(t)
	w.view.conds, w.view.nfa, w.values = t.Conds, s.m.nfa, t.Values
	s.m.Feed(w, &e.Value, t.In, t.Truth, &w.view)
	w.view.conds, w.view.nfa = nil, nil
	w.give(t, e.Key)
	s.settle(e)
}

// settle keeps or frees a key after a step, and sets its deadline.
func (s *State) settle(e *engine.Entry[Runs]) {
	_, timed := e.At()
	switch {
	case !timed && e.Value.Empty():
		s.keys.Remove(e)
		return
	case timed && !s.m.nfa.bounds:
		return // what is open began later than what the deadline is for
	}
	at, ok := s.m.Deadline(&e.Value)
	if now, timed := e.At(); !ok || timed && !at.Before(now) {
		return
	}
	s.keys.Set(e, at)
}

// Deadline says when Expire has something to do.
func (s *State) Deadline() (time.Time, bool) { return s.keys.Deadline() }

// Expire does what is due at the earliest deadline.
func (s *State) Expire(t *engine.Turn, now time.Time) {
	at, ok := s.keys.Deadline()
	if !ok || at.After(now) {
		return
	}
	from := len(t.Out)
	w := worker(t)
	for e := s.keys.Pop(at); e != nil; e = s.keys.Pop(at) {
		s.m.Expire(w, &e.Value, at)
		w.give(t, e.Key)
		if next, ok := s.m.Deadline(&e.Value); ok {
			s.keys.Set(e, s.m.Later(at, next))
		} else if e.Value.Empty() {
			s.keys.Remove(e)
		}
	}
	// Keys were due in no order.
	slices.SortStableFunc(t.Out[from:], func(a, b engine.Done) int {
		return cmp.Compare(a.Pairs[0].Held.Order, b.Pairs[0].Held.Order)
	})
}

// Size counts what is held.
func (s *State) Size() (size engine.Size) {
	sizes := sizes{nfa: s.m.nfa, chains: make(map[*Held]*node)}
	s.keys.All(func(e *engine.Entry[Runs]) {
		if !e.Value.Empty() {
			size.Keys++
		}
		size.Runs += e.Value.Len()
		size.Bytes += sizes.of(&e.Value)
	})
	size.Bytes += s.keys.Bytes()
	return size
}

// Empty reports whether nothing is held.
func (s *State) Empty() bool { return s.keys.Len() == 0 }

// Clear drops all that is held.
func (s *State) Clear() { s.keys.Clear() }

// give moves what a step gave out to the turn.
func (w *Worker) give(t *engine.Turn, key string) {
	for i := range w.Out {
		d := &w.Out[i]
		t.Out = append(t.Out, engine.Done{
			Outcome: d.Outcome, Key: key, Pairs: d.Bound.Append(nil),
			Trigger: d.Trigger, At: d.At, Deadline: d.Deadline,
		})
	}
	clear(w.Out)
	if w.Err != nil {
		t.Err = w.Err
	}
	t.Rejected += w.Rejected
	t.Dropped += w.Dropped
	t.Overflow += w.Overflow
	w.Rejected, w.Dropped, w.Overflow = 0, 0, 0
	w.view.reader.Reset()
	w.view.bound = Bound{}
}

// view shows conditions the events of one run.
type view struct {
	conds  engine.Conds
	nfa    *NFA
	bound  Bound
	reader Reader
}

// Holds decides a condition for one run.
func (v *view) Holds(c Cond, b Bound) bool {
	v.bound = b
	return v.conds.Holds(c, v)
}

// Events gives the events bound to an element.
func (v *view) Events(elem int) []*predicate.Event { return v.reader.Events(v.bound, elem) }
