package sigma

import (
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

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
	if values, err = transform(values, m, s.m.placeholder); err != nil {
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
