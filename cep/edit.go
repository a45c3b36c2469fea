package cep

import (
	"slices"

	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Edit gives a program in which the rules of put are added, or put in the place
// of those of the same name, and those named in remove are gone. Names to remove
// that do not exist are passed over. Other rules stay as they are, and so does p.
// It takes time in proportion to the edit, and reports every problem of every rule
// as Compile does, with no program then.
//
// Rules that are added come after the others. Places and numbers are not used
// again, some forty bytes for each rule that is changed; Compile starts afresh.
func (p *Program) Edit(put []*Rule, remove []string) (*Program, error) {
	e := editor{
		c: newCompiler(p.fields), was: p, places: p.places.edit(), uses: p.uses.edit(), names: p.names.edit(),
		next: p.index.Next(),
	}
	for _, name := range remove {
		if place, ok := e.names.get(name); ok {
			e.takeOut(place)
			e.places.set(int(place), entry{})
			e.names.remove(name)
		}
	}
	for _, r := range put {
		e.put(r)
	}
	if len(e.c.errs) > 0 {
		return nil, e.c.errs
	}
	return e.program()
}

// editor makes a program from another.
type editor struct {
	c      *compiler
	was    *Program
	places *edited[entry]
	uses   *edited[use]
	names  names
	next   index.ID // of the next condition

	add     []predicate.Formula
	remove  []index.ID
	touched []int32         // places that were written to
	fresh   map[string]bool // names put in by this edit
}

// takeOut marks the conditions of a rule as gone.
func (e *editor) takeOut(place int32) {
	old := e.places.at(int(place))
	for i := range old.conds {
		e.remove = append(e.remove, old.first+i)
	}
	e.touched = append(e.touched, place)
}

func (e *editor) put(r *Rule) {
	place, there := e.names.get(r.Name)
	switch {
	case there && e.fresh[r.Name]:
		e.c.duplicate(r, e.places.at(int(place)).get())
		return
	case there && e.places.at(int(place)).version() == r.Version:
		return // what it says is what there is
	}
	n, formulas := e.c.entry(r)
	n.first, n.conds = e.next, uint32(len(formulas))
	e.was.prefixes.find(n.plan)
	if !there {
		place = int32(e.places.len())
		e.places.push(entry{})
		e.names.set(r.Name, place)
	}
	e.takeOut(place)
	e.places.set(int(place), n)
	for i, f := range formulas {
		e.add = append(e.add, f.Formula)
		e.uses.push(n.use(place, i, f.exact))
		e.next++
	}
	if e.fresh == nil {
		e.fresh = make(map[string]bool)
	}
	e.fresh[r.Name] = true
}

// program puts the new program together.
func (e *editor) program() (*Program, error) {
	x, err := e.was.index.With(e.add, e.remove)
	if err != nil {
		return nil, err
	}
	p := &Program{
		fields: e.was.fields, paths: e.was.paths, index: x,
		places: e.places.vector, uses: e.uses.vector, names: e.names, prefixes: e.was.prefixes,
	}
	if paths := p.fields.Paths(); len(paths) > p.paths.Len() {
		p.paths = event.NewPathSet(paths)
	}
	slices.Sort(e.touched)
	e.touched = slices.Compact(e.touched)
	keep := func(list []int32) []int32 {
		return slices.DeleteFunc(slices.Clone(list), func(place int32) bool {
			_, written := slices.BinarySearch(e.touched, place)
			return written
		})
	}
	p.alert, p.alike, p.always = keep(e.was.alert), keep(e.was.alike), keep(e.was.always)
	for _, place := range e.touched {
		p.note(p.places.at(int(place)), place)
	}
	return p, nil
}

// Update gives a program of exactly these rules, compiling only what is not in p
// already. Rules that both have stay where they are.
func (p *Program) Update(rules []*Rule) (*Program, error) {
	wanted := make(map[string]bool, len(rules))
	for _, r := range rules {
		wanted[r.Name] = true
	}
	var remove []string
	p.eachEntry(func(e *entry) {
		if name := e.name(); !wanted[name] {
			remove = append(remove, name)
		}
	})
	return p.Edit(rules, remove)
}

// Pieces is in how many pieces the index of conditions is. Every event is looked up
// in each of them.
func (p *Program) Pieces() int { return len(p.index.Segments()) }

// Compaction joins what a stream of edits has left of a program's index in
// pieces. Edit itself joins only small ones, so that an edit stays quick.
type Compaction struct{ c *index.Compaction }

// Compact gives the joining that is worth while; ok is false when there is none.
func (p *Program) Compact() (c Compaction, ok bool) {
	joint := p.index.Compact()
	return Compaction{joint}, joint != nil
}

// Run does the work, in any goroutine, while the program is used and edited.
func (c Compaction) Run() error { return c.c.Run() }

// Apply gives p with the result of a compaction, begun on p or on a program that p
// was edited from. Rules and places stay as they are. It gives p itself when the
// compaction has come too late to be of use.
func (p *Program) Apply(c Compaction) *Program {
	x := p.index.Apply(c.c)
	if x == p.index {
		return p
	}
	return &Program{
		fields: p.fields, paths: p.paths, index: x, uses: p.uses, places: p.places, names: p.names,
		alert: p.alert, alike: p.alike, always: p.always, prefixes: p.prefixes,
	}
}
