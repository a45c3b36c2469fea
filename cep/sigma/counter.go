package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// counter is a count, a sum or the like over the events of a condition, by
// correlation or by an old aggregation.
type counter struct {
	d       *document
	typ     string
	cond    expr
	by      []event.Path
	of      []event.Path
	span    time.Duration
	limits  []limit
	percent float64
}

// when writes the lines of `when`.
func (c counter) when() ([]string, error) {
	n, up := atLeast(c.limits)
	switch {
	case c.typ == "event_count" && up && n <= maxRepeat:
		return c.repeated(n, c.cond)
	case c.typ == "value_count" && up && n <= maxDistinct:
		return c.distinct(n)
	}
	return c.window(up)
}

// repeated is a pattern of n events: it matches at the n-th, wherever the time
// frame lies.
func (c counter) repeated(n int, cond expr) ([]string, error) {
	lines, err := cel(c.d, cond)
	if err != nil {
		return nil, err
	}
	if n == 1 {
		return append([]string{"when:"}, indent(append(block("condition: ", lines), byLine(c.by)...), "  ")...), nil
	}
	c.d.notes = append(c.d.notes, fmt.Sprintf("matches at event %d of any %s, then counts anew", n, spanText(c.span)))
	return c.pattern(n, lines), nil
}

func (c counter) pattern(n int, lines []string) []string {
	out := []string{"when:", fmt.Sprintf("  pattern: hit{%d}", n), "  define:"}
	out = append(out, indent(block("hit: ", lines), "    ")...)
	out = append(out, indent(byLine(c.by), "  ")...)
	out = append(out, "  within: "+spanText(c.span))
	if n > 500 {
		out = append(out, fmt.Sprintf("  limit: {runs: %d, full: drop-oldest}", 2*n))
	}
	return out
}

// distinct is a pattern of n events of which none has the value of another: the
// element takes no event whose value it has bound before. An event without the
// field, which makes the comparison unknown, is not counted.
func (c counter) distinct(n int) ([]string, error) {
	var there, alike []string
	for _, p := range c.of {
		pl := newPlace(p)
		there = append(there, pl.text+" != null")
		alike = append(alike, "h."+pl.text+" == "+pl.text)
	}
	fresh := there
	if n > 1 {
		fresh = append(fresh, "!hit.exists(h, "+strings.Join(alike, " && ")+")")
	}
	lines, err := cel(c.d, allOf(c.cond, &leaf{pos: []string{strings.Join(fresh, " && ")}}))
	if err != nil {
		return nil, err
	}
	if n == 1 {
		return append([]string{"when:"}, indent(append(block("condition: ", lines), byLine(c.by)...), "  ")...), nil
	}
	c.d.notes = append(c.d.notes, fmt.Sprintf("matches at the %s distinct value of any %s, then counts anew", ordinal(n), spanText(c.span)))
	return c.pattern(n, lines), nil
}

func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return strconv.Itoa(n) + end
}

// window is a window rule. A count that must be reached slides, in steps of a
// tenth, so that a burst is found wherever it lies; one that must not be exceeded
// is taken over whole frames, as a sliding one would pass through every smaller
// count on its way.
func (c counter) window(up bool) ([]string, error) {
	if c.typ == "value_count" && len(c.of) > 1 {
		return nil, troublef(c.d.node, "correlation.condition.field", "count one field, or at most "+strconv.Itoa(maxDistinct)+" values with gt or gte", "windows count the values of one field")
	}
	lines, err := cel(c.d, c.cond)
	if err != nil {
		return nil, err
	}
	kind := "tumbling " + spanText(c.span)
	rising := up || (c.typ == "value_sum" || c.typ == "value_avg" || c.typ == "value_percentile") && rises(c.limits)
	if rising {
		kind = "sliding " + spanText(c.span) + " every " + spanText(max((c.span/10).Truncate(time.Second), time.Second))
		c.d.notes = append(c.d.notes, "a window that slides: a burst is told by every step that sees it whole")
	} else {
		c.d.notes = append(c.d.notes, "counted over whole time frames, told when each ends; a frame without events says nothing")
	}
	name, call := "n", "count()"
	if c.typ != "event_count" {
		path := newPlace(c.of[0]).text
		switch c.typ {
		case "value_count":
			call = "distinct(" + path + ")"
		case "value_sum":
			name, call = "total", "sum("+path+")"
		case "value_avg":
			name, call = "mean", "avg("+path+")"
		case "value_min":
			name, call = "least", "min("+path+")"
		case "value_max":
			name, call = "most", "max("+path+")"
		default:
			name, call = "p", "quantile("+path+", "+numberText(c.percent/100)+")"
		}
	}
	out := []string{"when:", "  window: " + kind}
	out = append(out, indent(byLine(c.by), "  ")...)
	out = append(out, indent(block("where: ", lines), "  ")...)
	out = append(out, "  let: {"+name+": "+singleQuoted(call)+"}", "  having: "+singleQuoted(having(name, c.limits)))
	return out, nil
}

// rises reports whether more can only help.
func rises(limits []limit) bool {
	for _, l := range limits {
		if l.op != ">" && l.op != ">=" {
			return false
		}
	}
	return true
}

// byLine writes the key.
func byLine(by []event.Path) []string {
	if len(by) == 0 {
		return nil
	}
	var out []string
	seen := make(map[event.Path]bool)
	for _, p := range by {
		if !seen[p] {
			seen[p] = true
			out = append(out, yamlText(p.String()))
		}
	}
	if len(out) == 1 {
		return []string{"by: " + out[0]}
	}
	return []string{"by: [" + strings.Join(out, ", ") + "]"}
}

// aggregation is what follows the bar of an old condition: count(User) by Host > 5.
type aggregation struct {
	node   *yamldoc.Node
	typ    string
	field  string
	by     string
	limits []limit
	span   time.Duration
}

// parseAggregation reads `count(field) by group > n`; timeframe is the span.
func parseAggregation(n *yamldoc.Node, src string, timeframe *yamldoc.Node) (*aggregation, error) {
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", ">=", " >= ", "<=", " <= ", "==", " == ").Replace(src))
	fail := func(format string, args ...any) error {
		return troublef(n, "condition", "write a correlation of its own, with event_count or value_count", "the aggregation %q cannot be converted: "+format, append([]any{oneLine(src)}, args...)...)
	}
	types := map[string]string{"count": "event_count", "sum": "value_sum", "avg": "value_avg", "min": "value_min", "max": "value_max"}
	if len(words) > 0 && strings.EqualFold(words[0], "near") {
		return nil, fail("near has no order of events to it; write a temporal correlation")
	}
	a := &aggregation{node: n}
	ok := len(words) >= 3 && words[1] == "("
	if ok {
		a.typ, ok = types[strings.ToLower(words[0])]
	}
	if !ok {
		return nil, fail("it is not like count(FIELD) by GROUP > 5")
	}
	words = words[2:]
	if words[0] != ")" {
		a.field, words = words[0], words[1:]
	}
	if len(words) == 0 || words[0] != ")" {
		return nil, fail("the bracket is not closed")
	}
	words = words[1:]
	if len(words) >= 2 && strings.EqualFold(words[0], "by") {
		a.by, words = strings.Trim(words[1], ","), words[2:]
	}
	if len(words) != 2 || !slices.Contains([]string{">", ">=", "<", "<=", "==", "="}, words[0]) {
		return nil, fail("it does not end with a comparison such as > 5")
	}
	limitOf, err := strconv.ParseFloat(words[1], 64)
	if err != nil || strings.ContainsAny(words[1], "iInNxX_") {
		return nil, fail("%s is no number", words[1])
	}
	if words[0] == "=" {
		words[0] = "=="
	}
	a.limits = []limit{{words[0], limitOf}}
	switch {
	case a.typ == "event_count" && a.field != "":
		a.typ = "value_count"
	case a.typ != "event_count" && a.field == "":
		return nil, fail("it names no field")
	}
	if timeframe == nil {
		return nil, fail("the detection has no timeframe")
	}
	a.span, err = timespan(timeframe, "timeframe")
	return a, err
}

// aggregated converts a rule whose condition counts.
func (i *Importer) aggregated(d *document, cond expr) ([]string, error) {
	a := d.agg
	c := counter{d: d, typ: a.typ, cond: cond, span: a.span, limits: a.limits, percent: 50}
	for _, f := range []struct {
		name string
		to   *[]event.Path
	}{{a.by, &c.by}, {a.field, &c.of}} {
		if f.name == "" {
			continue
		}
		paths := i.m.paths(d.source, f.name)
		if len(paths) == 0 {
			return nil, troublef(a.node, "condition", "give it a path under fields: of the mapping", "no path can be made of the field %s", f.name)
		}
		*f.to = paths[:1]
	}
	return c.when()
}
