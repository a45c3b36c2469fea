package analysis

import (
	"slices"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
)

// Sample counts what the conditions of rules make of events, one by one and
// without regard to their order. It belongs to one goroutine.
type Sample struct {
	tables *cep.Tables
	rules  []*sampled
	byType map[string][]*sampledCond // of conditions about some types
	rest   []*sampledCond            // of those about any
	types  map[string]*TypeCount
	events int
}

// TypeCount is how many events of a type there were, and whether a rule looks at
// them: a condition names the type, or held for one of them.
type TypeCount struct {
	Type   string `json:"type"`
	Events int    `json:"events"`
	Looked bool   `json:"looked_at"`
}

// SampleReport is what a Sample has found.
type SampleReport struct {
	Events int          `json:"events"`
	Types  []TypeCount  `json:"types"` // sorted by name
	Rules  []RuleReport `json:"rules"` // in the order of the program, those that are off left out
}

// RuleReport is the part of one rule.
type RuleReport struct {
	Rule       string            `json:"rule"`
	Seen       int               `json:"seen"` // events of the types that the rule is about
	Conditions []ConditionReport `json:"conditions"`
	Paths      []PathReport      `json:"paths"`
}

// ConditionReport is the part of one condition.
type ConditionReport struct {
	Name      string `json:"name"`
	Condition string `json:"condition"`
	Place     string `json:"place"`            // file:line:col
	Seen      int    `json:"seen"`             // events of the types that it is about
	Held      int    `json:"held"`             // of these
	Partly    bool   `json:"partly,omitempty"` // what it says of other elements was taken for true
}

// Never and Always tell of a condition that made no difference between events.
func (c *ConditionReport) Never() bool { return c.Held == 0 }

// Always reports whether the condition held for each event of the sample.
func (c *ConditionReport) Always(events int) bool { return events > 0 && c.Held == events }

// PathReport is how many events of the rule's types have a field.
type PathReport struct {
	Path string `json:"path"`
	Have int    `json:"have"`
}

// sampled is a rule with its counts.
type sampled struct {
	rule  *syntax.Rule
	conds []*sampledCond
	paths []event.Path
	have  []int
	seen  int
	last  int // the number of the event counted last
}

// sampledCond is a condition with its counts.
type sampledCond struct {
	of         *sampled
	cond       *predicate.Cond
	formula    predicate.Formula
	about      Condition
	types      []string
	seen, held int
}

// NewSample prepares for counting. tables, which may be nil, is what conditions
// look up.
func NewSample(p *cep.Program, tables *cep.Tables) *Sample {
	s := &Sample{tables: tables, byType: make(map[string][]*sampledCond), types: make(map[string]*TypeCount)}
	p.All(func(r *syntax.Rule) bool {
		if r.Mode != syntax.Off {
			s.add(r)
		}
		return true
	})
	return s
}

func (s *Sample) add(r *syntax.Rule) {
	set := predicate.NewSet()
	sr := &sampled{rule: r}
	for _, c := range readingOf(r, cep.Conditions(r, set)).conds {
		if c.values {
			continue
		}
		sc := &sampledCond{of: sr, cond: c.Cond, about: c, types: c.Cond.EventTypes()}
		sc.formula, _ = c.Cond.Formula()
		sr.conds = append(sr.conds, sc)
		for _, t := range sc.types {
			s.byType[t] = append(s.byType[t], sc)
		}
		if len(sc.types) == 0 {
			s.rest = append(s.rest, sc)
		}
	}
	for _, p := range set.Paths() {
		if p.Root() != "type" {
			sr.paths = append(sr.paths, p)
		}
	}
	sr.have = make([]int, len(sr.paths))
	s.rules = append(s.rules, sr)
}

// Add counts an event.
func (s *Sample) Add(ev *event.Event) {
	s.events++
	t, ok := s.types[ev.Type]
	if !ok {
		t = &TypeCount{Type: ev.Type}
		s.types[ev.Type] = t
	}
	t.Events++
	seen := predicate.Event{Ev: ev, Tables: s.tables}
	about := s.byType[ev.Type]
	t.Looked = t.Looked || len(about) > 0
	for _, c := range about {
		s.count(c, &seen)
	}
	for _, c := range s.rest {
		t.Looked = s.count(c, &seen) || t.Looked
	}
}

// count shows a condition an event, and its rule if that has not seen it.
func (s *Sample) count(c *sampledCond, ev *predicate.Event) bool {
	c.seen++
	var holds bool
	if c.about.exact {
		holds = c.cond.Eval(ev, nil) == predicate.True
	} else {
		holds = c.formula.Holds(ev)
	}
	if holds {
		c.held++
	}
	if r := c.of; r.last != s.events {
		r.last = s.events
		r.seen++
		for i, p := range r.paths {
			if ev.Ev.Get(p).Kind() != event.Missing {
				r.have[i]++
			}
		}
	}
	return holds
}

// Report gives the counts so far.
func (s *Sample) Report() SampleReport {
	out := SampleReport{Events: s.events, Types: []TypeCount{}, Rules: []RuleReport{}}
	for _, t := range s.types {
		out.Types = append(out.Types, *t)
	}
	slices.SortFunc(out.Types, func(a, b TypeCount) int {
		if a.Type < b.Type {
			return -1
		}
		return 1
	})
	for _, r := range s.rules {
		rr := RuleReport{Rule: r.rule.Name, Seen: r.seen, Conditions: []ConditionReport{}, Paths: []PathReport{}}
		for _, c := range r.conds {
			rr.Conditions = append(rr.Conditions, ConditionReport{
				Name: c.about.Name, Condition: c.about.Text, Place: c.about.Pos.String(), Seen: c.seen, Held: c.held, Partly: !c.about.exact,
			})
		}
		for i, p := range r.paths {
			rr.Paths = append(rr.Paths, PathReport{p.String(), r.have[i]})
		}
		out.Rules = append(out.Rules, rr)
	}
	return out
}
