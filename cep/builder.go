package cep

import (
	"encoding/hex"
	"strings"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Compile compiles rules into a program; rules that are off are checked and left
// out. It reports every problem of every rule, as yamldoc.Errors. Two rules of one
// name are a problem.
//
// The program keeps the rules as they are. Who reads very many of them is better
// served by a Builder.
func Compile(rules []*Rule) (*Program, error) {
	b := NewBuilder()
	b.keep = true
	for _, r := range rules {
		b.Add(r)
	}
	return b.Program()
}

// Builder compiles rules one by one, as they are read, into what Compile would
// make of them all. Of a rule that is one bare condition it keeps no more than its
// name, its version and its document: the program reads that again when somebody
// asks for the rule. So a million rules need not be in memory at once.
//
// A Builder belongs to one goroutine; rules may be read in others.
type Builder struct {
	c     *compiler
	p     *Program
	index *index.Builder
	keep  bool   // the rules that were added, the bare ones too
	pages []page // in their order, room for those to come
	kept  int    // rules since the compiler last let go of atoms
}

// NewBuilder gives a Builder without rules.
func NewBuilder() *Builder {
	c := newCompiler(predicate.NewFields())
	return &Builder{c: c, p: &Program{fields: c.fields, names: names{base: make(map[string]int32)}}, index: index.NewBuilder()}
}

// Add compiles a rule, which must be as it was read: what it says must stand in
// its Source. What is wrong with it is told by Program.
func (b *Builder) Add(r *Rule) {
	p := b.p
	if at, ok := p.names.base[r.Name]; ok {
		b.c.duplicate(r, p.places.at(int(at)).get())
		return
	}
	place := int32(p.places.len())
	e, formulas := b.c.entry(r)
	e.first, e.conds = index.ID(b.index.Len()), uint32(len(formulas))
	for n, f := range formulas {
		b.index.Add(f.Formula)
		p.uses.add(use{place: place, cond: uint8(n), exact: f.exact})
	}
	if !b.keep && e.plan == nil && isBare(r) {
		b.letGo(&e)
	}
	p.names.base[e.name()] = place
	p.places.add(e)
	if b.kept++; b.kept == perSet {
		b.c.set, b.kept = predicate.NewSetOn(b.c.fields), 0
	}
}

// letGo puts a page in the place of a bare rule.
func (b *Builder) letGo(e *entry) {
	if len(b.pages) == 0 {
		b.pages = make([]page, chunk)
	}
	pg, r := &b.pages[0], e.rule
	if n, err := hex.Decode(pg.version[:], []byte(r.Version)); err != nil || n != len(pg.version) {
		return // it did not come from a document
	}
	pg.source, pg.name = r.Source(), r.Name
	if at := strings.Index(pg.source.Text, r.Name); at >= 0 {
		pg.name = pg.source.Text[at:][:len(r.Name)] // which is kept anyhow
	}
	b.pages = b.pages[1:]
	e.rule, e.page = nil, pg
}

// Problem takes down what is wrong with a document of which there is no rule, so
// that it is told in its place among the problems of others.
func (b *Builder) Problem(e *yamldoc.Error) { b.c.errs = append(b.c.errs, e) }

// Problems is how many there are so far.
func (b *Builder) Problems() int { return len(b.c.errs) }

// Program gives the program, or every problem in the order they were met, as
// yamldoc.Errors. The Builder is done then.
func (b *Builder) Program() (*Program, error) {
	p := b.p
	if len(b.c.errs) > 0 {
		return nil, b.c.errs
	}
	b.c.set, b.pages = nil, nil
	p.settle(b.c)
	seg, err := b.index.Build()
	if err != nil {
		return nil, err
	}
	p.names.n = len(p.names.base)
	p.index = index.NewIndex(seg)
	p.paths = event.NewPathSet(b.c.fields.Paths())
	return p, nil
}
