package cep

import "slices"

// Stats is what a matcher has done and what it holds.
type Stats struct {
	Events  uint64      // fed
	Matches uint64      // given out, timeouts included
	Keys    int         // with anything open
	Runs    int         // open partial matches
	Timers  int         // rules with something due
	Rules   []RuleStats // of those that hold or have counted anything, in the order of the program; versions that drain come before
}

// RuleStats is the part of one rule. What bounds and missing keys made different
// is counted here and nowhere hidden.
type RuleStats struct {
	Rule, Version string
	Draining      bool // an earlier version that finishes what it has open

	Matches  uint64
	Timeouts uint64
	Keyless  uint64 // events that met a condition and had no value for `by`
	Rejected uint64 // start events that `limit` refused
	Dropped  uint64 // start events that made room under `limit: {full: drop-oldest}`
	Overflow uint64 // partial matches beyond what one key may have, and keys beyond what a rule may have
	Ignored  uint64 // values that an aggregate could not use
	Unsure   uint64 // matches whose score was below `at_least`, or could not be told
	Keys     int
	Runs     int // open partial matches; some whose time is up may still be among them
	Bytes    int // of memory, about, without the events; of what rules hold together, each has a part
}

// Stats counts what the matcher holds; it takes time in proportion.
func (m *Matcher) Stats() Stats {
	s := Stats{Events: m.seen, Matches: m.matches, Timers: len(m.timers.heap)}
	for _, rs := range m.all() {
		if rs.away || !rs.known() {
			continue
		}
		r := rs.total()
		r.Rule, r.Version, r.Draining = rs.rule.Name, rs.rule.Version, rs.draining
		if rs.state != nil {
			size := rs.size()
			r.Keys, r.Runs, r.Bytes = size.Keys, size.Runs, size.Bytes
		}
		s.Keys += r.Keys
		s.Runs += r.Runs
		s.Rules = append(s.Rules, r)
	}
	return s
}

// all lists the rules that something is known of, in order, versions that drain
// before those that follow them.
func (m *Matcher) all() []*ruleState {
	list := slices.Clone(m.draining)
	for _, rs := range m.rules {
		if rs != nil {
			list = append(list, rs)
		}
	}
	slices.SortStableFunc(list, before)
	return list
}

// RuleError is a rule that was stopped.
type RuleError struct {
	Rule string
	Err  error
}

func (e RuleError) Error() string { return "rule " + e.Rule + " stopped: " + e.Err.Error() }

// Unwrap gives what stopped the rule.
func (e RuleError) Unwrap() error { return e.Err }

// Stopped lists the rules that were stopped, because a match broke a promise the
// rule asked for. They see no more events until a Swap brings another version.
func (m *Matcher) Stopped() []RuleError {
	var list []RuleError
	for _, rs := range m.all() {
		if rs.err != nil {
			list = append(list, RuleError{rs.rule.Name, rs.err})
		}
	}
	return list
}
