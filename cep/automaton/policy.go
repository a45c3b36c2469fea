package automaton

import (
	"errors"
	"fmt"
	"time"
)

// SkipKind is a skip strategy: what a match does to what overlaps it.
type SkipKind uint8

// The skip strategies. All but NoSkip drop partial matches and other complete
// ones, going by the event they began with.
const (
	PastLast SkipKind = iota // those that began at or before the match's last event
	NoSkip                   // none
	ToNext                   // those that began with the same event
	ToFirst                  // those that began before the element's first event
	ToLast                   // those that began before the element's last event
)

// Skip is a skip strategy with what it needs.
type Skip struct {
	Kind   SkipKind
	Elem   int  // for ToFirst and ToLast
	Strict bool // a match without Elem, or that begins with it, is an error
}

// ErrMiss is the error of a strict skip that has nowhere to go.
var ErrMiss = errors.New("nothing to skip to")

// Emit is when a complete match is given out.
type Emit uint8

// The two ways to give out matches.
const (
	Immediate Emit = iota // at the event that completes it
	Ordered               // once no run that began earlier is open
)

// Policy is what a rule says beside its pattern.
type Policy struct {
	Within    time.Duration // first to last event; 0: unbounded
	Skip      Skip
	Emit      Emit
	OnTimeout bool // give out the partial matches that ran out of time
	Limit     int  // open start events per key; 0: DefaultLimit
	DropOld   bool // beyond Limit the oldest start makes room; otherwise the new one is refused
	MaxRuns   int  // open runs per key; 0: DefaultMaxRuns
}

// The bounds of a Policy that names none.
const (
	DefaultLimit   = 1000
	DefaultMaxRuns = 1 << 16
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
}

// NewMachine joins an automaton and a policy. A pattern that only time can
// complete needs a bound on time.
func NewMachine(n *NFA, p Policy) (*Machine, error) {
	if p.Limit <= 0 {
		p.Limit = DefaultLimit
	}
	if p.MaxRuns <= 0 {
		p.MaxRuns = DefaultMaxRuns
	}
	if n.fires && p.Within <= 0 && !n.bounds {
		return nil, errors.New("a pattern that ends in `then not` needs a `within`")
	}
	if (p.Skip.Kind == ToFirst || p.Skip.Kind == ToLast) && (p.Skip.Elem < 0 || p.Skip.Elem >= n.elems) {
		return nil, fmt.Errorf("skip to element %d: the pattern has %d", p.Skip.Elem, n.elems)
	}
	m := &Machine{nfa: n, pol: p}
	m.best = p.Skip.Kind == PastLast && p.Emit == Immediate && !p.OnTimeout && !n.bounds
	m.quiet = m.best && !n.fires
	return m, nil
}

// NFA gives the automaton.
func (m *Machine) NFA() *NFA { return m.nfa }

// Policy gives the policy, its defaults filled in.
func (m *Machine) Policy() Policy { return m.pol }
