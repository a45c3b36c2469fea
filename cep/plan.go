package cep

import (
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/index"
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
	SeesAll  bool         `json:"sees_all"`         // every event of a key with open partial matches is looked at
	Shared   *Shared      `json:"shared,omitempty"` // what other rules begin with, too
	Elements []Element    `json:"elements"`
	Graph    engine.Graph `json:"automaton,omitzero"` // its states and edges
}

// Shared is the beginning that a rule shares with others: it is followed once for
// all of them.
type Shared struct {
	Rules int    `json:"rules"` // how many had it when the program was compiled, this one counted
	UpTo  string `json:"up_to"` // the last element of it
}

// Element is one element of a rule in its Plan.
type Element struct {
	Name        string `json:"name"`
	Condition   string `json:"condition"`             // as understood
	Index       string `json:"index"`                 // which events lead to it
	Correlated  bool   `json:"correlated,omitempty"`  // depends on events bound before
	Interpreted string `json:"interpreted,omitempty"` // the part that runs in the slow interpreter
}

// Plan tells how a rule is matched; ok is false when there is none of that name,
// or it is off.
func (p *Program) Plan(rule string) (plan Plan, ok bool) {
	e := p.find(rule)
	if e == nil || !e.runs() {
		return Plan{}, false
	}
	pl, err := p.planOf(e)
	if err != nil { // it was compiled before
		return Plan{}, false
	}
	r := e.get()
	w := &r.When
	out := Plan{
		Rule: rule, Version: r.Version, Mode: r.Mode.String(),
		Engine: "stateless", Why: "one event is the whole match", States: 1, Bound: "nothing is kept",
	}
	for _, path := range w.By {
		out.By = append(out.By, path.String())
	}
	if pl.engine != nil {
		how := pl.engine.Plan()
		out.Engine, out.Why, out.Bound = how.Engine, pl.choice, how.Bound
		out.States, out.SeesAll, out.Graph, out.Shared = how.States, pl.needs.SeesAll, how.Graph, pl.shared()
		if w.Within > 0 {
			out.Within = w.Within.String()
		}
	}
	for i, number := range pl.elem {
		c, name := pl.cond(i), pl.elems[i]
		_, slow := c.Interpreted()
		out.Elements = append(out.Elements, Element{
			Name: name, Condition: c.String(), Index: p.index.Place(e.first + index.ID(number-1)).String(),
			Correlated: c.Correlated(), Interpreted: slow,
		})
	}
	return out, true
}
