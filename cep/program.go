package cep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/rhost/rhost/cep/automaton"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Program is a set of rules, compiled. It is immutable and may serve any number
// of Matchers at once.
type Program struct {
	rules  []*Rule
	plans  []*plan // of the rules that are not off, in the order of rules
	byName map[string]*plan
	paths  *event.PathSet // all that conditions and keys read
	conds  []cond
	index  index
	alert  []int32 // plans that must see every event of their open keys
	digest string
}

// cond is one distinct condition.
type cond struct {
	pred       *predicate.Cond
	correlated bool
	uses       []use
}

// use is a place where a condition is needed.
type use struct {
	plan int32
	bit  uint64 // the condition's number in that plan, as automaton.Truth has it
}

// plan is a rule, compiled.
type plan struct {
	rule    *Rule
	ord     int32              // in Program.plans
	machine *automaton.Machine // nil for a rule without state
	elems   []string           // names, by number
	preds   []*predicate.Cond  // of the elements, by number
	numbers []automaton.Cond   // of the elements' conditions, by element
	ids     []int32            // in Program.conds, of the conditions by number, less 1
	starts  uint64             // conditions that can begin a match, bit by bit
	by      []int              // where the parts of the key are among the fields
	same    string             // equal for rules whose partial matches are interchangeable
}

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
	steps, traits := c.steps(pl)
	if len(c.errs) > before {
		return
	}
	if err := pl.build(steps, traits); err != nil {
		c.errs = append(c.errs, yamldoc.Errorf(r.When.TextPos, "when.pattern", codeElements, "simplify the pattern or split the rule", "%v", err))
		return
	}
	if r.Mode == syntax.Off {
		return
	}
	for i, id := range pl.ids {
		c.p.conds[id].uses = append(c.p.conds[id].uses, use{pl.ord, 1 << i})
	}
	if pl.seesAll() {
		c.p.alert = append(c.p.alert, pl.ord)
	}
	c.p.plans = append(c.p.plans, pl)
	c.p.byName[r.Name] = pl
}

// steps compiles the conditions of a rule and gives its pattern as the automaton
// wants it.
func (c *compiler) steps(pl *plan) ([]automaton.Step, automaton.Traits) {
	units := pl.rule.When.Pattern.Units
	scope := scopeOf(pl.rule)
	var steps []automaton.Step
	var traits automaton.Traits
	for i, u := range units {
		scope.Under = i
		id, err := c.condition(scope, u)
		if err != nil {
			c.fail(u.CondPos, err)
			continue
		}
		cd := c.p.conds[id]
		n := pl.number(id)
		if n <= automaton.MaxConds && cd.correlated {
			bit := uint64(1) << (n - 1)
			traits.Correlated |= bit
			if !readsLastOnly(cd.pred, units) {
				traits.Whole |= bit
			}
		}
		pl.elems = append(pl.elems, u.Name)
		pl.preds, pl.numbers = append(pl.preds, cd.pred), append(pl.numbers, automaton.Cond(n))
		steps = append(steps, automaton.Step{
			Elem: i, Cond: automaton.Cond(n), Link: contiguity(u.Link), Not: u.Link.Negative(),
			Min: u.Min, Max: u.Max, Optional: u.Optional, Repeat: contiguity(u.Repeat),
		})
	}
	return steps, traits
}

func scopeOf(r *Rule) predicate.Scope {
	s := predicate.Scope{Under: predicate.NoElement}
	for _, u := range r.When.Pattern.Units {
		s.Elements = append(s.Elements, predicate.Element{Name: u.Name, Repeated: u.Repeated(), Negative: u.Link.Negative()})
	}
	return s
}

func contiguity(l syntax.Link) automaton.Link {
	if l == syntax.Next || l == syntax.NextNot {
		return automaton.Next
	}
	return automaton.Then
}

// condition compiles the condition of a unit, or finds the same one compiled
// before. A text that depends on the event alone means the same in every scope.
func (c *compiler) condition(scope predicate.Scope, u syntax.Unit) (int32, error) {
	if id, ok := c.shared[u.Cond]; ok {
		return id, nil
	}
	pred, err := c.set.Add(scope, u.Cond, u.CondPos)
	if err != nil {
		return 0, err
	}
	id := int32(len(c.p.conds))
	c.p.conds = append(c.p.conds, cond{pred: pred, correlated: pred.Correlated()})
	if !pred.Correlated() {
		c.shared[u.Cond] = id
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

// number gives the plan's number of a condition, from 1.
func (pl *plan) number(id int32) int {
	for i, have := range pl.ids {
		if have == id {
			return i + 1
		}
	}
	pl.ids = append(pl.ids, id)
	return len(pl.ids)
}

// build makes the machine, unless every event that meets the condition is a
// match by itself.
func (pl *plan) build(steps []automaton.Step, traits automaton.Traits) error {
	w := pl.rule.When
	nfa, err := automaton.Compile(steps, traits)
	if err != nil {
		return err
	}
	pl.same = pl.fingerprint()
	pl.starts, _ = nfa.Starts()
	if u := w.Pattern.Units[0]; len(steps) == 1 && u.Min == 1 && u.Max == 1 {
		return nil
	}
	policy := automaton.Policy{
		Within: w.Within, OnTimeout: w.OnTimeout,
		Limit: w.Limit.Runs, DropOld: w.Limit.Full == syntax.DropOldest,
	}
	if w.Skip == syntax.NoSkip {
		policy.Skip.Kind = automaton.NoSkip
	}
	if w.Emit == syntax.Ordered {
		policy.Emit = automaton.Ordered
	}
	pl.machine, err = automaton.NewMachine(nfa, policy)
	return err
}

// seesAll reports whether the rule must be shown events that meet none of its
// conditions.
func (pl *plan) seesAll() bool { return pl.machine != nil && pl.machine.NFA().SeesAll() }

// fingerprint is all that decides what partial matches mean.
func (pl *plan) fingerprint() string {
	w := pl.rule.When
	var b strings.Builder
	for i, u := range w.Pattern.Units {
		fmt.Fprintf(&b, "%s %s {%d,%d} %v %s: %s\n", u.Link, u.Name, u.Min, u.Max, u.Optional, u.Repeat, pl.preds[i])
	}
	fmt.Fprintf(&b, "%v %s %s %s %v %+v", w.By, w.Within, w.Skip, w.Emit, w.OnTimeout, w.Limit)
	return b.String()
}

// readsLastOnly reports whether all that a condition reads of repeated elements
// is the last event of each.
func readsLastOnly(c *predicate.Cond, units []syntax.Unit) bool {
	if interpreted, _ := c.Interpreted(); interpreted {
		return false
	}
	for _, atom := range c.Explain(&predicate.Event{Ev: new(event.Event)}, nil) {
		for _, v := range atom.Values {
			for _, u := range units {
				// A value is written data.x, last(elem).data.x, or in a way that
				// takes in other events of elem; a single event is its own last.
				if u.Repeated() && strings.Contains(v.Path, u.Name) && !strings.HasPrefix(v.Path, "last("+u.Name+").") && !ownField(v.Path) {
					return false
				}
			}
		}
	}
	return true
}

// ownField reports whether a value as Explain writes it belongs to the event
// under test.
func ownField(path string) bool {
	_, err := event.ParsePath(path)
	return err == nil
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

// Rules gives the rules in document order, those that are off included. The
// slice must not be changed.
func (p *Program) Rules() []*Rule { return p.rules }

// Rule finds a rule by name.
func (p *Program) Rule(name string) (*Rule, bool) {
	for _, r := range p.rules {
		if r.Name == name {
			return r, true
		}
	}
	return nil, false
}

// Digest is the same for programs made of the same rules in the same order.
func (p *Program) Digest() string { return p.digest }

func digest(rules []*Rule) string {
	var all idText
	for _, r := range rules {
		all.text(r.Name)
		all.text(r.Version)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}
