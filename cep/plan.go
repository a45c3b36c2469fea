package cep

import (
	"fmt"
	"strings"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
)

// Plan tells how a rule is matched: what `rhost explain` shows.
type Plan struct {
	Rule    string `json:"rule"`
	Version string `json:"version"`
	Mode    string `json:"mode"`

	Engine string `json:"engine"` // stateless, dfa, cea, nfa, window, state or schedule
	Why    string `json:"why"`    // what made the compiler choose it
	States int    `json:"states"` // of the automaton
	Bound  string `json:"bound"`  // on what one key may have open

	By       []string     `json:"by,omitempty"`
	Within   string       `json:"within,omitempty"`
	SeesAll  bool         `json:"sees_all"` // every event of a key with open partial matches is looked at
	Elements []Element    `json:"elements"`
	Graph    engine.Graph `json:"automaton,omitzero"` // its states and edges
}

// Element is one element of a rule in its Plan.
type Element struct {
	Name        string `json:"name"`
	Condition   string `json:"condition"`             // as understood
	Index       string `json:"index"`                 // which events lead to it
	Correlated  bool   `json:"correlated,omitempty"`  // depends on events bound before
	Interpreted string `json:"interpreted,omitempty"` // the part that runs in the slow interpreter
	Shared      int    `json:"shared,omitempty"`      // other places that use the same condition
}

// Plan tells how a rule is matched; ok is false when there is none of that name,
// or it is off.
func (p *Program) Plan(rule string) (plan Plan, ok bool) {
	pl, ok := p.byName[rule]
	if !ok {
		return Plan{}, false
	}
	w := pl.rule.When
	out := Plan{
		Rule: rule, Version: pl.rule.Version, Mode: pl.rule.Mode.String(),
		Engine: "stateless", Why: "one event is the whole match", States: 1, Bound: "nothing is kept",
	}
	for _, path := range w.By {
		out.By = append(out.By, path.String())
	}
	if pl.engine != nil {
		how := pl.engine.Plan()
		out.Engine, out.Why, out.Bound = how.Engine, pl.choice, how.Bound
		out.States, out.SeesAll, out.Graph = how.States, pl.needs.SeesAll, how.Graph
		if w.Within > 0 {
			out.Within = w.Within.String()
		}
	}
	for i, name := range pl.elems {
		id := pl.ids[pl.elem[i]-1]
		c := &p.conds[id]
		_, slow := c.pred.Interpreted()
		out.Elements = append(out.Elements, Element{
			Name: name, Condition: c.pred.String(), Index: p.index.describe(id, c.pred),
			Correlated: c.correlated, Interpreted: slow, Shared: len(c.uses) - 1,
		})
	}
	return out, true
}

// describe says which events lead to a condition.
func (x *index) describe(id int32, c *predicate.Cond) string {
	f := newFiling(c)
	var parts []string
	if f.typed {
		parts = append(parts, "type == "+quoted(f.types))
	}
	for _, g := range f.others {
		if g.Index != int(x.slots[id]) {
			continue
		}
		var values []string
		for _, v := range g.Values {
			values = append(values, v.String())
		}
		parts = append(parts, g.Path.String()+" == "+quoted(values))
		break
	}
	if len(parts) == 0 {
		return "every event"
	}
	return strings.Join(parts, ", ")
}

// quoted joins values with "or", the first few of them.
func quoted(values []string) string {
	const shown = 5
	var b strings.Builder
	for i, v := range values {
		if i == shown {
			fmt.Fprintf(&b, " or %d more", len(values)-shown)
			break
		}
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "%q", v)
	}
	return b.String()
}
