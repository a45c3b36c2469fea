package analysis

import (
	"fmt"
	"strings"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// Condition is a condition of a rule, as its automaton numbers them: c1 is the
// first.
type Condition struct {
	Name string      // the element's; for what ends a loop, the element's and ".until"; or "where"
	Elem int         // the element's number; -1 for what is none
	Text string      // as written
	Pos  yamldoc.Pos // of the first character of Text

	compiled *predicate.Cond
	tree     tree
	exact    bool // tree says all of it
	tests    bool // reads anything at all
	values   bool // over the aggregates of a window, not over an event
}

// Conditions gives the conditions of a rule in the order of its automaton:
// elements first, then what ends loops. A text that stands several times and looks
// at the event alone counts once, under its first name.
func Conditions(r *syntax.Rule) []Condition { return read(predicate.NewSet(), r).conds }

// reading is a rule with its conditions.
type reading struct {
	rule  *syntax.Rule
	conds []Condition
	elem  []int // by element: the index of its condition
}

// read compiles the conditions of a rule. Those that do not compile are left out;
// who compiles the rule hears of them.
func read(set *predicate.Set, r *syntax.Rule) *reading {
	out := &reading{rule: r}
	w := &r.When
	scope := predicate.Scope{Under: predicate.NoElement}
	for _, e := range w.Pattern.Elems {
		scope.Elements = append(scope.Elements, predicate.Element{Name: e.Name, Repeated: e.Repeated, Negative: e.Negative})
	}
	for i, e := range w.Pattern.Elems {
		scope.Under = i
		out.elem = append(out.elem, out.add(set, scope, Condition{Name: e.Name, Elem: i, Text: e.Cond, Pos: e.CondPos}))
	}
	out.until(set, scope, w.Pattern.Seq)
	bare := predicate.Scope{Elements: []predicate.Element{{Name: syntax.BareName}}}
	if w.Window != nil && w.Window.Where != "" {
		out.add(set, bare, Condition{Name: "where", Elem: -1, Text: w.Window.Where, Pos: w.Window.WherePos})
	}
	if w.Window != nil && w.Window.Having != "" {
		having := predicate.Scope{}
		for _, l := range w.Window.Let {
			having.Values = append(having.Values, l.Name)
		}
		out.add(predicate.NewSet(), having, Condition{Name: "having", Elem: -1, Text: w.Window.Having, Pos: w.Window.HavingPos, values: true})
	}
	if w.State != nil && w.State.Where != "" {
		out.add(set, bare, Condition{Name: "where", Elem: -1, Text: w.State.Where, Pos: w.State.WherePos})
	}
	return out
}

func (rd *reading) until(set *predicate.Set, scope predicate.Scope, seq []syntax.Term) {
	for i := range seq {
		t := &seq[i]
		for _, part := range t.Parts() {
			rd.until(set, scope, part)
		}
		if t.Until == "" {
			continue
		}
		name := t.Name
		if t.Elem >= 0 {
			name = rd.rule.When.Pattern.Elems[t.Elem].Name
		}
		scope.Under = max(t.Elem, predicate.NoElement)
		rd.add(set, scope, Condition{Name: name + ".until", Elem: -1, Text: t.Until, Pos: t.UntilPos})
	}
}

// add compiles a condition and gives its index, or -1.
func (rd *reading) add(set *predicate.Set, scope predicate.Scope, c Condition) int {
	for i := range rd.conds {
		if have := &rd.conds[i]; have.Text == c.Text && have.exact && have.values == c.values {
			return i
		}
	}
	cond, err := set.Add(scope, c.Text, c.Pos)
	if err != nil {
		return -1
	}
	f, exact := cond.Formula()
	c.compiled = cond
	c.tree, c.exact = treeOf(&f), exact && !cond.Correlated()
	c.tests = cond.Correlated() || f.Kind != predicate.FormulaTrue && f.Kind != predicate.FormulaFalse
	rd.conds = append(rd.conds, c)
	return len(rd.conds) - 1
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
		case c.exact && !possible(c.tree.not()):
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
