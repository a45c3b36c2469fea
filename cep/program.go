package cep

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Program is a set of rules, compiled. It is immutable and may serve any number
// of Matchers at once.
//
// Rules have places. A program made from another by Edit leaves all rules where
// they were but those it changes, and shares everything else with the other, so
// that an edit costs what it changes, however many rules there are.
type Program struct {
	fields *predicate.Fields // numbers of paths, of this program and all it is related to
	paths  *event.PathSet    // all that conditions, keys and engines read
	index  *index.Index      // of conditions
	uses   vector[use]       // by number of the condition in the index
	places vector[entry]
	names  names
	alert  []int32 // places of rules that must see every event of their open keys
	always []int32 // places of rules that need no event to begin

	prefixes *prefixes // what rules have in common
	alike    []int32   // like alert, of rules that share a prefix

	once   sync.Once
	digest string

	bare barePlans
}

// entry is a rule in its place. A rule that is off has no plan, nor has one that
// is a bare condition and nothing else: of those there may be a million.
type entry struct {
	rule  *Rule // nil where a rule was removed, and where page has it
	page  *page
	plan  *plan
	first index.ID // of its conditions, whose numbers follow one another
	conds uint32   // how many; none of a rule that is off
}

// use is what a condition of the index is for.
type use struct {
	place  int32
	cond   uint8  // its number in the plan, less 1
	exact  bool   // that the condition holds; otherwise that it may, and is to be asked
	prefix uint16 // number of the prefix it is part of; 0: of the rule alone
}

// plan is a rule, compiled.
type plan struct {
	rule   *Rule
	engine engine.Engine // nil for a rule without state
	choice string        // what made the compiler choose the engine
	needs  engine.Needs
	elems  []string          // names, by number
	preds  []*predicate.Cond // conditions, by number less 1
	elem   []engine.Cond     // of the elements' conditions, by element
	by     []field           // the parts of the key
	values []field           // what the engine wants to know
	score  *predicate.Template
	same   string // equal for rules whose partial matches are interchangeable

	prefix *prefix       // what other rules begin with, too; nil: nothing
	branch engine.Branch // from there to this rule
}

// field is where a program finds the value of a path.
type field struct {
	slot int
	path event.Path
}

// cond gives the condition of an element.
func (pl *plan) cond(elem int) *predicate.Cond { return pl.preds[pl.elem[elem]-1] }

// Len is the number of rules, those that are off included.
func (p *Program) Len() int { return p.names.len() }

// All visits the rules in order, those that are off included, until visit
// returns false.
func (p *Program) All(visit func(*Rule) bool) {
	for i := range p.places.len() {
		if r := p.places.at(i).get(); r != nil && !visit(r) {
			return
		}
	}
}

// Rules gives the rules in order, those that are off included.
func (p *Program) Rules() []*Rule {
	all := make([]*Rule, 0, p.Len())
	p.All(func(r *Rule) bool {
		all = append(all, r)
		return true
	})
	return all
}

// Rule finds a rule by name.
func (p *Program) Rule(name string) (*Rule, bool) {
	e := p.find(name)
	if e == nil {
		return nil, false
	}
	return e.get(), true
}

// find gives the entry of a rule, or nil.
func (p *Program) find(name string) *entry {
	place, ok := p.names.get(name)
	if !ok {
		return nil
	}
	return p.places.at(int(place))
}

// runs reports whether the entry is a rule that takes part.
func (e *entry) runs() bool { return e.plan != nil || e.conds > 0 }

// Digest is the same for programs made of the same rules in the same order.
func (p *Program) Digest() string {
	p.once.Do(func() {
		h := sha256.New()
		var text idText
		p.eachEntry(func(e *entry) {
			text = text[:0]
			text.text(e.name())
			text.text(e.version())
			h.Write(text)
		})
		p.digest = hex.EncodeToString(h.Sum(nil))
	})
	return p.digest
}

// planOf gives the plan of an entry. That of a bare rule is made when it is asked for.
func (p *Program) planOf(e *entry) (*plan, error) {
	if e.plan != nil {
		return e.plan, nil
	}
	rule := e.get()
	if pl := p.bare.get(rule.Name); pl != nil {
		return pl, nil
	}
	c := &compiler{fields: p.fields, set: predicate.NewSetOn(p.fields)}
	pl := c.plan(rule)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	p.bare.put(rule.Name, pl)
	return pl, nil
}

// barePlans keeps the plans of some rules that are bare conditions, because a rule that
// matches is asked why, and matches again.
type barePlans struct {
	mu     sync.Mutex
	byName map[string]*plan // guarded by mu
}

// maxBarePlans is how many are kept.
const maxBarePlans = 1024

func (b *barePlans) get(name string) *plan {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byName[name]
}

func (b *barePlans) put(name string, pl *plan) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byName == nil || len(b.byName) >= maxBarePlans {
		b.byName = make(map[string]*plan)
	}
	b.byName[name] = pl
}

// names finds places by name. A copy shares the large parts with the original:
// what edits change stands in over, and moves on to mid when that has grown, so
// that an edit copies a few names and now and then more.
type names struct {
	base map[string]int32 // never changed once shared
	mid  map[string]int32 // nor this; what is different from base
	over map[string]int32 // what is different from both; gone where there is none any more
	n    int
}

const (
	gone    = -1
	maxOver = 64 // names in over; mid has up to 1/64 of base
)

func (n *names) len() int { return n.n }

func (n *names) get(name string) (place int32, ok bool) {
	for _, level := range [...]map[string]int32{n.over, n.mid} {
		if at, there := level[name]; there {
			return at, at != gone
		}
	}
	place, ok = n.base[name]
	return place, ok
}

// edit gives a copy to write to.
func (n *names) edit() names {
	if len(n.over) <= maxOver {
		return names{n.base, n.mid, merged(n.over), n.n}
	}
	if mid := merged(n.mid, n.over); len(mid) <= max(maxOver, len(n.base)/64) {
		return names{n.base, mid, make(map[string]int32), n.n}
	}
	base := merged(n.base, n.mid, n.over)
	maps.DeleteFunc(base, func(_ string, place int32) bool { return place == gone })
	return names{base, nil, make(map[string]int32), n.n}
}

// merged is a new map of all; what is later counts.
func merged(all ...map[string]int32) map[string]int32 {
	out := make(map[string]int32, len(all[0])+1)
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

func (n *names) set(name string, place int32) {
	if _, there := n.get(name); !there {
		n.n++
	}
	n.over[name] = place
}

func (n *names) remove(name string) {
	if _, there := n.get(name); there {
		n.n--
		n.over[name] = gone
	}
}
