package automaton

import "github.com/rhost/rhost/cep/engine"

// The words of patterns and policies are those all engines share.
//
//nolint:revive // package engine says what each is
type (
	Cond     = engine.Cond
	Link     = engine.Link
	Step     = engine.Step
	Traits   = engine.Traits
	Truth    = engine.Truth
	Policy   = engine.Policy
	Skip     = engine.Skip
	SkipKind = engine.SkipKind
	Emit     = engine.Emit
	Outcome  = engine.Outcome
	Held     = engine.Held
	Input    = engine.Input
	Pair     = engine.Pair
	Position = engine.Position
)

// Their values.
//
//nolint:revive // package engine says what each is
const (
	Next, Then, Any                           = engine.Next, engine.Then, engine.Any
	PastLast, NoSkip, ToNext, ToFirst, ToLast = engine.PastLast, engine.NoSkip, engine.ToNext, engine.ToFirst, engine.ToLast
	Immediate, Ordered                        = engine.Immediate, engine.Ordered
	Complete, ByTime, TimedOut                = engine.Complete, engine.ByTime, engine.TimedOut
	None                                      = engine.None
	MaxConds                                  = engine.MaxConds
)

// ErrMiss is the error of a strict skip that has nowhere to go.
var ErrMiss = engine.ErrMiss

// MaxStates bounds the automaton of one pattern.
const MaxStates = 10_000
