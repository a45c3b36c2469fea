package sigma

import (
	"slices"

	"github.com/rhost/rhost/yamldoc"
)

// compare is what a field's value has to do with those written.
type compare uint8

const (
	byPattern compare = iota // equal, or as the wildcards say
	byRegexp
	byNetwork
	byPresence
	byField
	byOrder    // lt, lte, gt, gte
	byTimePart // minute … year
)

// modifiers are those of one field, read.
type modifiers struct {
	compare       compare
	all           bool
	negate        bool // neq
	cased         bool
	before, after bool   // stars around the value: contains, startswith, endswith
	flags         string // of a regular expression: i, m, s
	order         string // < <= > >=
	part          string // of a time
	steps         []string
}

// knownModifiers lists every modifier of the specification.
func knownModifiers() []string {
	return []string{
		"contains", "startswith", "endswith", "all", "cased", "exists", "neq",
		"re", "i", "ignorecase", "m", "multiline", "s", "dotall",
		"base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "windash",
		"cidr", "lt", "lte", "gt", "gte", "fieldref", "expand",
		"minute", "hour", "day", "week", "month", "year",
	}
}

// parseModifiers reads what follows the name of a field, split at its bars.
func parseModifiers(n *yamldoc.Node, names []string) (modifiers, error) {
	var m modifiers
	for i, name := range names {
		if err := m.add(n, name, names[:i]); err != nil {
			return m, err
		}
	}
	return m, m.check(n)
}

func (m *modifiers) add(n *yamldoc.Node, name string, before []string) error {
	switch name {
	case "contains":
		m.before, m.after = true, true
	case "startswith":
		m.after = true
	case "endswith":
		m.before = true
	case "all":
		m.all = true
	case "cased":
		m.cased = true
	case "neq":
		m.negate = true
	case "re":
		return m.choose(n, byRegexp)
	case "i", "m", "s", "ignorecase", "multiline", "dotall":
		if !slices.Contains(before, "re") {
			return troublef(n, name, "write re|"+name, "the modifier belongs behind re")
		}
		flag := map[string]string{"ignorecase": "i", "multiline": "m", "dotall": "s"}[name]
		if flag == "" {
			flag = name
		}
		m.flags += flag
	case "cidr":
		return m.choose(n, byNetwork)
	case "exists":
		return m.choose(n, byPresence)
	case "fieldref":
		return m.choose(n, byField)
	case "lt", "lte", "gt", "gte":
		m.order = map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[name]
		if m.compare == byTimePart {
			return nil
		}
		return m.choose(n, byOrder)
	case "minute", "hour", "day", "month", "year":
		m.part = name
		if m.compare == byOrder {
			m.compare = byTimePart
			return nil
		}
		return m.choose(n, byTimePart)
	case "week":
		return troublef(n, name, "use day or month, or compare with a date", "conditions cannot work out the week of a date")
	case "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "windash", "expand":
		m.steps = append(m.steps, name)
	default:
		return troublef(n, name, yamldoc.Suggest(name, knownModifiers()), "there is no modifier %s", name)
	}
	return nil
}

func (m *modifiers) choose(n *yamldoc.Node, c compare) error {
	if m.compare != byPattern && m.compare != c {
		return troublef(n, "modifiers", "use one of them", "two of the modifiers ask for different comparisons")
	}
	m.compare = c
	return nil
}

// check refuses combinations that mean nothing.
func (m *modifiers) check(n *yamldoc.Node) error {
	around := m.before || m.after
	encoded := slices.ContainsFunc(m.steps, func(s string) bool { return s != "expand" && s != "windash" })
	switch {
	case around && m.compare != byPattern && m.compare != byField && !(m.compare == byRegexp && m.before && m.after):
		return troublef(n, "modifiers", "leave one of them out", "contains, startswith and endswith do not go with the other comparison")
	case m.cased && m.compare != byPattern && m.compare != byField && m.compare != byRegexp:
		return troublef(n, "cased", "leave it out", "cased goes with texts alone")
	case len(m.steps) > 0 && m.compare != byPattern && !(m.compare != byPresence && !encoded && !slices.Contains(m.steps, "windash")):
		return troublef(n, m.steps[0], "leave it out", "the modifier goes with texts alone")
	}
	return nil
}
