package sigma

import (
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
	if values, err = transform(values, m, s.m.placeholder); err != nil {
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
