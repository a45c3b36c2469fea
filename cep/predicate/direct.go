package predicate

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// MaxDirect bounds, in bytes, a condition of nothing but tests of fields, whose
// lists may be long. All other conditions are bounded by MaxSource.
const MaxDirect = 4 << 20

// maxTests bounds the tests, and the constants of one list, that the direct
// parser reads.
const maxTests = 1 << 18

// direct is a parser for what most conditions are: tests of fields against
// constants, joined with &&, || and ! and grouped with brackets. It makes the
// nodes that the way over cel-go makes, some fifty times faster. What it does not
// know for certain (other syntax, types that do not fit, constants that cannot
// work) it leaves to cel-go: an operand of a chain if that is all, which then is
// short; and the whole condition if there is anything to complain of. At the
// first doubt methods report false.
type direct struct {
	scanner
	set   *Set
	scope Scope
	pos   yamldoc.Pos
	first int     // where the text begins, without space
	last  int     // and ends
	depth int     // brackets open
	tests int     // made so far
	stack []truth // operands of the chains being read, innermost last

	given      int   // bytes given to cel-go
	correlated bool  // by what cel-go read
	err        error // what cel-go said of an operand
}

// direct compiles a condition with as little of cel-go as possible. cond is nil
// when it is not one for the direct parser; err then may say why, if it is known.
// plain tells that cel-go had no part in it.
func (s *Set) direct(scope Scope, src string, pos yamldoc.Pos) (cond compiled, plain, ok bool, err error) {
	if scope.Under == NoElement || len(src) > MaxDirect {
		return compiled{}, false, false, nil
	}
	for i := range scope.Elements {
		if typeOfRoot(scope.Elements[i].Name) != notRoot {
			return compiled{}, false, false, nil // cel-go knows what hides what
		}
	}
	d := direct{scanner: scanner{src: src}, set: s, scope: scope, pos: pos, stack: s.stack[:0]}
	d.space()
	d.first, d.last = d.i, len(strings.TrimRight(src, " \t\n\r\f"))
	t, ok := d.or()
	ok = ok && d.end()
	clear(d.stack[:cap(d.stack)])
	if cap(d.stack) <= 1024 {
		s.stack = d.stack[:0]
	}
	if !ok {
		return compiled{}, false, false, d.err
	}
	cond = compiled{root: t, correlated: d.correlated}
	if d.correlated {
		cond.names = scope.names()
	}
	return cond, d.given == 0, true, nil
}

// or reads a chain of ||.
func (d *direct) or() (truth, bool) {
	base := len(d.stack)
	for {
		t, ok := d.and()
		if !ok {
			return nil, false
		}
		if or, is := t.(*orNode); is {
			d.stack = append(d.stack, or.kids...)
		} else {
			d.stack = append(d.stack, t)
		}
		if d.pair('|') {
			continue
		}
		if len(d.stack) == base+1 {
			return d.pop(), true
		}
		return &orNode{d.take(base)}, true
	}
}

// and reads a chain of &&.
func (d *direct) and() (truth, bool) {
	base := len(d.stack)
	for {
		t, ok := d.unary()
		if !ok {
			return nil, false
		}
		if and, is := t.(*andNode); is {
			d.stack = append(d.stack, and.kids...)
		} else {
			d.stack = append(d.stack, t)
		}
		if d.pair('&') {
			continue
		}
		if len(d.stack) == base+1 {
			return d.pop(), true
		}
		return &andNode{d.take(base)}, true
	}
}

func (d *direct) pop() truth {
	t := d.stack[len(d.stack)-1]
	d.stack = d.stack[:len(d.stack)-1]
	return t
}

func (d *direct) take(base int) []truth {
	kids := slices.Clone(d.stack[base:])
	d.stack = d.stack[:base]
	return kids
}

// unary reads what stands between the words of a chain.
func (d *direct) unary() (truth, bool) {
	d.space()
	start, depth, base := d.i, d.depth, len(d.stack)
	if t, ok := d.negated(); ok && d.operandEnds() {
		return t, true
	}
	d.i, d.depth, d.stack = start, depth, d.stack[:base]
	return d.operand()
}

// negated reads a test or group with ! before it or without. Of several ! in a
// row the grammar of CEL drops pairs.
func (d *direct) negated() (truth, bool) {
	negative, bang := false, false
	for d.skip('!') {
		negative, bang = !negative, true
		d.space()
	}
	t, ok := d.primary(bang)
	if ok && negative {
		return &notNode{t}, true
	}
	return t, ok
}

// primary reads a test or a group. Behind a ! no comparison may follow, which
// would be one of the negated value.
func (d *direct) primary(negated bool) (truth, bool) {
	if d.skip('(') {
		// Tests open two brackets at most.
		if d.depth++; d.depth > MaxNesting-2 {
			return nil, false
		}
		t, ok := d.or()
		d.depth--
		return t, ok && d.skip(')')
	}
	if d.tests++; d.tests > maxTests {
		return nil, false
	}
	word := d.peekWord()
	switch {
	case word == "true", word == "false":
		d.i += len(word)
		return constTruth{TriOf(word == "true")}, true
	case !d.calls(word):
		s, ok := d.path()
		if !ok {
			return nil, false
		}
		return d.test(s, negated)
	}
	d.i += len(word) + 1
	d.space()
	switch word {
	case "lower":
		s, ok := d.path()
		d.space()
		if !ok || s.typ == typeTime || s.method != "" || !d.skip(')') {
			return nil, false
		}
		s.fold, s.typ = true, typeString
		if d.skip('.') {
			s.method = d.peekWord()
			d.i += len(s.method)
		}
		return d.test(s, negated)
	case "cidr":
		return d.cidr()
	case "has":
		return d.has()
	}
	return nil, false
}

// calls reports whether word stands before a bracket, as the name of a function.
func (d *direct) calls(word string) bool {
	return word != "" && d.at(d.i+len(word)) == '('
}

// test reads what is asked of a subject.
func (d *direct) test(s subject, negated bool) (truth, bool) {
	if s.method != "" {
		return d.method(s)
	}
	d.space()
	if o, ok := d.comparison(); ok {
		d.space()
		v, ok := d.literal()
		if !ok || negated || !s.typ.takes(o, v.Kind()) {
			return nil, false
		}
		return d.atom(s, test{op: o, lit: v})
	}
	if d.peekWord() == "in" {
		d.i += len("in")
		list, ok := d.list(s.typ)
		if !ok || negated {
			return nil, false
		}
		return d.atom(s, test{op: OpIn, set: newValueSet(list)})
	}
	if s.typ != typeAny {
		return nil, false // a text or a time is no truth
	}
	return d.atom(s, test{op: OpTrue})
}

func (d *direct) method(s subject) (truth, bool) {
	o := OpMatches
	switch s.method {
	case "startsWith":
		o = OpPrefix
	case "endsWith":
		o = OpSuffix
	case "contains":
		o = OpContains
	case "matches":
	default:
		return nil, false
	}
	if s.typ == typeTime || !d.skip('(') {
		return nil, false
	}
	d.space()
	text, ok := d.str()
	d.space()
	if !ok || !d.skip(')') {
		return nil, false
	}
	return d.atom(s, test{op: o, lit: event.StringValue(text)})
}

func (d *direct) cidr() (truth, bool) {
	s, ok := d.path()
	d.space()
	if !ok || s.typ == typeTime || s.method != "" || !d.skip(',') {
		return nil, false
	}
	d.space()
	text, ok := d.str()
	d.space()
	if !ok || !d.skip(')') {
		return nil, false
	}
	return d.atom(s, test{op: OpCIDR, lit: event.StringValue(text)})
}

// has makes what compiler.presence and compiler.lenient make.
func (d *direct) has() (truth, bool) {
	s, ok := d.path()
	d.space()
	if !ok || s.method != "" || s.indexed || !d.skip(')') {
		return nil, false
	}
	t, ok := d.atom(s, test{op: OpHas})
	if !ok || s.parent.IsZero() {
		return t, ok
	}
	return &hasNode{
		value:   fieldRef{field: s.field},
		parent:  fieldRef{field: field{index: -1, path: s.parent}},
		atom:    t.(*Atom), //nolint:errcheck,forcetypeassert // what d.atom gives
		lenient: s.parent == event.PathOf("data"),
	}, true
}

// atom interns a test; a constant that cannot work is for cel-go to refuse.
func (d *direct) atom(s subject, t test) (truth, bool) {
	t.fold = s.fold
	a, err := d.set.atomOf(s.field, t)
	if err != nil {
		return nil, false
	}
	return a, true
}

// list reads the constants in brackets that a value of a type can be looked up
// in.
func (d *direct) list(t valueType) ([]event.Value, bool) {
	d.space()
	if !d.skip('[') {
		return nil, false
	}
	var list []event.Value
	for {
		d.space()
		v, ok := d.literal()
		if !ok || !t.takes(OpEq, v.Kind()) || len(list) == maxTests {
			return nil, false
		}
		list = append(list, v)
		d.space()
		if d.skip(']') {
			return list, true
		}
		if !d.skip(',') {
			return nil, false
		}
	}
}
