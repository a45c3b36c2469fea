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
	for _, e := range pattern.Elems {
		pl.elems = append(pl.elems, e.Name)
	}
	n := c.numbering()
	n.pattern(pl.rule)
	pl.elem = n.elem
	pl.take(n)
	s := &stepper{elem: n.elem, until: n.until}
	return s.sequence(pattern.Seq)
}

// numbering numbers conditions, and keeps what is wrong with them.
func (c *compiler) numbering() *numbering {
	return &numbering{compile: func(scope predicate.Scope, text string, pos yamldoc.Pos) *predicate.Cond {
		cond, err := c.set.Add(scope, text, pos)
		if err != nil {
			c.fail(pos, err)
			return nil
		}
		return cond
	}}
}

// where compiles the one condition of a window or a state.
func (c *compiler) where(pl *plan, text string, pos yamldoc.Pos) engine.Cond {
	n := c.numbering()
	cond := n.where(text, pos)
	pl.take(n)
	return cond
}

// take gives the plan its conditions.
func (pl *plan) take(n *numbering) {
	for i := range n.conds {
		pl.preds = append(pl.preds, n.conds[i].Cond)
	}
}

// stepper translates the pattern of one rule, whose conditions are numbered.
type stepper struct {
	elem  []engine.Cond
	until map[*syntax.Term]engine.Cond
}

func scopeOf(r *Rule) predicate.Scope {
	s := predicate.Scope{Under: predicate.NoElement}
	for _, e := range r.When.Pattern.Elems {
		s.Elements = append(s.Elements, predicate.Element{Name: e.Name, Repeated: e.Repeated, Negative: e.Negative})
	}
	return s
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
		out.Cond = s.elem[t.Elem]
	case t.Group != nil:
		out.Group = s.sequence(t.Group)
	case t.Either != nil:
		out.Either = s.sequences(t.Either)
	default:
		out.Both = s.sequences(t.Both)
	}
	out.Until = s.until[t] // none for what has none
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
