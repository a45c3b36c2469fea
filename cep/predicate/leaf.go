package predicate

import "slices"

// Leaf is a truth over the event under test that is no Atom: arithmetic, two
// fields compared, lookups in tables, macros. Formulas of one Set hold each of
// its leafs once. A Leaf is immutable and safe to share.
type Leaf struct {
	root truth
	text string
}

// Eval decides it for an event. It allocates nothing unless cel-go has to
// interpret it or it builds texts.
func (l *Leaf) Eval(ev *Event) Tri { return l.root.eval(ev, nil) }

// Fields gives the indices in Set.Paths of what it reads, rising, each once.
// What cel-go interprets looks its fields up itself, and they are not among
// these.
func (l *Leaf) Fields() []int {
	var out []int
	l.root.walk(func(n node) {
		switch n := n.(type) {
		case *Atom:
			out = append(out, n.field.index)
		case *fieldRef:
			out = append(out, n.field.index)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Tables gives the names of the lookup tables that it mentions, each once.
func (l *Leaf) Tables() []string { return tablesOf(l.root) }

// String gives CEL that compiles to it again.
func (l *Leaf) String() string { return l.text }
