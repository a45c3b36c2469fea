package predicate

import (
	"errors"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Set holds all conditions of a program. Rules share what they have in common:
// each distinct path is looked up once per event, and each distinct atom (a
// test of one path, such as `type == "x"`) exists once.
//
// Build a Set in one goroutine; once the last Add has returned, it and its
// conditions and templates may be used from any number of goroutines.
type Set struct{ paths []event.Path }

// NewSet gives an empty set.
func NewSet() *Set { return &Set{} }

// Add compiles a condition. Its errors are yamldoc.Errors that point into the
// condition, whose first character is at pos.
func (s *Set) Add(scope Scope, src string, pos yamldoc.Pos) (*Cond, error) {
	return nil, errors.New("conditions are not compiled yet")
}

// Paths gives the paths that conditions read from the event under test or from
// bound events, in the order of Event.Fields. It grows with Add.
func (s *Set) Paths() []event.Path { return s.paths }

// Cond is one compiled condition.
type Cond struct{}

// Eval decides the condition for the event under test. env may be nil unless
// the condition is Correlated.
func (c *Cond) Eval(ev *Event, env Env) Tri { return Unknown }

// Correlated reports whether the condition reads other elements.
func (c *Cond) Correlated() bool { return false }

// Interpreted reports whether a part of the condition runs in cel-go's
// interpreter, which is some hundred times slower than a compiled atom, and
// which part that is.
func (c *Cond) Interpreted() (bool, string) { return false, "" }

// Guard is a test that must be true for a condition to be true: the value at
// Path equals one of Values.
type Guard struct {
	Path   event.Path
	Index  int // of Path in Set.Paths
	Values []event.Value
}

// Guards gives the equality and set tests that the condition needs, for an
// index to file it under. A condition without any gives none.
func (c *Cond) Guards() []Guard { return nil }

// AtomResult is what one atom of a condition made of an event.
type AtomResult struct {
	Text   string      // the atom as CEL
	Values []AtomValue // what it read
	Result Tri
}

// AtomValue is one value an atom read.
type AtomValue struct {
	Path  string // `data.user` or `last(fail).data.user`
	Value event.Value
}

// Explain evaluates every atom of the condition, without stopping early.
func (c *Cond) Explain(ev *Event, env Env) []AtomResult { return nil }
