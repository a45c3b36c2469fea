package predicate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rhost/rhost/event"
)

// Atom is one test of a field of the event under test against constants. A Set
// has each of its atoms once, so that within a Set atoms are the same exactly
// when their pointers are. An Atom is immutable and safe to share; it keeps the
// text of the condition it came from first, in which its constants lie.
type Atom struct {
	field field
	id    int32
	test  test
}

// NewAtom rebuilds an atom from what its methods gave, for an index that comes
// from disk. at is the index of path among the fields that Eval's caller
// scans. Its ID is -1: it belongs to no Set. values are kept.
func NewAtom(at int, path event.Path, o Op, fold bool, values []event.Value) (*Atom, error) {
	t := test{op: o, fold: fold}
	if err := t.constants(values); err != nil {
		return nil, fmt.Errorf("build the test %s of %s: %w", o, path, err)
	}
	return &Atom{field: field{at, path}, id: -1, test: t}, nil
}

// ID numbers the atoms of a Set from 0 in the order met.
func (a *Atom) ID() int32 { return a.id }

// Field is the index of the path in Set.Paths.
func (a *Atom) Field() int { return a.field.index }

// Path is what the atom tests.
func (a *Atom) Path() event.Path { return a.field.path }

// Op says which test it is.
func (a *Atom) Op() Op { return a.test.op }

// Fold reports whether the test is of lower(value). Only texts then pass, and
// constants that are not in lower case are never met. OpTrue, OpHas and OpCIDR
// do not fold.
func (a *Atom) Fold() bool { return a.test.fold }

// Value is the constant; Missing for OpIn, OpTrue and OpHas. It is a scalar:
// a text, number, boolean, time or null.
func (a *Atom) Value() event.Value { return a.test.lit }

// Values gives the constants: of OpIn all of them, in the order written and
// with repetitions; none of OpTrue and OpHas. They belong to the atom.
func (a *Atom) Values() []event.Value { return a.test.constantsOf() }

func (t *test) constantsOf() []event.Value {
	switch {
	case t.set != nil:
		return t.set.list
	case t.lit.Kind() == event.Missing:
		return nil
	}
	return []event.Value{t.lit}
}

// Eval decides the test for a value of the field. It allocates nothing, except
// for an order or a regular expression on lower(value).
func (a *Atom) Eval(v event.Value) Tri { return a.test.eval(v) }

// Of gives the value of the field in an event.
func (a *Atom) Of(ev *Event) event.Value { return a.field.of(ev) }

// String gives the atom as CEL.
func (a *Atom) String() string { return text(a, nil) }

func (a *Atom) eval(ev *Event, _ Env) Tri { return a.test.eval(a.field.of(ev)) }

func (a *Atom) walk(visit func(node)) { visit(a) }

func (a *Atom) write(b *strings.Builder, _ []string) { a.test.write(b, celPath(a.field.path)) }

// constants completes a test, or says why there is none of these constants.
func (t *test) constants(values []event.Value) error {
	if t.op >= opEnd {
		return errors.New("no such test")
	}
	if t.fold && (t.op == OpTrue || t.op == OpHas || t.op == OpCIDR) {
		return errors.New("does not work on lower(…)")
	}
	for _, v := range values {
		if !ordered(v.Kind()) && v.Kind() != event.Null || isNaN(v) {
			return fmt.Errorf("a %s is no constant", v.Kind())
		}
	}
	switch t.op {
	case OpIn:
		t.set = newValueSet(values)
		return nil
	case OpTrue, OpHas:
		if len(values) != 0 {
			return errors.New("takes no constant")
		}
		return nil
	default:
	}
	if len(values) != 1 {
		return fmt.Errorf("takes one constant, not %d", len(values))
	}
	t.lit = values[0]
	return t.prepare()
}

// prepare checks the one constant of a test and reads it where it is a pattern.
func (t *test) prepare() error {
	switch t.op {
	case OpEq, OpNe:
		return nil
	case OpLt, OpLe, OpGt, OpGe:
		if !ordered(t.lit.Kind()) {
			return fmt.Errorf("a %s has no order", t.lit.Kind())
		}
		return nil
	default:
	}
	if t.lit.Kind() != event.String {
		return fmt.Errorf("takes a text, not a %s", t.lit.Kind())
	}
	switch t.op {
	case OpMatches:
		re, err := newPattern(t.lit.Str())
		t.re = re
		return err
	case OpCIDR:
		net, ok := parsePrefix(t.lit.Str())
		if !ok {
			return fmt.Errorf("%q is not a network", t.lit.Str())
		}
		t.net = &net
	default:
	}
	return nil
}
