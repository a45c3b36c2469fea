package cep

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// window compiles a rule over windows.
func (c *compiler) window(pl *plan) {
	w := pl.rule.When.Window
	spec, err := window.ParseSpec(w.Text)
	if err != nil {
		c.placed(w.Pos, "when.window", err)
		return
	}
	lets := make([]window.Let, len(w.Let))
	for i, l := range w.Let {
		lets[i] = window.Let{Name: l.Name, Text: l.Text, Pos: l.Pos}
	}
	e := &windowEngine{}
	if e.plan, err = window.Compile(spec, lets); err != nil {
		c.placed(w.Pos, "when.let", err)
	}
	if w.Where != "" {
		e.where = c.where(pl, w.Where, w.WherePos)
	}
	if w.Having != "" {
		c.having(e, w)
	}
	pl.engine, pl.choice = e, "aggregates over windows"
	for i := range lets {
		lets[i].Pos = yamldoc.Pos{}
	}
	pl.same = fmt.Sprintf("%s %+v %v %q %s", spec, lets, pl.rule.When.By, w.Having, pl.conditions())
}

// having compiles the condition on the aggregates, which sees nothing else.
func (c *compiler) having(e *windowEngine, w *syntax.Window) {
	set := predicate.NewSet()
	for _, l := range w.Let {
		e.names = append(e.names, l.Name)
	}
	cond, err := set.Add(predicate.Scope{Values: e.names}, w.Having, w.HavingPos)
	if err != nil {
		c.placed(w.HavingPos, "when.having", err)
		return
	}
	for _, p := range set.Paths() {
		if parts := p.Parts(); parts[0] != "data" || len(parts) < 2 || !slices.Contains(e.names, parts[1]) {
			c.errs = append(c.errs, yamldoc.Errorf(w.HavingPos, "when.having", predicate.CodeUndefined,
				"compare the names under let; to choose events use where:", "%s is not a value of the window", p))
		}
	}
	if tables := cond.Tables(); len(tables) > 0 {
		c.errs = append(c.errs, yamldoc.Errorf(w.HavingPos, "when.having", predicate.CodeUndefined,
			"look it up in where:", "table.%s cannot be looked up in a condition on a window", tables[0]))
	}
	e.having = cond
}

// schedule compiles a rule that goes by the clock.
func (c *compiler) schedule(pl *plan) {
	s := pl.rule.When.Schedule
	sched, err := trigger.ParseSchedule(s.Cron, s.Timezone, trigger.Missed(s.Missed), trigger.DST(s.DST))
	if err != nil {
		c.placed(s.Pos, "when.schedule", err)
		return
	}
	pl.engine, pl.choice = &scheduleEngine{sched}, "lane time alone makes it match"
	pl.same = fmt.Sprintf("%s %s %s %s", s.Cron, s.Timezone, s.Missed, s.DST)
}

// state compiles a rule over how a value is.
func (c *compiler) state(pl *plan) {
	s := pl.rule.When.State
	e := &stateEngine{}
	var err error
	if e.path, err = trigger.ParsePath(s.Text); err != nil {
		c.placed(s.Pos, "when.state", err)
	}
	config := trigger.Config{
		Test: trigger.Test(0), Limit: s.Low, Low: s.Low, High: s.High, Value: event.ValueOf(s.Value),
		Pattern: s.Regexp, Tolerance: s.Tolerance, For: s.For,
	}
	if s.Test == syntax.Below {
		config.Limit = s.High
	}
	if config.Test, err = trigger.ParseTest(s.Test.String()); err != nil {
		c.placed(s.TestPos, "when.state", err)
	}
	if e.watch, err = trigger.Compile(config); err != nil {
		c.placed(s.TestPos, "when", err)
		return
	}
	if s.Where != "" {
		e.where = c.where(pl, s.Where, s.WherePos)
	}
	pl.elems = []string{syntax.BareName}
	pl.engine, pl.choice = e, e.Plan().Why
	pl.same = fmt.Sprintf("%s %s %v %s", e.path, e.watch, pl.rule.When.By, pl.conditions())
}

// placed adds problems that know no place of their own.
func (c *compiler) placed(pos yamldoc.Pos, key string, err error) {
	for _, e := range problemsOf(err) {
		at := *e
		if at.Pos == (yamldoc.Pos{}) {
			at.Pos = pos
		}
		if at.Key == "" {
			at.Key = key
		}
		c.errs = append(c.errs, &at)
	}
}

// problemsOf gives the problems in an error of yamldoc.
func problemsOf(err error) yamldoc.Errors {
	if several, ok := errors.AsType[yamldoc.Errors](err); ok {
		return several
	}
	if one, ok := errors.AsType[*yamldoc.Error](err); ok {
		return yamldoc.Errors{one}
	}
	return yamldoc.Errors{yamldoc.Errorf(yamldoc.Pos{}, "", syntax.CodeValue, "", "%v", err)}
}
