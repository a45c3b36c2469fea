package cep

import (
	"errors"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Compile compiles rules into a program; rules that are off are checked and left
// out. It reports every problem of every rule, as yamldoc.Errors. Two rules of one
// name are a problem.
func Compile(rules []*Rule) (*Program, error) {
	c := &compiler{
		p:      &Program{rules: rules, byName: make(map[string]*plan)},
		set:    predicate.NewSet(),
		shared: make(map[string]int32),
		names:  make(map[string]*Rule),
	}
	for _, r := range rules {
		c.rule(r)
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	c.readFields()
	c.p.index = newIndex(c.p.conds)
	c.p.digest = digest(rules)
	return c.p, nil
}

// compiler builds a Program.
type compiler struct {
	p      *Program
	set    *predicate.Set
	shared map[string]int32 // conditions that depend on the event alone, by text
	names  map[string]*Rule
	errs   yamldoc.Errors
}

func (c *compiler) rule(r *Rule) {
	if first, ok := c.names[r.Name]; ok {
		c.errs = append(c.errs, yamldoc.Errorf(r.Pos, "rule", syntax.CodeDuplicate, "rename one of them",
			"%s is also the name of the rule at %s", r.Name, first.Pos))
		return
	}
	c.names[r.Name] = r
	before := len(c.errs)
	pl := &plan{rule: r, ord: int32(len(c.p.plans))}
	steps := c.steps(pl)
	if len(c.errs) > before {
		return
	}
	if err := pl.build(steps); err != nil {
		c.errs = append(c.errs, yamldoc.Errorf(r.When.TextPos, "when.pattern", codeElements, "simplify the pattern or split the rule", "%v", err))
		return
	}
	if r.Mode == syntax.Off {
		return
	}
	for i, id := range pl.ids {
		c.p.conds[id].uses = append(c.p.conds[id].uses, use{pl.ord, 1 << i})
	}
	if pl.needs.SeesAll {
		c.p.alert = append(c.p.alert, pl.ord)
	}
	c.p.plans = append(c.p.plans, pl)
	c.p.byName[r.Name] = pl
}

// condition compiles a condition, or finds the same one compiled before. A text
// that depends on the event alone means the same in every scope.
func (c *compiler) condition(scope predicate.Scope, text string, pos yamldoc.Pos) (int32, error) {
	if id, ok := c.shared[text]; ok {
		return id, nil
	}
	pred, err := c.set.Add(scope, text, pos)
	if err != nil {
		return 0, err
	}
	id := int32(len(c.p.conds))
	c.p.conds = append(c.p.conds, cond{pred: pred, correlated: pred.Correlated()})
	if !pred.Correlated() {
		c.shared[text] = id
	}
	return id, nil
}

func (c *compiler) fail(pos yamldoc.Pos, err error) {
	if several, ok := errors.AsType[yamldoc.Errors](err); ok {
		c.errs = append(c.errs, several...)
		return
	}
	c.errs = append(c.errs, yamldoc.Errorf(pos, "when", predicate.CodeSyntax, "", "%v", err))
}

// readFields decides which fields are read from every event: those of the
// conditions, in the order they want, and then those of keys.
func (c *compiler) readFields() {
	paths := append([]event.Path(nil), c.set.Paths()...)
	slot := make(map[event.Path]int)
	for i, p := range paths {
		slot[p] = i
	}
	for _, pl := range c.p.plans {
		for _, p := range pl.rule.When.By {
			i, ok := slot[p]
			if !ok {
				i = len(paths)
				paths, slot[p] = append(paths, p), i
			}
			pl.by = append(pl.by, i)
		}
	}
	c.p.paths = event.NewPathSet(paths)
}

// build chooses the engine, unless every event that meets the condition is a
// match by itself.
func (pl *plan) build(steps []engine.Step) error {
	traits := pl.traits()
	pl.same = pl.fingerprint()
	if len(steps) == 1 && steps[0].Single() && !steps[0].Repeats() && !steps[0].Optional {
		pl.needs.Starts = steps[0].Cond.Bit()
		return nil
	}
	var err error
	pl.engine, pl.choice, err = choose(steps, traits, policyOf(&pl.rule.When))
	if err != nil {
		return err
	}
	pl.needs = pl.engine.Needs()
	return nil
}

// traits says what the conditions of the plan depend on.
func (pl *plan) traits() engine.Traits {
	var t engine.Traits
	for i, p := range pl.preds {
		if i >= engine.MaxConds || !p.Correlated() {
			continue
		}
		bit := uint64(1) << i
		t.Correlated |= bit
		for _, r := range p.Reads() {
			if r.Part != predicate.PartLast && pl.rule.When.Pattern.Elems[r.Elem].Repeated {
				t.Whole |= bit
			}
		}
	}
	return t
}
