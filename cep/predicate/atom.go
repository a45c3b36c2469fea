package predicate

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
)

// test is a question about one value whose other side is constant. A test is
// immutable.
type test struct {
	op   op
	fold bool           // compare lower(value); the constant is in lower case
	lit  event.Value    // the constant, except for opIn
	set  *valueSet      // for opIn
	re   *regexp.Regexp // for opMatches
	net  *prefix        // for opCIDR
}

// eval decides the test; a missing value or one of the wrong kind is unknown.
func (t *test) eval(v event.Value) Tri {
	switch t.op {
	case opEq:
		return t.equal(v)
	case opNe:
		return t.equal(v).Not()
	case opLt, opLe, opGt, opGe:
		return t.order(v)
	case opIn:
		return t.in(v)
	case opTrue:
		if v.Kind() != event.Bool {
			return Unknown
		}
		return TriOf(v.Bool())
	default:
		if v.Kind() != event.String {
			return Unknown
		}
		return t.text(v.Str())
	}
}

func (t *test) equal(v event.Value) Tri {
	switch v.Kind() {
	case event.Missing:
		return Unknown
	case event.String:
		switch {
		case t.lit.Kind() != event.String:
			return False
		case t.fold:
			return TriOf(equalLower(v.Str(), t.lit.Str()))
		}
		return TriOf(v.Str() == t.lit.Str())
	default:
		if t.fold {
			return Unknown
		}
		return TriOf(v.Equal(t.lit))
	}
}

func (t *test) order(v event.Value) Tri {
	if t.fold {
		if v.Kind() != event.String {
			return Unknown
		}
		v = event.StringValue(strings.ToLower(v.Str()))
	}
	return t.op.relate(v, t.lit)
}

func (t *test) in(v event.Value) Tri {
	switch {
	case v.Kind() == event.Missing, t.fold && v.Kind() != event.String:
		return Unknown
	case t.fold:
		return TriOf(t.set.has(event.StringValue(strings.ToLower(v.Str()))))
	}
	return TriOf(t.set.has(v))
}

// text decides the tests that only strings can pass.
func (t *test) text(s string) Tri {
	if t.op == opCIDR {
		ip, ok := parseAddr(s)
		if !ok {
			return Unknown
		}
		return TriOf(t.net.contains(ip))
	}
	if t.fold {
		return TriOf(t.textFold(s))
	}
	switch t.op {
	case opPrefix:
		return TriOf(strings.HasPrefix(s, t.lit.Str()))
	case opSuffix:
		return TriOf(strings.HasSuffix(s, t.lit.Str()))
	case opContains:
		return TriOf(strings.Contains(s, t.lit.Str()))
	default: // opMatches
		return TriOf(t.re.MatchString(s))
	}
}

func (t *test) textFold(s string) bool {
	switch t.op {
	case opPrefix:
		_, ok := cutLower(s, t.lit.Str())
		return ok
	case opSuffix:
		return strings.HasSuffix(strings.ToLower(s), t.lit.Str())
	case opContains:
		return containsLower(s, t.lit.Str())
	default: // opMatches
		return t.re.MatchString(strings.ToLower(s))
	}
}

// equalLower is strings.ToLower(s) == low without building it.
func equalLower(s, low string) bool {
	rest, ok := cutLower(s, low)
	return ok && rest == ""
}

// cutLower reports whether strings.ToLower(s) begins with low, and gives what
// follows that beginning in s.
func cutLower(s, low string) (string, bool) {
	for low != "" {
		if s == "" {
			return s, false
		}
		if c := s[0]; c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != low[0] {
				return s, false
			}
			s, low = s[1:], low[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		want, m := utf8.DecodeRuneInString(low)
		if unicode.ToLower(r) != want {
			return s, false
		}
		s, low = s[n:], low[m:]
	}
	return s, true
}

// containsLower is strings.Contains(strings.ToLower(s), low) without building
// it.
func containsLower(s, low string) bool {
	for {
		if _, ok := cutLower(s, low); ok {
			return true
		}
		if s == "" {
			return false
		}
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
}

// write puts the test of a value, already written as subject, as CEL.
func (t *test) write(b *strings.Builder, subject string) {
	if t.fold {
		subject = "lower(" + subject + ")"
	}
	switch t.op {
	case opTrue:
		b.WriteString(subject)
	case opIn:
		b.WriteString(subject + " in ")
		t.set.write(b)
	case opPrefix, opSuffix, opContains, opMatches:
		b.WriteString(subject + "." + t.op.String() + "(" + strconv.Quote(t.lit.Str()) + ")")
	case opCIDR:
		b.WriteString("cidr(" + subject + ", " + strconv.Quote(t.lit.Str()) + ")")
	default:
		b.WriteString(subject + " " + t.op.String() + " ")
		writeLiteral(b, t.lit)
	}
}

func writeLiteral(b *strings.Builder, v event.Value) {
	switch v.Kind() {
	case event.Null:
		b.WriteString("null")
	case event.String:
		b.WriteString(strconv.Quote(v.Str()))
	case event.Number:
		b.WriteString(formatNumber(v.Number()))
	case event.Time:
		b.WriteString(`timestamp("` + formatTime(v.Time()) + `")`)
	default:
		b.WriteString(strconv.FormatBool(v.Bool()))
	}
}

// valueSet is a constant list of scalars that `in` looks into.
type valueSet struct {
	list    []event.Value // in the order written
	strings map[string]struct{}
	numbers map[float64]struct{}
}

// manyValues is from where on a hash beats a walk.
const manyValues = 8

func newValueSet(list []event.Value) *valueSet {
	s := &valueSet{list: list}
	if len(list) <= manyValues {
		return s
	}
	s.strings, s.numbers = make(map[string]struct{}), make(map[float64]struct{})
	for _, v := range list {
		switch v.Kind() {
		case event.String:
			s.strings[v.Str()] = struct{}{}
		case event.Number:
			s.numbers[v.Number()] = struct{}{}
		default: // few kinds of values are left, and few values of each
		}
	}
	return s
}

func (s *valueSet) has(v event.Value) bool {
	if s.strings != nil {
		switch v.Kind() {
		case event.String:
			_, ok := s.strings[v.Str()]
			return ok
		case event.Number:
			_, ok := s.numbers[v.Number()]
			return ok
		default:
		}
	}
	for i := range s.list {
		if s.list[i].Equal(v) {
			return true
		}
	}
	return false
}

func (s *valueSet) write(b *strings.Builder) {
	b.WriteByte('[')
	for i, v := range s.list {
		if i > 0 {
			b.WriteString(", ")
		}
		writeLiteral(b, v)
	}
	b.WriteByte(']')
}
