package sigma

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// kind is the type of a value of a rule.
type kind uint8

const (
	isText kind = iota
	isNumber
	isTruth
	isNull
)

// value is one value that a field is compared with.
type value struct {
	kind    kind
	node    *yamldoc.Node
	raw     string // as written
	pattern pattern
	num     float64
	truth   bool
	bytes   []byte // of an encoding that is no text yet; nil for others
	group   int    // which of the values written it comes from
}

// readValues reads the value or the list of values of a field.
func readValues(n *yamldoc.Node) ([]value, error) {
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	if len(items) == 0 {
		return nil, troublef(n, "value", "write a value, or null", "the list of values is empty")
	}
	values := make([]value, 0, len(items))
	for i, item := range items {
		v := value{node: item, raw: item.Text, group: i}
		switch item.Kind {
		case yamldoc.Null:
			v.kind = isNull
		case yamldoc.Bool:
			v.kind, v.truth = isTruth, item.Bool()
		case yamldoc.Number:
			v.kind, v.num = isNumber, item.Float()
			if math.IsNaN(v.num) || math.IsInf(v.num, 0) {
				v.kind = isText // no event holds such a number
			}
		case yamldoc.String:
		default:
			return nil, troublef(item, "value", "write a text, a number or null", "a value cannot be %s", item.Kind)
		}
		if len(v.raw) > maxCondition {
			return nil, troublef(item, "value", "shorten it", "the value has %d bytes; the limit is %d", len(v.raw), maxCondition)
		}
		if v.kind == isText {
			v.pattern = parsePattern(v.raw)
		}
		values = append(values, v)
	}
	return values, nil
}

// tests collects what a field is compared with, sorted by how CEL says it.
type tests struct {
	p     place
	cased bool

	exact []string // constants of any type that the value may equal
	words []string // texts, in lower case unless cased
	kids  []expr
}

// subject is the field as a text to compare.
func (t *tests) subject() string {
	if t.cased {
		return t.p.text
	}
	return "lower(" + t.p.text + ")"
}

// numeralSubject is the number in the field as a text.
func (t *tests) numeralSubject() string { return "string(" + t.p.text + ")" }

// add takes one value, which is not null.
func (t *tests) add(v value, m modifiers) error {
	switch {
	case v.kind == isText:
		return t.text(v.node, m.stars(v.pattern))
	case m.before || m.after:
		return t.text(v.node, m.stars(literal(v.raw)))
	case v.kind == isTruth:
		return t.text(v.node, literal(strconv.FormatBool(v.truth)))
	default:
		t.constant(numberText(v.num))
		t.word(v.raw)
		t.word(numberText(v.num))
		return nil
	}
}

func (t *tests) constant(cel string) {
	if !t.p.attribute() && !slices.Contains(t.exact, cel) {
		t.exact = append(t.exact, cel)
	}
}

// word adds a text that the value's text may equal.
func (t *tests) word(s string) {
	if t.cased || !caseless(s) {
		if !t.cased {
			s = strings.ToLower(s)
		}
		if s = celText(s); !slices.Contains(t.words, s) {
			t.words = append(t.words, s)
		}
		return
	}
	if s = celText(s); !slices.Contains(t.exact, s) {
		t.exact = append(t.exact, s)
	}
}

// text adds a pattern that the value's text may match.
func (t *tests) text(n *yamldoc.Node, p pattern) error {
	if p.everything() && t.p.attribute() {
		t.kids = append(t.kids, presence(t.p, true))
		return nil
	}
	if p.everything() {
		t.kids = append(t.kids, &leaf{pos: []string{t.p.text + " != null"}, core: t.p.text + " != null", needs: []need{{t.p, present}}})
		return nil
	}
	if !t.cased {
		p = p.lower()
	}
	for _, truth := range []bool{true, false} {
		if s := strconv.FormatBool(truth); p.matches(s) {
			t.constant(s)
		}
	}
	if s, ok := p.plain(); ok {
		if f, err := strconv.ParseFloat(s, 64); err == nil && numberText(f) == s && !strings.ContainsAny(s, "iInN") {
			t.constant(s)
		}
		t.word(s)
		return nil
	}
	cel, err := patternTest(n, t.subject(), p)
	if err != nil {
		return err
	}
	t.kids = append(t.kids, test(cel, need{t.p, text}))
	if p.mayBeNumber() && !t.p.attribute() {
		cel, err = patternTest(n, t.numeralSubject(), p)
		t.kids = append(t.kids, t.numeral(cel))
	}
	return err
}

// numeral makes a test of a number's text: text alone does not say that the
// value is a number.
func (t *tests) numeral(cel string) *leaf {
	return &leaf{
		pos:   []string{"((" + t.p.text + " >= 0 || " + t.p.text + " < 0) && " + cel + ")"},
		core:  cel,
		needs: []need{{t.p, numeral}},
	}
}

// patternTest writes a pattern with wildcards as a test of a text.
func patternTest(n *yamldoc.Node, subject string, p pattern) (string, error) {
	if s, before, after, ok := p.edges(); ok {
		fn := ".contains("
		switch {
		case !before:
			fn = ".startsWith("
		case !after:
			fn = ".endsWith("
		}
		return subject + fn + celText(s) + ")", nil
	}
	expr, needs := p.regexp()
	if len(expr) > maxRegexp {
		return "", troublef(n, "value", "split it with contains|all", "the wildcards make a regular expression of %d bytes; the limit is %d", len(expr), maxRegexp)
	}
	re := subject + ".matches(" + celText(expr) + ")"
	if len(needs) < 3 {
		return re, nil
	}
	// What the expression needs, on its own: a test that the index files.
	return "(" + subject + ".contains(" + celText(needs) + ") && " + re + ")", nil
}

// result gives the alternatives.
func (t *tests) result() expr {
	var out []expr
	if len(t.exact) > 0 {
		cel := t.p.text + " in [" + strings.Join(t.exact, ", ") + "]"
		if len(t.exact) == 1 {
			cel = t.p.text + " == " + t.exact[0]
		}
		l := test(cel, need{t.p, present})
		l.subject, l.list = t.p.text, t.exact
		if textsOnly(t.exact) {
			l.gives = []need{{t.p, text}}
		}
		out = append(out, l)
	}
	if len(t.words) > 0 {
		cel := t.subject() + " in [" + strings.Join(t.words, ", ") + "]"
		if len(t.words) == 1 {
			cel = t.subject() + " == " + t.words[0]
		}
		l := test(cel, need{t.p, text})
		l.subject, l.list = t.subject(), t.words
		if t.cased { // which no type makes unknown
			l.needs, l.gives = []need{{t.p, present}}, l.needs
		}
		out = append(out, l)
	}
	// Tests of texts before tests of numbers, so that each sort is negated once.
	for _, numbers := range []bool{false, true} {
		for _, k := range t.kids {
			if l, ok := k.(*leaf); ok && numbers == slices.ContainsFunc(l.needs, func(n need) bool { return n.in == numeral }) {
				out = append(out, k)
			}
		}
	}
	return eitherOf(out...)
}

func textsOnly(list []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return s[0] != '"' })
}

// nullTest is true where the field is missing or null.
func nullTest(p place) *leaf {
	filled := []need{{p, filled}}
	if p.attribute() {
		return &leaf{pos: p.absent(), neg: []string{p.there()}, denies: filled}
	}
	return &leaf{pos: append(p.absent(), p.text+" == null"), neg: []string{p.text + " != null"}, denies: filled}
}

// presence is the test of `exists`.
func presence(p place, want bool) *leaf {
	if !want {
		return &leaf{pos: p.absent(), neg: []string{p.there()}}
	}
	return &leaf{pos: []string{p.there()}, neg: p.absent(), gives: []need{{p, present}}}
}

// regexpTest makes the test of a regular expression on a field's text.
func (t *tests) regexp(v value, m modifiers) error {
	if v.kind == isNull {
		return troublef(v.node, "re", "write a regular expression", "null is none")
	}
	expr := m.regexpFlags() + v.raw
	re, err := compileRegexp(v.node, expr)
	if err != nil {
		return err
	}
	t.kids = append(t.kids, test(t.p.text+".matches("+celText(expr)+")", need{t.p, text}))
	for _, truth := range []bool{true, false} {
		if s := strconv.FormatBool(truth); re.MatchString(s) {
			t.constant(s)
		}
	}
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err == nil && needsOther(parsed) || t.p.attribute() {
		return nil
	}
	t.kids = append(t.kids, t.numeral(t.numeralSubject()+".matches("+celText(expr)+")"))
	return nil
}

// compileRegexp makes sure that conditions take an expression.
func compileRegexp(n *yamldoc.Node, expr string) (*regexp.Regexp, error) {
	if len(expr) > maxRegexp {
		return nil, troublef(n, "re", "split it into several values", "the regular expression has %d bytes; the limit is %d", len(expr), maxRegexp)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, troublef(n, "re", "write it without lookarounds, backreferences and possessive or atomic groups",
			"the regular expression is not one that runs in linear time (%s)", why)
	}
	return re, nil
}

// needsOther reports whether every match of an expression has a character that
// no number's text has.
func needsOther(re *syntax.Regexp) bool {
	inNumber := func(r rune) bool { return strings.ContainsRune(numberRunes, r) }
	switch re.Op {
	case syntax.OpLiteral:
		return slices.ContainsFunc(re.Rune, func(r rune) bool { return !inNumber(r) })
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for _, r := range numberRunes {
				if re.Rune[i] <= r && r <= re.Rune[i+1] {
					return false
				}
			}
		}
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return needsOther(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && needsOther(re.Sub[0])
	case syntax.OpConcat:
		return slices.ContainsFunc(re.Sub, needsOther)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(s *syntax.Regexp) bool { return !needsOther(s) })
	default:
		return false
	}
}
