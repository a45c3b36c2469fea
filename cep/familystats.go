package cep

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// tally is what of a trunk is not its members', because they have forked.
type tally struct {
	seen uint64 // events that the matcher had been fed
	now  time.Time

	trunk engine.Size
	less  map[*ruleState]engine.Size
	keys  map[*ruleState]int      // how many of the trunk's are not theirs
	ended map[*ruleState][]string // keys of the trunk that they hold nothing of any more
}

// tallied looks through the forks, unless nothing has happened since it last did.
func (f *family) tallied() *tally {
	if t := f.tally; t != nil && t.seen == f.m.seen && t.now.Equal(f.m.now) {
		return t
	}
	trunk := f.trunk.state.(engine.Keyed) //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
	t := &tally{
		seen: f.m.seen, now: f.m.now, trunk: f.trunk.state.Size(), less: make(map[*ruleState]engine.Size),
		keys: make(map[*ruleState]int), ended: make(map[*ruleState][]string),
	}
	for key, out := range f.forks {
		if !trunk.Has([]byte(key)) {
			continue
		}
		size := trunk.SizeOf([]byte(key))
		for rs := range out {
			t.keys[rs]++
			have := t.less[rs]
			t.less[rs] = engine.Size{Keys: have.Keys + size.Keys, Runs: have.Runs + size.Runs, Bytes: have.Bytes + size.Bytes}
			if !rs.keeps([]byte(key)) {
				t.ended[rs] = append(t.ended[rs], key)
			}
		}
	}
	for _, keys := range t.ended {
		slices.Sort(keys)
	}
	f.tally = t
	return t
}

// size is what a rule holds. Of the room that rules use together, each has a part.
func (rs *ruleState) size() engine.Size {
	s := rs.state.Size()
	if f := rs.family; f != nil {
		t := f.tallied()
		less := t.less[rs]
		s.Keys += t.trunk.Keys - less.Keys
		s.Runs += t.trunk.Runs - less.Runs
		s.Bytes += (t.trunk.Bytes - less.Bytes) / len(f.rules)
	}
	return s
}

// open reports whether the rule holds anything.
func (rs *ruleState) open() bool {
	switch f := rs.family; {
	case rs.state == nil:
		return false
	case !rs.state.Empty():
		return true
	case f == nil || f.trunk.state.Empty():
		return false
	default:
		return f.trunk.state.(engine.Keyed).Len() > f.tallied().keys[rs] //nolint:errcheck,forcetypeassert // the states of a Sharer are Keyed
	}
}

// total is what was counted of a rule, by itself and in common.
func (rs *ruleState) total() RuleStats {
	all := rs.counts
	if rs.family == nil {
		return all
	}
	more := rs.family.trunk.counts
	if rs.missed != nil {
		more = more.minus(*rs.missed)
	}
	for i, n := range more.list() {
		*all.list()[i] += *n
	}
	return all
}

// recount begins to count anew.
func (rs *ruleState) recount() {
	rs.counts, rs.missed = RuleStats{}, nil
	if f := rs.family; f != nil {
		rs.miss(f.trunk.counts)
	}
}

// miss leaves counts of the trunk out of those of a rule.
func (rs *ruleState) miss(some RuleStats) {
	if rs.missed == nil {
		rs.missed = new(RuleStats)
	}
	for i, n := range some.list() {
		*rs.missed.list()[i] += *n
	}
}

// minus gives what was counted since before.
func (s RuleStats) minus(before RuleStats) RuleStats {
	for i, n := range before.list() {
		*s.list()[i] -= *n
	}
	return s
}
