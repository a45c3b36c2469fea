package cea

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/engine"
)

// MaxBound bounds the events that the partial matches of a key may bind, counted
// since the oldest open start. A key that has as many binds no more until that
// start is over; Turn.Overflow counts what was not bound. Policy.MaxRuns does not
// apply: partial matches cost nothing.
const MaxBound = 1 << 18

// Engine is a pattern compiled for this way of matching. It is immutable.
type Engine struct {
	n      *nfa
	pol    engine.Policy
	elems  int
	plan   engine.Plan
	needs  engine.Needs
	steady bool // starts end only by time, by skips and by making room
}

var _ engine.Engine = (*Engine)(nil)

// Compile compiles a pattern. The error says, in a clause for `rhost explain`,
// why the pattern must be followed by another engine.
func Compile(steps []engine.Step, tr engine.Traits, pol engine.Policy) (engine.Engine, error) {
	pol = pol.Defaults()
	built, err := automaton.Compile(steps, tr)
	if err != nil {
		return nil, err
	}
	m, err := automaton.NewMachine(built, pol)
	if err != nil {
		return nil, err
	}
	plan := m.Plan()
	if err := refuse(steps, tr, pol, plan.Graph); err != nil {
		return nil, err
	}
	n, err := readGraph(plan.Graph)
	if err != nil {
		return nil, err
	}
	e := &Engine{n: n, pol: pol, elems: engine.Elements(steps), plan: plan, needs: m.Needs(), steady: n.steady()}
	e.plan.Engine, e.plan.States = "cea", len(n.states)
	e.plan.Why = why(steps, pol)
	e.plan.Bound = bound(pol)
	return e, nil
}

// refuse says why a pattern does not fit. What a state of the automaton and the
// event under test do not decide, this engine cannot decide: partial matches in
// one state are not told apart until they are complete.
func refuse(steps []engine.Step, tr engine.Traits, pol engine.Policy, g engine.Graph) error {
	switch {
	case engine.Elements(steps) > union:
		return fmt.Errorf("it has more than %d elements", union)
	case pol.OnTimeout:
		return errors.New("`on_timeout: emit` asks for every partial match by itself")
	case pol.Emit == engine.Ordered && pol.Skip.Kind != engine.NoSkip:
		return errors.New("`emit: ordered` with this `skip` holds matches back until earlier starts are over")
	case slices.ContainsFunc(g.Nodes, func(n engine.GraphNode) bool { return n.Pending }):
		return errors.New("`then not` at the end is completed by time")
	}
	return refuseSteps(steps, tr)
}

func refuseSteps(steps []engine.Step, tr engine.Traits) error {
	for i := range steps {
		s := &steps[i]
		switch {
		case (s.Cond.Bit()|s.Until.Bit())&tr.Correlated != 0:
			return errors.New("a condition compares with events bound before")
		case s.Until != 0 && !s.Single():
			return errors.New("`until` of a group asks every event whether the group is over")
		case s.Wait > 0 || s.Gap > 0:
			return errors.New("`wait` and `gap` depend on when the event before was bound")
		}
		for _, part := range s.Parts() {
			if err := refuseSteps(part, tr); err != nil {
				return err
			}
		}
	}
	return nil
}

// why says what this engine is good for in a pattern.
func why(steps []engine.Step, pol engine.Policy) string {
	if combines(steps) {
		return "no condition depends on events bound before, so `any` costs the same however many combinations are open"
	}
	if pol.Skip.Kind == engine.NoSkip {
		return "no condition depends on events bound before, so overlapping matches are kept together"
	}
	return "no condition depends on events bound before"
}

// combines reports whether some contiguity is `any`.
func combines(steps []engine.Step) bool {
	for i := range steps {
		s := &steps[i]
		if i > 0 && s.Link == engine.Any || s.Repeats() && s.Repeat == engine.Any {
			return true
		}
		if slices.ContainsFunc(s.Parts(), combines) {
			return true
		}
	}
	return false
}

func bound(pol engine.Policy) string {
	full := "later ones are refused"
	if pol.DropOld {
		full = "the oldest makes room"
	}
	text := fmt.Sprintf("%d start events per key (%s), any number of partial matches over %d bound events", pol.Limit, full, MaxBound)
	if pol.Within > 0 {
		text += ", each for " + pol.Within.Truncate(time.Millisecond).String()
	} else {
		text += ", without a bound on time"
	}
	return fmt.Sprintf("%s; at most %d matches at one event", text, MaxMatches)
}

// Plan says what the engine is.
func (e *Engine) Plan() engine.Plan { return e.plan }

// Needs says which events the rule must be shown.
func (e *Engine) Needs() engine.Needs { return e.needs }

// New gives the state of a matcher that has seen nothing.
func (e *Engine) New() engine.State {
	return &State{e: e, keys: engine.NewTable[key](), cache: newCache(e.n)}
}
