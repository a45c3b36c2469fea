package analysis

import (
	"fmt"
	"strings"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// Condition is a condition of a rule. The first ones are numbered as in its
// engine; what `having` of a window says comes last.
type Condition struct {
	cep.Condition

	tree   tree
	not    *tree // once it was asked for
	exact  bool  // tree says all of it
	tests  bool  // reads anything at all
	values bool  // over the aggregates of a window, not over an event
}

// Conditions gives the conditions of a rule; see cep.Conditions.
func Conditions(r *syntax.Rule) []Condition {
	return readingOf(r, cep.Conditions(r, predicate.NewSet())).conds
}

// reading is a rule with its conditions.
type reading struct {
	rule  *syntax.Rule
	conds []Condition
}

// readingOf looks at the conditions of a rule.
func readingOf(r *syntax.Rule, conds []cep.Condition) *reading {
	out := &reading{rule: r, conds: make([]Condition, 0, len(conds)+1)}
	for _, c := range conds {
		out.add(c)
	}
	if w := r.When.Window; w != nil && w.Having != "" {
		out.having(w)
	}
	return out
}

func (rd *reading) add(c cep.Condition) *Condition {
	f, exact := c.Cond.Formula()
	rd.conds = append(rd.conds, Condition{
		Condition: c, tree: treeOf(&f), exact: exact && !c.Cond.Correlated(),
		tests: c.Cond.Correlated() || f.Kind != predicate.FormulaTrue && f.Kind != predicate.FormulaFalse,
	})
	return &rd.conds[len(rd.conds)-1]
}

// opposite gives what must hold for the condition not to hold.
func (c *Condition) opposite() *tree {
	if c.not == nil {
		t := c.tree.not()
		c.not = &t
	}
	return c.not
}

// having adds the condition on the aggregates of a window.
func (rd *reading) having(w *syntax.Window) {
	scope := predicate.Scope{}
	for _, l := range w.Let {
		scope.Values = append(scope.Values, l.Name)
	}
	cond, err := predicate.NewSet().Add(scope, w.Having, w.HavingPos)
	if err != nil {
		return // who compiles the rule hears of it
	}
	rd.add(cep.Condition{Name: "having", Elem: -1, Text: w.Having, Pos: w.HavingPos, Cond: cond}).values = true
}

// conditions looks at each condition by itself.
func (k *checker) conditions(rd *reading) {
	for i := range rd.conds {
		c := &rd.conds[i]
		s := newSolver()
		switch {
		case c.Text == "true": // the plain word for any event
		case !c.tests:
			verdict := "always true"
			if c.tree.kind == predicate.FormulaFalse {
				verdict = "never true"
			}
			k.warn(rd.rule, c.Pos, CodeCondition, "test a field of the event, such as type", "%s: %s is %s, whatever the event", c.Name, clipped(c.Text), verdict)
		case !s.all(c.tree.parts()):
			k.never(rd.rule, c, s.clash)
		case c.exact && !possible(*c.opposite()):
			k.warn(rd.rule, c.Pos, CodeAlways, "remove the condition or add the test that is missing", "%s: every event meets %s", c.Name, clipped(c.Text))
		default:
			k.dead(rd.rule, c)
		}
	}
}

func (k *checker) never(r *syntax.Rule, c *Condition, clash []literal) {
	why := ""
	if len(clash) > 0 {
		list := culprits(clash)
		texts := make([]string, 0, len(list))
		for i := range min(len(list), 4) {
			texts = append(texts, clipped(list[i].String()))
		}
		why = ": " + strings.Join(texts, " and ") + " exclude each other"
		if len(list) == 1 {
			why = ": " + texts[0] + " cannot hold"
		}
	}
	k.warn(r, c.Pos, CodeNever, "correct the tests, or write || where one of them is enough", "%s: no event meets the condition%s", c.Name, why)
}

// dead reports alternatives that cannot hold beside the rest of the condition.
func (k *checker) dead(r *syntax.Rule, c *Condition) {
	s := newSolver()
	if !s.all(c.tree.parts()) {
		return
	}
	for _, part := range c.tree.parts() {
		if part.kind != predicate.FormulaOr || len(part.kids) > maxAlternatives {
			continue
		}
		for i := range part.kids {
			if !s.beside(&part.kids[i]) {
				k.warn(r, c.Pos, CodeDead, "remove the alternative or correct it", "%s: the alternative %s can never hold here", c.Name, clipped(part.kids[i].String()))
			}
		}
	}
}

// maxAlternatives is up to how many operands of an || are looked at one by one.
const maxAlternatives = 256

// String gives a tree as CEL, about.
func (t *tree) String() string {
	switch t.kind {
	case predicate.FormulaTrue:
		return "true"
	case predicate.FormulaFalse:
		return "false"
	case predicate.FormulaAnd, predicate.FormulaOr:
		sign := " || "
		if t.kind == predicate.FormulaAnd {
			sign = " && "
		}
		texts := make([]string, len(t.kids))
		for i := range t.kids {
			texts[i] = t.kids[i].String()
			if t.kids[i].kind == predicate.FormulaOr {
				texts[i] = "(" + texts[i] + ")"
			}
		}
		return strings.Join(texts, sign)
	default:
		return t.lit.String()
	}
}

// clipped shows a part of a condition, not more of it than a message bears.
func clipped(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

func (k *checker) warn(r *syntax.Rule, pos yamldoc.Pos, code, fix, format string, args ...any) *Warning {
	k.list = append(k.list, Warning{Pos: pos, Rule: r.Name, Code: code, What: fmt.Sprintf(format, args...), Fix: fix})
	return &k.list[len(k.list)-1]
}
