package sigma

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// correlation is a correlation section, read.
type correlation struct {
	d       *document
	node    *yamldoc.Node
	typ     string
	members []*document
	refs    []string // as written, by which aliases name the members
	groupBy []string
	aliases *yamldoc.Node
	span    time.Duration
	limits  []limit
	fields  []string // that values are counted or summed of
	percent float64  // of value_percentile; 50 unless the condition says otherwise
}

// limit is one comparison of the condition.
type limit struct {
	op string // > >= < <= == !=
	n  float64
}

// timespan reads 30s, 5m, 2h, 1d, 1w and, in the way of old rules, 1M for a
// month of 30 days.
func timespan(n *yamldoc.Node, key string) (time.Duration, error) {
	m := regexp.MustCompile(`^([0-9]{1,6})([smhdwM])$`).FindStringSubmatch(scalarText(n))
	if m == nil {
		return 0, troublef(n, key, "write it as in 30s, 5m, 2h or 1d", "%q is no time span", oneLine(scalarText(n)))
	}
	unit := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour,
	}[m[2]]
	count, err := strconv.Atoi(m[1])
	if err != nil || count == 0 || time.Duration(count) > (1<<62)/unit {
		return 0, troublef(n, key, "write a time span above 0", "%q is no time span", m[0])
	}
	return time.Duration(count) * unit, nil
}

// spanText writes a time span as rules do.
func spanText(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}

// readCorrelation reads the section and finds the rules it is about.
func (i *Importer) readCorrelation(d *document) (*correlation, error) {
	n := d.node.Get("correlation")
	if n.Kind != yamldoc.Map {
		return nil, troublef(n, "correlation", "write type:, rules:, timespan: and condition: below it", "must be a map, not %s", n.Kind)
	}
	c := &correlation{d: d, node: n, typ: scalarText(n.Get("type")), groupBy: texts(n.Get("group-by")), aliases: n.Get("aliases"), percent: 50}
	for _, e := range n.Keys {
		known := []string{"type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate", "field"}
		if !slices.Contains(known, e.Key) {
			return nil, troublef(&yamldoc.Node{Pos: e.Pos}, "correlation."+e.Key, yamldoc.Suggest(e.Key, known), "unknown key")
		}
	}
	span := n.Get("timespan")
	if span == nil {
		span = n.Get("timeframe")
	}
	if span == nil {
		return nil, troublef(n, "correlation.timespan", "add timespan: 5m", "is missing")
	}
	var err error
	if c.span, err = timespan(span, "correlation.timespan"); err != nil {
		return nil, err
	}
	c.refs = texts(n.Get("rules"))
	if len(c.refs) == 0 {
		return nil, troublef(n, "correlation.rules", "list the names or ids of rules", "no rules are named")
	}
	for _, ref := range c.refs {
		r := i.find(ref)
		if r == nil {
			return nil, troublef(n.Get("rules"), "correlation.rules", "import the rule's file together with this one", "there is no rule with the name or id %s among the imported files", ref)
		}
		c.members = append(c.members, r)
	}
	return c, c.readCondition(n.Get("condition"))
}

// readCondition reads {gte: 10, field: User}.
func (c *correlation) readCondition(n *yamldoc.Node) error {
	c.fields = texts(c.node.Get("field"))
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.Map {
		return troublef(n, "correlation.condition", "write gte: 10", "conditions over the names of rules are not converted")
	}
	ops := map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}
	for _, e := range n.Keys {
		at := &yamldoc.Node{Pos: e.Pos}
		op, ok := ops[e.Key]
		switch {
		case e.Key == "field":
			c.fields = texts(e.Value)
		case e.Key == "percentile" && e.Value.Kind == yamldoc.Number && e.Value.Float() > 0 && e.Value.Float() < 100:
			c.percent = e.Value.Float()
		case !ok:
			return troublef(at, "correlation.condition."+e.Key, "write gt, gte, lt, lte, eq or neq", "is no comparison")
		case e.Value.Kind != yamldoc.Number:
			return troublef(e.Value, "correlation.condition."+e.Key, "write a number", "%q is none", oneLine(scalarText(e.Value)))
		default:
			c.limits = append(c.limits, limit{op, e.Value.Float()})
		}
	}
	return nil
}

// atLeast gives N when the condition is met by N or more, of whole things.
func atLeast(limits []limit) (int, bool) {
	if len(limits) != 1 {
		return 0, false
	}
	n := limits[0].n
	if n < 0 || n > 1e9 {
		return 0, false
	}
	whole := int(n)
	switch {
	case limits[0].op == ">":
		return whole + 1, true
	case limits[0].op == ">=" && float64(whole) == n:
		return max(whole, 1), true
	case limits[0].op == ">=":
		return whole + 1, true
	}
	return 0, false
}

// having writes the limits as a condition on a name.
func having(name string, limits []limit) string {
	var out []string
	for _, l := range limits {
		out = append(out, name+" "+l.op+" "+numberText(l.n))
	}
	return strings.Join(out, " && ")
}

// fieldFor gives where a field that the correlation names is found in the events
// of one of its rules: an alias means a field of that rule.
func (i *Importer) fieldFor(c *correlation, member int, name string) (event.Path, error) {
	d := c.members[member]
	if alias := c.aliases.Get(name); alias != nil {
		field := ""
		for _, e := range alias.Keys {
			if e.Key == c.refs[member] || d.is(e.Key) {
				field = scalarText(e.Value)
			}
		}
		if field == "" {
			return event.Path{}, troublef(alias, "correlation.aliases."+name, "add "+c.refs[member]+": FIELD", "does not say which field of %s is meant", c.refs[member])
		}
		name = field
	}
	// The events of an inner correlation are those of its first rule.
	for n := 0; d.node.Get("correlation") != nil && n < maxChain; n++ {
		inner, err := i.readCorrelation(d)
		if err != nil {
			return event.Path{}, err
		}
		if inner.aliases.Get(name) != nil {
			return i.fieldFor(inner, 0, name)
		}
		d = inner.members[0]
	}
	paths := i.m.paths(d.source, name)
	if len(paths) == 0 {
		return event.Path{}, troublef(c.node, "correlation", "give it a path under fields: of the mapping", "no path can be made of the field %s", name)
	}
	if len(paths) > 1 {
		note := "the field " + oneLine(name) + " is taken from " + paths[0].String() + " alone"
		if !slices.Contains(c.d.notes, note) {
			c.d.notes = append(c.d.notes, note)
		}
	}
	return paths[0], nil
}

// keys gives, for each field of group-by, its path in the events of each rule.
func (i *Importer) keys(c *correlation) ([][]event.Path, error) {
	var out [][]event.Path
	for _, name := range c.groupBy {
		var row []event.Path
		for m := range c.members {
			p, err := i.fieldFor(c, m, name)
			if err != nil {
				return nil, err
			}
			row = append(row, p)
		}
		out = append(out, row)
	}
	return out, nil
}

func same(row []event.Path) bool {
	for _, p := range row {
		if p != row[0] {
			return false
		}
	}
	return true
}

// correlation converts a correlation to the lines of `when`, and names the rules
// it is about.
func (i *Importer) correlation(d *document) (when, rules []string, err error) {
	c, err := i.readCorrelation(d)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range c.members {
		name := m.title
		if name == "" {
			name = oneLine(m.id)
		}
		rules = append(rules, name)
	}
	switch c.typ {
	case "event_count", "value_count", "value_sum", "value_avg", "value_percentile":
		when, err = i.counting(c)
	case "temporal", "temporal_ordered":
		when, err = i.temporal(c)
	default:
		err = troublef(c.node, "correlation.type", "write event_count, value_count, temporal or temporal_ordered", "%q is no type of correlation", oneLine(c.typ))
	}
	return when, rules, err
}

// sum gives the condition that an event is one of those counted.
func (i *Importer) sum(c *correlation) (expr, error) {
	var kids []expr
	for n, m := range c.members {
		if m.node.Get("correlation") != nil {
			return nil, troublef(c.node.Get("rules"), "correlation.rules", "correlate its rules directly", "the matches of a correlation (%s) cannot be counted", c.refs[n])
		}
		e, err := m.detect(i)
		if err != nil {
			return nil, troublef(c.node.Get("rules"), "correlation.rules", "see what is said of that rule", "the rule %s cannot be converted", c.refs[n])
		}
		if m.agg != nil {
			return nil, troublef(c.node.Get("rules"), "correlation.rules", "write the count as a correlation", "the rule %s counts in its own condition", c.refs[n])
		}
		kids = append(kids, e)
	}
	return eitherOf(kids...), nil
}

// counting converts the correlations that count or sum.
func (i *Importer) counting(c *correlation) ([]string, error) {
	if len(c.limits) == 0 {
		return nil, troublef(c.node, "correlation.condition", "add condition: {gte: 10}", "says no number")
	}
	if c.typ != "event_count" && len(c.fields) == 0 {
		return nil, troublef(c.node, "correlation.condition.field", "name the field", "is missing")
	}
	cond, err := i.sum(c)
	if err != nil {
		return nil, err
	}
	rows, err := i.keys(c)
	if err != nil {
		return nil, err
	}
	var by, of []event.Path
	for k, row := range rows {
		if !same(row) {
			return nil, troublef(c.node.Get("group-by"), "correlation.group-by", "count each rule on its own, or give the field one path under fields: of the mapping",
				"%s is another field in each rule, and a count has one key", c.groupBy[k])
		}
		by = append(by, row[0])
	}
	for _, name := range c.fields {
		var row []event.Path
		for m := range c.members {
			p, err := i.fieldFor(c, m, name)
			if err != nil {
				return nil, err
			}
			row = append(row, p)
		}
		if !same(row) {
			return nil, troublef(c.node.Get("condition"), "correlation.condition.field", "count each rule on its own", "%s is another field in each rule", name)
		}
		of = append(of, row[0])
	}
	return counter{c.d, c.typ, cond, by, of, c.span, c.limits, c.percent}.when()
}
