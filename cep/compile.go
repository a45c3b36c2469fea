package cep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// note lists a rule among those that cannot wait for a condition.
func (p *Program) note(e *entry, place int32) {
	if e.plan == nil {
		return
	}
	switch {
	case !e.plan.needs.SeesAll && !e.plan.needs.AnyStart:
	case e.plan.prefix != nil:
		p.alike = append(p.alike, place)
	default:
		p.alert = append(p.alert, place)
	}
	if e.plan.needs.Always {
		p.always = append(p.always, place)
	}
}

// perSet is for how many rules atoms are kept to be shared while compiling; the
// index has its own.
const perSet = 1 << 16

// compiler compiles rules.
type compiler struct {
	fields *predicate.Fields
	set    *predicate.Set
	errs   yamldoc.Errors
}

func newCompiler(fields *predicate.Fields) *compiler {
	return &compiler{fields: fields, set: predicate.NewSetOn(fields)}
}

func (c *compiler) duplicate(r, first *Rule) {
	c.errs = append(c.errs, yamldoc.Errorf(r.Pos, "rule", syntax.CodeDuplicate, "rename one of them",
		"%s is also the name of the rule at %s", r.Name, first.Pos))
}

// formula is what the index is to find of a condition.
type formula struct {
	predicate.Formula
	exact bool
}

// entry compiles a rule, and gives the formulas of its conditions if it takes
// part.
func (c *compiler) entry(r *Rule) (entry, []formula) {
	e := entry{rule: r}
	if isBare(r) {
		el := &r.When.Pattern.Elems[0]
		f, exact, _, err := c.set.AddFormula(bareScope, el.Cond, el.CondPos)
		if err != nil {
			c.fail(el.CondPos, err)
			return e, nil
		}
		if r.Mode == syntax.Off {
			return e, nil
		}
		return e, []formula{{f, exact}}
	}
	before := len(c.errs)
	pl := c.plan(r)
	if len(c.errs) > before || r.Mode == syntax.Off {
		return e, nil
	}
	e.plan = pl
	formulas := make([]formula, 0, len(pl.preds))
	for _, p := range pl.preds {
		f, exact := p.Formula()
		formulas = append(formulas, formula{f, exact})
	}
	return e, formulas
}

// isBare reports whether a rule is one condition and nothing that needs more.
func isBare(r *Rule) bool {
	return r.When.Bare() && len(r.When.By) == 0 && r.When.Score == ""
}

// bareScope is what a bare condition can name: itself.
var bareScope = predicate.Scope{Elements: []predicate.Element{{Name: syntax.BareName}}} //nolint:gochecknoglobals // never changed

// plan compiles a rule that is not bare, or one that is and is to be explained.
func (c *compiler) plan(r *Rule) *plan {
	pl := &plan{rule: r}
	before := len(c.errs)
	switch w := &r.When; {
	case w.Window != nil:
		c.window(pl)
	case w.Schedule != nil:
		c.schedule(pl)
	case w.State != nil:
		c.state(pl)
	default:
		c.pattern(pl)
	}
	if len(c.errs) > before {
		return nil
	}
	if pl.engine != nil {
		pl.needs = pl.engine.Needs()
	}
	if r.When.Score != "" {
		c.score(pl)
	}
	pl.by, pl.values = c.intern(r.When.By), c.intern(pl.needs.Paths)
	return pl
}

// pattern compiles a pattern or a condition.
func (c *compiler) pattern(pl *plan) {
	before := len(c.errs)
	steps := c.steps(pl)
	if len(c.errs) > before {
		return
	}
	if one := &steps[0]; len(steps) == 1 && one.Single() && !one.Repeats() && !one.Optional && !pl.rule.When.Strict {
		pl.needs.Starts = steps[0].Cond.Bit()
		return
	}
	pl.same = fmt.Sprintf("%q %+v %v %+v %s", pl.elems, steps, pl.rule.When.By, policyOf(&pl.rule.When), pl.conditions())
	var err error
	pl.engine, pl.choice, err = choose(steps, pl.traits(), policyOf(&pl.rule.When))
	if err != nil {
		c.errs = append(c.errs, yamldoc.Errorf(pl.rule.When.TextPos, "when.pattern", codeElements, "simplify the pattern or split the rule", "%v", err))
	}
}

// conditions writes the conditions down as they were understood.
func (pl *plan) conditions() string {
	var b strings.Builder
	for i, p := range pl.preds {
		fmt.Fprintf(&b, "\nc%d: %s", i+1, p)
	}
	return b.String()
}

// intern finds out where the values of paths will be.
func (c *compiler) intern(paths []event.Path) []field {
	var list []field
	for _, p := range paths {
		list = append(list, field{c.fields.Intern(p), p})
	}
	return list
}

func (c *compiler) fail(pos yamldoc.Pos, err error) {
	if several, ok := errors.AsType[yamldoc.Errors](err); ok {
		c.errs = append(c.errs, several...)
		return
	}
	c.errs = append(c.errs, yamldoc.Errorf(pos, "when", predicate.CodeSyntax, "", "%v", err))
}

// traits says what the conditions of the plan depend on.
func (pl *plan) traits() engine.Traits {
	t := engine.Traits{Joins: make([][]predicate.Join, len(pl.preds))}
	for i, p := range pl.preds {
		if i >= engine.MaxConds || !p.Correlated() {
			continue
		}
		bit := uint64(1) << i
		t.Correlated |= bit
		t.Joins[i] = p.Joins()
		if onlyJoins(p) {
			t.Equal |= bit
		}
		t.Folds = addAll(t.Folds, p.Folds())
		t.Fields = addAll(t.Fields, p.BoundFields())
		for _, r := range p.Reads() {
			if r.Part != predicate.PartLast && pl.rule.When.Pattern.Elems[r.Elem].Repeated {
				t.Whole |= bit
			}
		}
	}
	return t
}

// addAll appends what is not there yet.
func addAll[T comparable](to, from []T) []T {
	for _, x := range from {
		if !slices.Contains(to, x) {
			to = append(to, x)
		}
	}
	return to
}

// onlyJoins reports whether its equality joins are all that a condition reads of
// events bound before.
func onlyJoins(p *predicate.Cond) bool {
	if slow, _ := p.Interpreted(); slow {
		return false
	}
	n := 0
	for _, leaf := range p.Explain(&predicate.Event{Ev: new(event.Event)}, nil) {
		for _, v := range leaf.Values {
			if _, err := event.ParsePath(v.Path); err != nil { // last(a).data.x, a.data.x
				n++
			}
		}
	}
	return n == len(p.Joins())
}
