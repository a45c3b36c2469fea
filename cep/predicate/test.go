package predicate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
)

// test is a question about one value whose other side is constant. A test is
// immutable.
type test struct {
	op   Op
	fold bool        // compare lower(value); the constant is in lower case
	lit  event.Value // the constant, except for OpIn
	set  *valueSet   // for OpIn
	re   *pattern    // for OpMatches
	net  *prefix     // for OpCIDR
}

// eval decides the test; a missing value or one of the wrong kind is unknown.
func (t *test) eval(v event.Value) Tri {
	switch t.op {
	case OpEq:
		return t.equal(v)
	case OpNe:
		return t.equal(v).Not()
	case OpLt, OpLe, OpGt, OpGe:
		return t.order(v)
	case OpIn:
		return t.in(v)
	case OpHas:
		return TriOf(v.Kind() != event.Missing)
	case OpTrue:
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
	if t.op == OpCIDR {
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
	case OpPrefix:
		return TriOf(strings.HasPrefix(s, t.lit.Str()))
	case OpSuffix:
		return TriOf(strings.HasSuffix(s, t.lit.Str()))
	case OpContains:
		return TriOf(strings.Contains(s, t.lit.Str()))
	default: // OpMatches
		return TriOf(t.re.get().MatchString(s))
	}
}

func (t *test) textFold(s string) bool {
	switch t.op {
	case OpPrefix:
		_, ok := cutLower(s, t.lit.Str())
		return ok
	case OpSuffix:
		return strings.HasSuffix(strings.ToLower(s), t.lit.Str())
	case OpContains:
		return containsLower(s, t.lit.Str())
	default: // OpMatches
		return t.re.get().MatchString(strings.ToLower(s))
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
	case OpTrue:
		b.WriteString(subject)
	case OpHas:
		b.WriteString("has(" + subject + ")")
	case OpIn:
		b.WriteString(subject + " in ")
		t.set.write(b)
	case OpPrefix, OpSuffix, OpContains, OpMatches:
		b.WriteString(subject + "." + t.op.String() + "(" + strconv.Quote(t.lit.Str()) + ")")
	case OpCIDR:
		b.WriteString("cidr(" + subject + ", " + strconv.Quote(t.lit.Str()) + ")")
	default:
		b.WriteString(subject + " " + t.op.String() + " ")
		writeLiteral(b, t.lit)
	}
}
