package cep

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
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
	bit  uint64 // the condition's number in that plan, as engine.Truth has it
}

// plan is a rule, compiled.
type plan struct {
	rule   *Rule
	ord    int32         // in Program.plans
	engine engine.Engine // nil for a rule without state
	choice string        // what made the compiler choose the engine
	needs  engine.Needs
	elems  []string          // names, by number
	preds  []*predicate.Cond // conditions, by number less 1
	elem   []engine.Cond     // of the elements' conditions, by element
	ids    []int32           // in Program.conds, of the conditions by number, less 1
	by     []int             // where the parts of the key are among the fields
	same   string            // equal for rules whose partial matches are interchangeable
}

// cond gives the condition of an element.
func (pl *plan) cond(elem int) *predicate.Cond { return pl.preds[pl.elem[elem]-1] }

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
