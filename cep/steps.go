package cep

import (
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// steps compiles the conditions of a rule and gives its pattern as engines want
// it.
func (c *compiler) steps(pl *plan) []engine.Step {
	pattern := pl.rule.When.Pattern
	s := &stepper{c: c, pl: pl, scope: scopeOf(pl.rule)}
	for i, e := range pattern.Elems {
		s.scope.Under = i
		pl.elems = append(pl.elems, e.Name)
		pl.elem = append(pl.elem, s.number(e.Cond, e.CondPos))
	}
	return s.sequence(pattern.Seq)
}

// stepper translates the pattern of one rule.
type stepper struct {
	c     *compiler
	pl    *plan
	scope predicate.Scope
	texts []string // of the conditions, by number less 1
}

func scopeOf(r *Rule) predicate.Scope {
	s := predicate.Scope{Under: predicate.NoElement}
	for _, e := range r.When.Pattern.Elems {
		s.Elements = append(s.Elements, predicate.Element{Name: e.Name, Repeated: e.Repeated, Negative: e.Negative})
	}
	return s
}

// number compiles a condition and gives its number in the plan. A text that
// depends on the event alone means the same wherever it stands.
func (s *stepper) number(text string, pos yamldoc.Pos) engine.Cond {
	for i, have := range s.texts {
		if have == text && !s.pl.preds[i].Correlated() {
			return engine.Cond(i + 1)
		}
	}
	pred, err := s.c.set.Add(s.scope, text, pos)
	if err != nil {
		s.c.fail(pos, err)
		return engine.None
	}
	s.texts, s.pl.preds = append(s.texts, text), append(s.pl.preds, pred)
	return engine.Cond(len(s.pl.preds))
}

func (s *stepper) sequence(terms []syntax.Term) []engine.Step {
	steps := make([]engine.Step, 0, len(terms))
	for i := range terms {
		steps = append(steps, s.step(&terms[i]))
	}
	return steps
}

func (s *stepper) sequences(parts [][]syntax.Term) [][]engine.Step {
	var all [][]engine.Step
	for _, p := range parts {
		all = append(all, s.sequence(p))
	}
	return all
}

func (s *stepper) step(t *syntax.Term) engine.Step {
	out := engine.Step{
		Elem: t.Elem, Link: contiguity(t.Link), Not: t.Link.Negative(),
		Min: t.Min, Max: t.Max, Optional: t.Optional, Repeat: contiguity(t.Repeat), Greedy: t.Greedy,
		Wait: t.Wait, Gap: t.Gap,
	}
	switch {
	case t.Elem >= 0:
		out.Cond = s.pl.elem[t.Elem]
	case t.Group != nil:
		out.Group = s.sequence(t.Group)
	case t.Either != nil:
		out.Either = s.sequences(t.Either)
	default:
		out.Both = s.sequences(t.Both)
	}
	if t.Until != "" {
		s.scope.Under = t.Elem
		if t.Elem < 0 { // of several: all that is bound may be looked at
			s.scope.Under = len(s.scope.Elements)
		}
		out.Until = s.number(t.Until, t.UntilPos)
	}
	return out
}

func contiguity(l syntax.Link) engine.Link {
	switch l {
	case syntax.Next, syntax.NextNot:
		return engine.Next
	case syntax.Any:
		return engine.Any
	default:
		return engine.Then
	}
}

// policyOf gives what a rule says beside its pattern.
func policyOf(w *syntax.When) engine.Policy {
	p := engine.Policy{
		Within: w.Within, OnTimeout: w.OnTimeout,
		Limit: w.Limit.Runs, DropOld: w.Limit.Full == syntax.DropOldest,
	}
	switch w.Skip {
	case syntax.NoSkip:
		p.Skip.Kind = engine.NoSkip
	case syntax.ToNext:
		p.Skip.Kind = engine.ToNext
	case syntax.ToFirst:
		p.Skip = engine.Skip{Kind: engine.ToFirst, Elem: w.SkipTo, Strict: w.Strict}
	case syntax.ToLast:
		p.Skip = engine.Skip{Kind: engine.ToLast, Elem: w.SkipTo, Strict: w.Strict}
	case syntax.PastLast:
	}
	if w.Emit == syntax.Ordered {
		p.Emit = engine.Ordered
	}
	return p
}
