package automaton

import (
	"errors"
	"fmt"
	"hash/maphash"
)

// Machine is an automaton with a policy. It is immutable.
type Machine struct {
	nfa *NFA
	pol Policy

	// best is set when, of all matches that complete together, only the first
	// is ever seen: runs that cannot become it need not be kept apart.
	best bool
	// quiet is set when a run that runs out of time leaves without a trace, so
	// that nobody has to notice at once.
	quiet bool

	// all is set when every state must be shown every event, which torn.go explains.
	all bool

	few  int          // groups of fewer runs are not indexed
	seed maphash.Seed // of the values that runs are filed by
}

// An event is shown to at most as many runs as a key may have, each of which looks at
// the edges that can be reached from its state without one. mostWork bounds these edges
// for all of them: a pattern that has many may have fewer runs. No pattern has fewer
// than leastRuns.
const (
	mostWork  = 1 << 24
	leastRuns = 1 << 8
)

// NewMachine joins an automaton and a policy. A pattern that only time can
// complete needs a bound on time.
func NewMachine(n *NFA, p Policy) (*Machine, error) {
	p = p.Defaults()
	if n.fires && p.Within <= 0 && !n.bounds {
		return nil, errors.New("a pattern that ends in `then not` needs a `within`")
	}
	if (p.Skip.Kind == ToFirst || p.Skip.Kind == ToLast) && (p.Skip.Elem < 0 || p.Skip.Elem >= n.elems) {
		return nil, fmt.Errorf("skip to element %d: the pattern has %d", p.Skip.Elem, n.elems)
	}
	p.MaxRuns = min(p.MaxRuns, max(leastRuns, mostWork/n.widest))
	m := &Machine{nfa: n, pol: p, few: fewRuns}
	m.best = p.Skip.Kind == PastLast && p.Emit == Immediate && !p.OnTimeout && !n.bounds
	m.quiet = !p.OnTimeout && !n.fires && !n.bounds && (p.Emit == Immediate || p.Skip.Kind == NoSkip)
	m.all = n.all || n.splits && p.OnTimeout
	m.seed = maphash.MakeSeed()
	return m, nil
}

// NFA gives the automaton.
func (m *Machine) NFA() *NFA { return m.nfa }

// Policy gives the policy, its defaults filled in.
func (m *Machine) Policy() Policy { return m.pol }
