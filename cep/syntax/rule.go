package syntax

import (
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Rule is one rule document, parsed and checked as far as its text alone can
// be: its conditions are kept as text, because only the compiler knows their
// types. A Rule is not changed after ParseRules gave it out, so that any number
// of goroutines may read it.
type Rule struct {
	Name        string            // unique in its tenant
	Description string            //
	Mode        Mode              // Live unless the rule says otherwise
	Severity    string            // free text, to filter by
	Labels      map[string]string // free, to filter by; nil when absent
	Owner       string            //
	Runbook     string            //
	Priority    Priority          // Normal unless the rule says otherwise
	Tags        []string          //
	When        When              //
	Do          *yamldoc.Node     // the list of steps as written, for host/workflow; nil when absent
	OnFailure   *yamldoc.Node     // likewise
	Tests       []Test            //

	File    string      // as given to ParseRules
	Pos     yamldoc.Pos // of the document's first key
	Version string      // sha256, in hex, of the canonical rule: comments, white space and the order of keys do not count
}

// When says what makes a rule match.
type When struct {
	Text      string        // the pattern as written; "" for a bare condition
	Pattern   Pattern       // at least one unit; a bare condition is one unit named event
	By        []event.Path  // the key of the rule's state, in the order written; nil: one state for all
	Within    time.Duration // from the first bound event to the last; 0: unbounded
	Skip      Skip          //
	Emit      Emit          //
	OnTimeout bool          // on_timeout: emit
	Limit     Limit         //
	Pos       yamldoc.Pos   // of the value of `when`
	TextPos   yamldoc.Pos   // of the first character of Text, or of the bare condition
}

// Bare reports whether w is a single condition rather than a pattern.
func (w When) Bare() bool { return w.Text == "" }

// BareName is what the one unit of a bare condition is called, in bindings and
// in `${…}`.
const BareName = "event"

// Limit bounds the open start events of a rule per key.
type Limit struct {
	Runs int  // at least 1
	Full Full // what happens to one more
}

// DefaultRuns is the limit of a rule that states none.
const DefaultRuns = 1000

// A Test is one entry of `tests:`: events, and what the rule makes of them.
type Test struct {
	Given  string      // file of events, relative to the rule file; "" when Events are given
	Events [][]byte    // inline events, each as JSON; nil when Given names a file
	Expect Expect      //
	Pos    yamldoc.Pos //
}

// Expect is what a Test asserts.
type Expect struct {
	Matches int // number of matches of this rule
}
