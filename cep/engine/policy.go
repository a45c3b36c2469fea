package engine

import (
	"errors"
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

// Defaults gives p with its bounds filled in.
func (p Policy) Defaults() Policy {
	if p.Limit <= 0 {
		p.Limit = DefaultLimit
	}
	if p.MaxRuns <= 0 {
		p.MaxRuns = DefaultMaxRuns
	}
	return p
}
