package index

import (
	"regexp"
	"strings"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// holds decides a reference for the event at hand.
func (m *matching) holds(ref uint32) bool {
	arg := refArg(ref)
	switch refTag(ref) {
	case refAtom:
		return m.atom(arg) == isTrue
	case refNot:
		return m.atom(arg) == isFalse
	case refNode:
		return m.node(arg)
	case refLeaf:
		return m.leaf(arg) == isTrue
	case refLeafNot:
		return m.leaf(arg) == isFalse
	default:
		return arg != 0
	}
}

// node decides a junction; one that several others share, once.
func (m *matching) node(at uint32) bool {
	code := m.s.code[at:]
	head, kids := code[0], code[1:]
	if head&nodeMemo == 0 {
		return m.junction(head, kids)
	}
	memo := &m.nodes[kids[0]]
	if *memo>>outcomeShift != m.epoch {
		*memo = m.epoch<<outcomeShift | isFalse
		if m.junction(head, kids[1:]) {
			*memo = m.epoch<<outcomeShift | isTrue
		}
	}
	return *memo&outcomeMask == isTrue
}

func (m *matching) junction(head uint32, kids []uint32) bool {
	or := head&nodeOr != 0
	for _, k := range kids[:head>>nodeShift] {
		if m.holds(k) == or {
			return or
		}
	}
	return !or
}

func (m *matching) leaf(l uint32) uint32 {
	if m.leafs[l]>>outcomeShift != m.epoch {
		m.leafs[l] = m.epoch<<outcomeShift | outcomeOf(m.s.leafs[l].Eval(m.ev))
	}
	return m.leafs[l] & outcomeMask
}

func outcomeOf(t predicate.Tri) uint32 {
	switch t {
	case predicate.True:
		return isTrue
	case predicate.False:
		return isFalse
	default:
		return isUnknown
	}
}

func outcome(b bool) uint32 {
	if b {
		return isTrue
	}
	return isFalse
}

// atom decides an atom, at most once for an event.
func (m *matching) atom(a uint32) uint32 {
	if known := m.atoms[a]; known>>outcomeShift == m.epoch {
		return known & outcomeMask
	}
	o := m.test(a)
	m.atoms[a] = m.epoch<<outcomeShift | o
	return o
}

// test decides an atom as predicate.Atom.Eval does.
func (m *matching) test(a uint32) uint32 {
	s := m.s
	h := s.heads[a]
	i := int(headField(h))
	v := m.value(&s.fields[i])
	op := headOp(h)
	switch {
	case op == opHas:
		return outcome(v.Kind() != event.Missing)
	case op == opAbsent:
		return outcome(v.Kind() == event.Missing)
	case v.Kind() == event.Missing, headFolds(h) && v.Kind() != event.String:
		return isUnknown
	}
	switch op {
	case opEq:
		return outcome(s.same(a, m.seen(h, v)))
	case opLt, opLe, opGt, opGe:
		if v.Kind() != headKind(h) {
			return isUnknown
		}
		return outcome(holdsOrder(op, s.compare(m.seen(h, v), a)))
	case opIn:
		return m.member(a, h)
	}
	if v.Kind() != event.String {
		return isUnknown
	}
	return m.testText(a, h, v.Str())
}

// seen gives a value as an atom sees it.
func (m *matching) seen(h uint32, v event.Value) event.Value {
	if !headFolds(h) {
		return v
	}
	return event.StringValue(m.text(int(headField(h)), v.Str(), lowered))
}

// member looks a field's value up among those of a set.
func (m *matching) member(a, h uint32) uint32 {
	fold := 0
	if headFolds(h) {
		fold = 1
	}
	d := m.s.fields[headField(h)].dictsOf[fold]
	if d == 0 { // of an empty set
		return isFalse
	}
	v := m.valueAtom(d - 1)
	return outcome(v != none && m.s.member(a, v))
}

// testText decides the tests that only texts can pass.
func (m *matching) testText(a, h uint32, text string) uint32 {
	s := m.s
	i := int(headField(h))
	variant := asIs
	if headFolds(h) {
		variant = lowered
	}
	arg := s.args[a]
	switch headOp(h) {
	case opPrefix:
		return outcome(strings.HasPrefix(m.text(i, text, variant), s.str(arg)))
	case opSuffix:
		return outcome(strings.HasSuffix(m.text(i, text, variant), s.str(arg)))
	case opContains:
		return outcome(strings.Contains(m.text(i, text, variant), s.str(arg)))
	case opCIDR:
		ip, ok := m.addr(i, text)
		if !ok {
			return isUnknown
		}
		return outcome(s.networkOf(a).holds(ip))
	case opGlob:
		list := s.list(arg)
		shape, pieces := globParts(list)
		if shape&shapeLines == 0 || strings.IndexByte(text, '\n') < 0 {
			text = m.text(i, text, int(shape&(shapeStart-1)))
			return outcome(matchGlob(text, shape&shapeStart != 0, shape&shapeEnd != 0, len(pieces), func(i int) string { return s.str(pieces[i]) }))
		}
	}
	return outcome(s.matches(a, m.text(i, text, variant)))
}

// networkOf gives the constant of a network atom.
func (t *atomTable) networkOf(a uint32) network {
	w := t.nums[t.list(t.args[a])[1]:]
	return network{addr{hi: w[0], lo: w[1], v4: w[2]&isV4 != 0}, int(w[2] &^ isV4)}
}

// matches runs a regular expression, which is compiled when first needed: most
// of many are never.
func (s *Segment) matches(a uint32, text string) bool {
	source, number := s.pattern(a)
	re := s.patterns[number].Load()
	if re == nil {
		var err error
		if re, err = regexp.Compile(source); err != nil {
			re = never // only a forged segment holds such
		}
		s.patterns[number].Store(re)
	}
	return re.MatchString(text)
}

// never matches nothing.
var never = regexp.MustCompile(`[^\s\S]`)
