package cep

import (
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// Condition is a condition of a rule on single events, as its engine numbers
// them: the first is c1.
type Condition struct {
	Name string      // the element's; for what ends a loop, the element's and ".until"; or "where"
	Elem int         // the element's number; -1 for what is none
	Text string      // as written
	Pos  yamldoc.Pos // of the first character of Text
	Cond *predicate.Cond
}

// Conditions gives the conditions of a rule in the order of its engine: elements
// first, then what ends loops. A text that stands several times and looks at the
// event alone counts once, under its first name. What does not compile is left out;
// who compiles the rule hears of it. They are compiled into set.
func Conditions(r *Rule, set *predicate.Set) []Condition {
	n := numbering{compile: func(scope predicate.Scope, text string, pos yamldoc.Pos) *predicate.Cond {
		cond, err := set.Add(scope, text, pos)
		if err != nil {
			return nil
		}
		return cond
	}}
	return n.rule(r)
}

// Conditions gives the conditions of a rule of the program. Those of a rule with
// an engine are as they were compiled for that; others are compiled into set.
func (p *Program) Conditions(r *Rule, set *predicate.Set) []Condition {
	e := p.find(r.Name)
	if e == nil || e.plan == nil || e.plan.rule != r {
		return Conditions(r, set)
	}
	next := 0
	n := numbering{compile: func(predicate.Scope, string, yamldoc.Pos) *predicate.Cond {
		next++
		return e.plan.preds[next-1]
	}}
	return n.rule(r)
}

// numbering compiles and numbers the conditions of one rule. Everything that goes
// by these numbers goes through here.
type numbering struct {
	compile func(predicate.Scope, string, yamldoc.Pos) *predicate.Cond // nil for what does not compile
	conds   []Condition
	elem    []engine.Cond // of elements
	until   map[*syntax.Term]engine.Cond
}

func (n *numbering) rule(r *Rule) []Condition {
	n.pattern(r)
	switch w := &r.When; {
	case w.Window != nil && w.Window.Where != "":
		n.where(w.Window.Where, w.Window.WherePos)
	case w.State != nil && w.State.Where != "":
		n.where(w.State.Where, w.State.WherePos)
	}
	return n.conds
}

// pattern numbers the conditions of a pattern or a bare condition.
func (n *numbering) pattern(r *Rule) {
	scope := scopeOf(r)
	for i, e := range r.When.Pattern.Elems {
		scope.Under = i
		n.elem = append(n.elem, n.add(scope, Condition{Name: e.Name, Elem: i, Text: e.Cond, Pos: e.CondPos}))
	}
	n.untils(r, scope, r.When.Pattern.Seq)
}

func (n *numbering) untils(r *Rule, scope predicate.Scope, seq []syntax.Term) {
	for i := range seq {
		t := &seq[i]
		for _, part := range t.Parts() {
			n.untils(r, scope, part)
		}
		if t.Until == "" {
			continue
		}
		name := t.Name
		scope.Under = len(scope.Elements) // of several: all that is bound may be looked at
		if t.Elem >= 0 {
			name, scope.Under = r.When.Pattern.Elems[t.Elem].Name, t.Elem
		}
		if n.until == nil {
			n.until = make(map[*syntax.Term]engine.Cond)
		}
		n.until[t] = n.add(scope, Condition{Name: name + ".until", Elem: -1, Text: t.Until, Pos: t.UntilPos})
	}
}

func (n *numbering) where(text string, pos yamldoc.Pos) engine.Cond {
	return n.add(bareScope, Condition{Name: "where", Elem: -1, Text: text, Pos: pos})
}

// add numbers a condition. A text that depends on the event alone means the same
// wherever it stands.
func (n *numbering) add(scope predicate.Scope, c Condition) engine.Cond {
	for i := range n.conds {
		if have := &n.conds[i]; have.Text == c.Text && !have.Cond.Correlated() {
			return engine.Cond(i + 1)
		}
	}
	if c.Cond = n.compile(scope, c.Text, c.Pos); c.Cond == nil {
		return engine.None
	}
	n.conds = append(n.conds, c)
	return engine.Cond(len(n.conds))
}
