package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// scope is what the fields of one rule's log source mean.
type scope struct {
	m        *Mapping
	source   source
	keywords []place // what keyword search looks at; nil: the whole payload
}

// field converts one entry of a selection: a field with its modifiers, and what
// it is compared with.
func (s *scope) field(e yamldoc.Entry) (expr, error) {
	at := &yamldoc.Node{Pos: e.Pos}
	parts := strings.Split(e.Key, "|")
	m, err := parseModifiers(at, parts[1:])
	if err != nil {
		return nil, err
	}
	if parts[0] == "" {
		return s.search(at, e.Value, m)
	}
	values, err := readValues(e.Value)
	if err != nil {
		return nil, err
	}
	if values, err = transform(at, values, m, s.m.placeholder); err != nil {
		return nil, err
	}
	places, err := s.places(at, parts[0])
	if err != nil {
		return nil, err
	}
	result, err := s.anywhere(places, values, m)
	if err != nil {
		return nil, err
	}
	if m.negate {
		result = not(result)
	}
	return result, nil
}

// anywhere converts the comparison of a field with paths: one of them must do.
// The field is missing, or null, when it is so under every path.
func (s *scope) anywhere(places []place, values []value, m modifiers) (expr, error) {
	var nulls []expr
	if m.compare == byPattern {
		rest := slices.DeleteFunc(slices.Clone(values), func(v value) bool { return v.kind == isNull })
		if len(rest) < len(values) {
			for _, p := range places {
				nulls = append(nulls, nullTest(p))
			}
			if len(rest) == 0 {
				return allOf(nulls...), nil
			}
			values = rest
		}
	}
	var kids []expr
	for _, p := range places {
		k, err := s.compare(p, values, m)
		if err != nil {
			return nil, err
		}
		kids = append(kids, k)
	}
	missing := m.compare == byPresence && !slices.ContainsFunc(values, func(v value) bool { return v.truth })
	switch {
	case missing, m.all && len(nulls) > 0:
		return allOf(append(kids, nulls...)...), nil
	case len(nulls) > 0:
		return eitherOf(eitherOf(kids...), allOf(nulls...)), nil
	}
	return eitherOf(kids...), nil
}

func (s *scope) places(n *yamldoc.Node, field string) ([]place, error) {
	paths := s.m.paths(s.source, field)
	if len(paths) == 0 {
		return nil, troublef(n, field, "give it a path under fields: of the mapping", "no path can be made of the field's name")
	}
	var out []place
	for _, p := range paths {
		out = append(out, newPlace(p))
	}
	return out, nil
}

// compare converts the comparison of the field at one place.
func (s *scope) compare(p place, values []value, m modifiers) (expr, error) {
	if p.root == "time" && m.compare != byTimePart && m.compare != byPresence {
		return nil, troublef(values[0].node, "time", "use minute, hour, day, month or year, or map the field to a path in data", "the event's time is no text")
	}
	var groups []expr
	for i := 0; i < len(values); {
		n := len(values)
		if m.all {
			for n = i + 1; n < len(values) && values[n].group == values[i].group; {
				n++
			}
		}
		g, err := s.group(p, values[i:n], m)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
		i = n
	}
	if len(groups) == 0 {
		return nil, troublef(nil, "value", "write a longer value", "no value is left")
	}
	return allOf(groups...), nil
}

// group converts values of which one must do.
func (s *scope) group(p place, values []value, m modifiers) (expr, error) {
	t := &tests{p: p, cased: m.cased}
	for _, v := range values {
		var err error
		switch m.compare {
		case byPattern:
			err = t.add(v, m)
		case byRegexp:
			err = t.regexp(v, m)
		case byNetwork:
			err = t.network(v)
		case byPresence:
			err = t.presence(v)
		case byOrder:
			err = t.order(v, m.order)
		case byTimePart:
			err = t.timePart(v, m)
		case byField:
			err = s.reference(t, v, m)
		}
		if err != nil {
			return nil, err
		}
	}
	return t.result(), nil
}

func (t *tests) network(v value) error {
	s, ok := v.pattern.plain()
	if v.kind != isText || !ok || !isNetwork(s) {
		return troublef(v.node, "cidr", "write it as in 10.0.0.0/8 or 2001:db8::/32", "%q is no network", v.raw)
	}
	t.kids = append(t.kids, test("cidr("+t.p.text+", "+celText(s)+")", need{t.p, address}))
	return nil
}

func (t *tests) presence(v value) error {
	s, _ := v.pattern.plain()
	switch {
	case v.kind == isText && (s == "true" || s == "yes"):
		v.truth = true
	case v.kind == isText && (s == "false" || s == "no"):
	case v.kind != isTruth:
		return troublef(v.node, "exists", "write true or false", "%q is neither true nor false", v.raw)
	}
	t.kids = append(t.kids, presence(t.p, v.truth))
	return nil
}

// order compares numbers, and texts that are plain decimals.
func (t *tests) order(v value, op string) error {
	f := v.num
	if v.kind != isNumber {
		s, _ := v.pattern.plain()
		parsed, err := strconv.ParseFloat(s, 64)
		if v.kind != isText || err != nil || strings.ContainsAny(s, "iInNxXpP_") {
			return troublef(v.node, "lt, lte, gt, gte", "write a number", "%q is no number", v.raw)
		}
		f = parsed
	}
	limit := numberText(f)
	opposite := map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
	t.kids = append(t.kids, test(t.p.text+" "+op+" "+limit, need{t.p, number}))
	if t.p.attribute() {
		return nil
	}
	is := t.p.text + ".matches(" + celText(isPlainNumber) + ")"
	t.kids = append(t.kids, &leaf{
		pos:   []string{"(" + is + " && double(" + t.p.text + ") " + op + " " + limit + ")"},
		core:  is,
		neg:   []string{"double(" + t.p.text + ") " + opposite + " " + limit},
		needs: []need{{t.p, text}},
	})
	return nil
}

// timePart compares a part of the event's time, or of a text that is a date.
func (t *tests) timePart(v value, m modifiers) error {
	low, high := partRange(m.part)
	s := v.raw
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || v.kind == isNull {
		return troublef(v.node, m.part, "write a whole number", "%q is none", s)
	}
	op := m.order
	if op == "" {
		op = "=="
	}
	if t.p.root == "time" {
		t.kids = append(t.kids, test(timeCall(m.part)+" "+op+" "+strconv.Itoa(clampPart(m.part, n))))
		return nil
	}
	if t.p.attribute() {
		return troublef(v.node, m.part, "map the field to a path in data, or to time", "the attribute is no date")
	}
	var alternatives []string
	for i := low; i <= high; i++ {
		if holds(op, i, n) {
			alternatives = append(alternatives, fmt.Sprintf("%0*d", map[bool]int{true: 4, false: 2}[m.part == "year"], i))
		}
	}
	if len(alternatives) == 0 {
		t.kids = append(t.kids, test(t.p.text+" in []", need{t.p, present}))
		return nil
	}
	// Before the part stands what dates begin with: 2025-12-06 21:11:02.632 or
	// 2025-12-06T21:11:02Z.
	before := map[string]string{
		"year": "", "month": `[0-9]{4}-`, "day": `[0-9]{4}-[0-9]{2}-`,
		"hour": `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]`, "minute": `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:`,
	}[m.part]
	after := map[string]string{"year": "-", "month": "-", "day": "([T ]|$)", "hour": ":", "minute": "(:|Z|[+-]|$)"}[m.part]
	expr := "^" + before + "(" + strings.Join(alternatives, "|") + ")" + after
	t.kids = append(t.kids, test(t.p.text+".matches("+celText(expr)+")", need{t.p, text}))
	return nil
}

// partRange gives the values that a part of a date can have.
func partRange(part string) (low, high int) {
	switch part {
	case "minute":
		return 0, 59
	case "hour":
		return 0, 23
	case "day":
		return 1, 31
	case "month":
		return 1, 12
	default: // year
		return 1970, 2100
	}
}

func timeCall(part string) string {
	return "time." + map[string]string{
		"minute": "getMinutes", "hour": "getHours", "day": "getDate", "month": "getMonth", "year": "getFullYear",
	}[part] + "()"
}

// clampPart turns a part of a date into what CEL counts: months from 0.
func clampPart(part string, n int) int {
	if part == "month" {
		n--
	}
	return max(min(n, 1_000_000), -1_000_000)
}

func holds(op string, a, b int) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	default:
		return a == b
	}
}

// reference compares with another field of the event.
func (s *scope) reference(t *tests, v value, m modifiers) error {
	name, ok := v.pattern.plain()
	if v.kind != isText || !ok || name == "" {
		return troublef(v.node, "fieldref", "write the name of a field", "%q is none", v.raw)
	}
	others, err := s.places(v.node, name)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.root == "time" {
			return troublef(v.node, "fieldref", "map the field to a path in data", "the event's time is no text")
		}
		a, b := "string("+t.p.text+")", "string("+o.text+")"
		if !m.cased {
			a, b = "lower("+a+")", "lower("+b+")"
		}
		cel := a + " == " + b
		switch {
		case m.before && m.after:
			cel = a + ".contains(" + b + ")"
		case m.before:
			cel = a + ".endsWith(" + b + ")"
		case m.after:
			cel = a + ".startsWith(" + b + ")"
		}
		t.kids = append(t.kids, test(cel, need{t.p, scalar}, need{o, scalar}))
	}
	return nil
}

// search converts keywords: values that stand anywhere in the fields that the
// mapping names, or in the payload.
func (s *scope) search(n, list *yamldoc.Node, m modifiers) (expr, error) {
	if m.compare != byPattern && m.compare != byRegexp {
		return nil, troublef(n, "keywords", "name a field", "the modifiers of a keyword search can only be about texts")
	}
	values, err := readValues(list)
	if err != nil {
		return nil, err
	}
	if values, err = transform(n, values, m, s.m.placeholder); err != nil {
		return nil, err
	}
	m.before, m.after = true, true
	if s.keywords == nil {
		return s.searchAll(values, m)
	}
	// `all` is about the event: each keyword may stand in a field of its own.
	var groups []expr
	for i := 0; i < len(values); {
		end := len(values)
		if m.all {
			for end = i + 1; end < len(values) && values[end].group == values[i].group; {
				end++
			}
		}
		var fields []expr
		for _, p := range s.keywords {
			g, err := s.group(p, values[i:end], m)
			if err != nil {
				return nil, err
			}
			fields = append(fields, g)
		}
		groups = append(groups, eitherOf(fields...))
		i = end
	}
	e := allOf(groups...)
	if m.negate {
		e = not(e)
	}
	return e, nil
}

// searchAll looks at every field of the payload, with a macro that the
// interpreter runs: there is no index over fields whose names are not known.
func (s *scope) searchAll(values []value, m modifiers) (expr, error) {
	const key = "k"
	subject := "string(data[" + key + "])"
	var alternatives []expr
	var tests []string
	flush := func() {
		if len(tests) == 0 {
			return
		}
		one := strings.Join(tests, " || ")
		out := "!(" + one + `) || data[k] == null || "" in data[k] || !("" in data[k])`
		alternatives = append(alternatives, &leaf{
			pos: []string{"data.exists(k, " + one + ")"},
			neg: []string{"data.all(k, " + out + ")"},
		})
		tests = nil
	}
	for i, v := range values {
		if m.all && i > 0 && v.group != values[i-1].group {
			flush()
		}
		switch {
		case v.kind == isNull:
			return nil, troublef(v.node, "keywords", "leave it out", "null cannot be searched for")
		case m.compare == byRegexp:
			expr := m.regexpFlags() + v.raw
			if _, err := compileRegexp(v.node, expr); err != nil {
				return nil, err
			}
			tests = append(tests, subject+".matches("+celText(expr)+")")
		default:
			if v.kind != isText {
				v.pattern = literal(v.raw)
			}
			p, from := m.stars(v.pattern), "lower("+subject+")"
			if m.cased {
				from = subject
			} else {
				p = p.lower()
			}
			one, err := patternTest(v.node, from, p)
			if err != nil {
				return nil, err
			}
			tests = append(tests, one)
		}
	}
	flush()
	e := eitherOf(alternatives...)
	if m.all {
		e = allOf(alternatives...)
	}
	if m.negate {
		e = not(e)
	}
	return e, nil
}
