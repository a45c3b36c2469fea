package syntax

import (
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Rule is one rule document, parsed and checked as far as its text alone can
// be: its conditions are kept as text, because only the compiler knows their
// types. A Rule is not changed after Parse gave it out, so that any number of
// goroutines may read it.
//
// There may be a million of them, most of one condition and one step. What such
// rules do not say lives behind Meta and Details, which they share.
type Rule struct {
	Name    string // unique in its tenant
	Version string // sha256, in hex, of the canonical rule: comments, white space and the order of keys do not count

	*Meta             // never nil
	When  When        //
	Mode  Mode        // Live unless the rule says otherwise
	steps bool        // there is a `do:` or an `on_failure:`
	Pos   yamldoc.Pos // of the document's first key

	// text is the document from Pos.Line on, a part of the file.
	text string
}

// Meta is what a rule says about itself and its place, rather than about events.
type Meta struct {
	Description string            //
	Severity    string            // free text, to filter by
	Labels      map[string]string // free, to filter by; nil when absent
	Owner       string            //
	Runbook     string            //
	Priority    Priority          // Normal unless the rule says otherwise
	Tags        []string          //
	OnChange    OnChange          // KeepOrDrain unless the rule says otherwise
	Tests       []Test            //
}

// When says what makes a rule match: a condition, a pattern, or one of Window,
// Schedule and State.
type When struct {
	Pattern  Pattern // a bare condition is one element named BareName; empty for the other triggers
	*Details         // never nil
}

// Details is all of `when` besides conditions. Rules of one bare condition share
// theirs.
type Details struct {
	Text    string      // the pattern as written; "" for everything else
	TextPos yamldoc.Pos // of the first character of Text

	By        []event.Path  // the key of the rule's state, in the order written; nil: one state for all
	Within    time.Duration // from the first bound event to the last; 0: unbounded
	Skip      Skip          //
	SkipTo    int           // for ToFirst and ToLast: the number of the element; otherwise -1
	Strict    bool          // on_miss: error: a match without an event of SkipTo, or that begins with it, stops the rule
	Emit      Emit          //
	OnTimeout bool          // on_timeout: emit
	Limit     Limit         //

	Score    string      // CEL from 0 to 1: how sure a match is; "" when there is none
	ScorePos yamldoc.Pos // of the first character of Score
	AtLeast  float64     // matches of a lower score are none

	Window   *Window   // nil unless the rule is one
	Schedule *Schedule // likewise
	State    *State    // likewise
}

// Bare reports whether w is a single condition.
func (w *When) Bare() bool {
	return w.Text == "" && w.Window == nil && w.Schedule == nil && w.State == nil
}

// BareName is what the one element of a bare condition is called, in bindings and
// in `${…}`.
const BareName = "event"

// Limit bounds the open start events of a rule per key.
type Limit struct {
	Runs int  // at least 1
	Full Full // what happens to one more
}

// DefaultRuns is the limit of a rule that states none.
const DefaultRuns = 1000

// Window is a rule over all events of a window.
type Window struct {
	Text      string      // how the stream is cut: sliding 5m every 10s
	Pos       yamldoc.Pos // of its first character
	Where     string      // CEL: which events count; "" for all
	WherePos  yamldoc.Pos // of its first character
	Let       []Let       // in the order written; at least one
	Having    string      // CEL over the names of Let; "" when every window is a match
	HavingPos yamldoc.Pos // of its first character
}

// Let is one aggregate of a Window.
type Let struct {
	Name    string      //
	NamePos yamldoc.Pos //
	Text    string      // quantile(data.ms, 0.99)
	Pos     yamldoc.Pos // of the first character of Text
}

// Schedule is a rule that matches at times of the day.
type Schedule struct {
	Cron        string      // as written
	Pos         yamldoc.Pos // of its first character
	Timezone    string      // a name such as Europe/Berlin; "" for UTC
	TimezonePos yamldoc.Pos //
	Missed      Missed      //
	DST         DST         //
}

// State is a rule over how a value is, rather than over an event.
type State struct {
	Text     string      // which value
	Pos      yamldoc.Pos // of its first character
	Where    string      // CEL: which events tell it; "" for all
	WherePos yamldoc.Pos // of its first character

	Test      StateTest     //
	TestPos   yamldoc.Pos   // of what Test is given
	Low, High float64       // of Above, Below and Between; -Inf and +Inf where there is no bound
	Value     any           // of Equals and Differs: a string, float64 or bool
	Regexp    string        // of Matches
	Tolerance float64       // how far back over a bound a value must go to be over it no more
	For       time.Duration // for how long it must be so
}
