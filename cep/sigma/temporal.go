package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/event"
)

// element is one element of a temporal correlation's pattern: events of a rule,
// or so many of them, for a count inside.
type element struct {
	member int // in the correlation
	cond   expr
	count  int
	inner  *correlation // when count > 1: what the count is by and within
	innerK []event.Path // its own keys, as far as the outer ones do not imply them
	spans  bool         // the inner count has a shorter timespan than the outer one
}

// temporal converts temporal and temporal_ordered.
func (i *Importer) temporal(c *correlation) ([]string, error) {
	if len(c.members) < 2 {
		return nil, troublef(c.node.Get("rules"), "correlation.rules", "use event_count for one rule", "a temporal correlation needs two rules")
	}
	need, err := c.required()
	if err != nil {
		return nil, err
	}
	rows, err := i.keys(c)
	if err != nil {
		return nil, err
	}
	var elements []element
	for m := range c.members {
		e, err := i.element(c, m, rows)
		if err != nil {
			return nil, err
		}
		elements = append(elements, e)
	}
	var by []event.Path
	var joins [][]event.Path
	for _, row := range rows {
		if same(row) {
			by = append(by, row[0])
		} else {
			joins = append(joins, row)
		}
	}
	orders, glue, err := c.orders(need, len(joins) > 0 || slices.ContainsFunc(elements, func(e element) bool { return e.count > 1 }))
	if err != nil {
		return nil, err
	}
	t := temporal{c: c, elements: elements, joins: joins, by: by}
	return t.when(orders, glue)
}

// required gives how many of the rules must be seen: all, unless the condition
// says otherwise.
func (c *correlation) required() (int, error) {
	n := len(c.members)
	if len(c.limits) == 0 {
		return n, nil
	}
	if len(c.limits) == 1 && c.limits[0].op == "==" && c.limits[0].n == float64(n) {
		return n, nil
	}
	least, ok := atLeast(c.limits)
	switch {
	case !ok:
		return 0, troublef(c.node.Get("condition"), "correlation.condition", "write gte with the number of rules, or leave it out",
			"that fewer rules have matched is known only when time is over, and a pattern ends with an event")
	case least > n:
		return 0, troublef(c.node.Get("condition"), "correlation.condition", "write a number up to that of the rules", "%d of %d rules cannot match", least, n)
	}
	return least, nil
}

// orders gives the sequences of members of which one must be seen. Where any
// order will do and nothing compares the elements, `&` says so; else every order
// is written out.
func (c *correlation) orders(need int, compared bool) (orders [][]int, glue string, err error) {
	sets := combinations(len(c.members), need)
	where := c.node.Get("rules")
	if sets == nil {
		return nil, "", troublef(where, "correlation.rules", "split the correlation", "%d of %d rules are too many combinations", need, len(c.members))
	}
	const operands = 4 // of `&`
	switch {
	case c.typ == "temporal_ordered":
		return sets, " then ", nil
	case !compared && need <= operands:
		return sets, " & ", nil
	case need > operands:
		return nil, "", troublef(where, "correlation.rules", "use temporal_ordered, or correlate at most 4 rules", "%d events in any order are too many for one pattern", need)
	}
	for _, set := range sets {
		orders = append(orders, permutations(set)...)
	}
	if len(orders) > maxParts {
		return nil, "", troublef(where, "correlation.rules", "use temporal_ordered, or correlate fewer rules", "%d rules that are compared by different fields have %d orders", len(c.members), len(orders))
	}
	return orders, " then ", nil
}

func permutations(set []int) [][]int {
	if len(set) <= 1 {
		return [][]int{set}
	}
	var out [][]int
	for i := range set {
		rest := append(slices.Clone(set[:i]), set[i+1:]...)
		for _, p := range permutations(rest) {
			out = append(out, append([]int{set[i]}, p...))
		}
	}
	return out
}

// element reads one member: a rule, or a count of the events of rules.
func (i *Importer) element(c *correlation, m int, rows [][]event.Path) (element, error) {
	e := element{member: m, count: 1}
	d := c.members[m]
	where := c.node.Get("rules")
	if d.node.Get("correlation") == nil {
		single := &correlation{d: c.d, node: c.node, members: c.members[m : m+1], refs: c.refs[m : m+1]}
		cond, err := i.sum(single)
		e.cond = cond
		return e, err
	}
	inner, err := i.readCorrelation(d)
	if err != nil {
		return e, troublef(where, "correlation.rules", "see what is said of that correlation", "the correlation %s cannot be converted: %v", c.refs[m], err)
	}
	n, up := atLeast(inner.limits)
	if inner.typ != "event_count" || !up || n > maxRepeat {
		return e, troublef(where, "correlation.rules", "correlate the rules directly", "only an event_count with gt or gte can be part of a temporal correlation, and %s is none", c.refs[m])
	}
	if e.cond, err = i.sum(inner); err != nil {
		return e, err
	}
	innerRows, err := i.keys(inner)
	if err != nil {
		return e, err
	}
	for k, row := range innerRows {
		if !same(row) {
			return e, troublef(where, "correlation.rules", "count each rule on its own", "%s counts by %s, which is another field in each of its rules", c.refs[m], inner.groupBy[k])
		}
		if !slices.ContainsFunc(rows, func(outer []event.Path) bool { return outer[m] == row[0] }) {
			e.innerK = append(e.innerK, row[0])
		}
	}
	e.count, e.inner, e.spans = n, inner, inner.span < c.span
	return e, nil
}

// temporal is a pattern on its way to text.
type temporal struct {
	c        *correlation
	elements []element
	joins    [][]event.Path // keys that go by different fields, per member
	by       []event.Path
}

// when writes the pattern: one sequence, or several as alternatives, each with
// elements of its own.
func (t temporal) when(orders [][]int, glue string) ([]string, error) {
	names := t.names()
	var sequences []string
	var define []string
	for n, order := range orders {
		var units []string
		suffix := ""
		if len(orders) > 1 {
			suffix = fmt.Sprintf("_%d", n+1)
		}
		for at, m := range order {
			name := names[m] + suffix
			unit := name
			if t.elements[m].count > 1 {
				unit += fmt.Sprintf("{%d}", t.elements[m].count)
			}
			units = append(units, unit)
			lines, err := t.define(order, at, name, names[order[0]]+suffix)
			if err != nil {
				return nil, err
			}
			define = append(define, block(name+": ", lines)...)
		}
		s := strings.Join(units, glue)
		if len(orders) > 1 && len(units) > 1 {
			s = "(" + s + ")"
		}
		sequences = append(sequences, s)
	}
	if glue == " & " {
		t.c.d.notes = append(t.c.d.notes, "an event that meets two of the rules counts for one of them")
	}
	out := []string{"when:", "  pattern: " + strings.Join(sequences, " | "), "  define:"}
	out = append(out, indent(define, "    ")...)
	out = append(out, indent(byLine(t.by), "  ")...)
	return append(out, "  within: "+spanText(t.c.span)), nil
}

// define writes the condition of the element at a place in a sequence: its
// rule's, the same keys as the first element, and for a count that its events
// belong together.
func (t temporal) define(order []int, at int, name, first string) ([]string, error) {
	m := order[at]
	e := t.elements[m]
	kids := []expr{e.cond}
	lead := t.elements[order[0]]
	if lead.count > 1 {
		first = "first(" + first + ")"
	}
	var own []string // what a repeated element's later events share with its first
	for _, row := range t.joins {
		mine := newPlace(row[m]).text
		if at > 0 {
			kids = append(kids, &leaf{pos: []string{mine + " == " + first + "." + newPlace(row[order[0]]).text}})
		} else if e.count > 1 {
			own = append(own, mine+" == "+first+"."+mine)
		}
	}
	for _, p := range e.innerK {
		text := newPlace(p).text
		own = append(own, text+" == first("+name+")."+text)
	}
	if e.spans {
		own = append(own, "time - first("+name+").time < duration("+celText(durationText(e))+")")
	}
	if len(own) > 0 {
		kids = append(kids, &leaf{pos: []string{"(count(" + name + ") == 0 || " + strings.Join(own, " && ") + ")"}})
	}
	return cel(t.c.d, allOf(kids...))
}

func durationText(e element) string { return fmt.Sprintf("%ds", int64(e.inner.span.Seconds())) }

// names gives each member's element a name: the rule's own, as far as it can be
// one, or e1, e2 ….
func (t temporal) names() []string {
	out := make([]string, len(t.elements))
	for n, m := range t.c.members {
		name := elementName(m.name)
		if name == "" || slices.Contains(out, name) {
			name = fmt.Sprintf("e%d", n+1)
		}
		out[n] = name
	}
	return out
}

// elementName gives a rule's name as that of an element, or "" where it cannot be
// one. Only names of two words or more are taken: the words of the rule language
// are single ones, but for one.
func elementName(s string) string {
	name := strings.Trim(strings.NewReplacer("-", "_", " ", "_", ".", "_").Replace(s), "_")
	if !dotted(name) || len(name) > 40 || !strings.Contains(name, "_") || name == "exists_one" {
		return ""
	}
	return name
}
