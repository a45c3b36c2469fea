package sigma

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// document is one Sigma document: a rule, a correlation or a filter.
type document struct {
	file    string
	pos     yamldoc.Pos
	node    *yamldoc.Node
	id      string
	name    string // the attribute `name`, by which correlations refer to it
	title   string
	source  source
	slug    string // of the rhost rule
	used    bool   // a correlation refers to it and did not ask for it to stand alone
	notes   []string
	cond    expr // of a rule: its detection and its log source, once converted
	condErr error
	ready   bool
	scope   *scope
	agg     *aggregation // of a rule whose condition counts, in the old way
}

func newDocument(file string, n *yamldoc.Node) *document {
	d := &document{file: file, pos: n.Pos, node: n}
	d.id, d.name, d.title = scalarText(n.Get("id")), scalarText(n.Get("name")), oneLine(scalarText(n.Get("title")))
	if s := n.Get("logsource"); s != nil {
		d.source = readSource(s)
	}
	return d
}

// is reports whether a reference, an id or a name, means d.
func (d *document) is(ref string) bool {
	return ref != "" && (ref == d.name || strings.EqualFold(ref, d.id))
}

// scalarText gives the text of a scalar, and "" of everything else.
func scalarText(n *yamldoc.Node) string {
	if n == nil {
		return ""
	}
	switch n.Kind {
	case yamldoc.String, yamldoc.Number, yamldoc.Bool:
		return strings.TrimSpace(n.Text)
	default:
		return ""
	}
}

// texts gives the texts of a list of scalars, or of one.
func texts(n *yamldoc.Node) []string {
	if n == nil {
		return nil
	}
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	var out []string
	for _, item := range items {
		if s := oneLine(scalarText(item)); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// oneLine makes a text of one line, in printable characters.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(printable, s)), " ")
}

// detect converts the rule's detection, with the conditions of its log source
// and the filters that are for it, once.
func (d *document) detect(i *Importer) (expr, error) {
	if !d.ready {
		d.ready = true
		d.cond, d.condErr = i.detection(d)
	}
	return d.cond, d.condErr
}

func (i *Importer) detection(d *document) (expr, error) {
	sc, cond, known, err := i.m.scope(d.source)
	if err != nil {
		return nil, err
	}
	d.scope = sc
	if !known {
		what := d.source.String()
		if what == "" {
			what = "(none)"
		}
		if i.m.unmapped == "refuse" {
			return nil, troublef(d.node.Get("logsource"), "logsource", "add an entry for it under logsources: of the mapping", "the mapping does not know the log source %s", oneLine(what))
		}
		d.notes = append(d.notes, "the mapping has no entry for the log source "+oneLine(what)+": the rule looks at every event")
	}
	own, err := i.conditions(d, sc, d.node.Get("detection"))
	if err != nil {
		return nil, err
	}
	kids := []expr{cond, own}
	for _, f := range i.filters {
		if !f.appliesTo(d) {
			continue
		}
		e, err := i.conditions(f, sc, f.node.Get("filter"))
		if err != nil {
			return nil, err
		}
		kids = append(kids, e)
		d.notes = append(d.notes, "with the filter "+f.title+" ("+f.file+")")
	}
	return allOf(kids...), nil
}

// conditions converts a detection section: its conditions, of which one must
// hold.
func (i *Importer) conditions(d *document, sc *scope, n *yamldoc.Node) (expr, error) {
	if n == nil || n.Kind != yamldoc.Map {
		return nil, troublef(d.node, "detection", "write selections and a condition below it", "the rule has no detection")
	}
	list := n.Get("condition")
	if list == nil || len(texts(list)) == 0 {
		return nil, troublef(n, "condition", "name the selection: condition: selection", "the detection has no condition")
	}
	det := &detection{node: n, scope: sc, done: make(map[string]expr), many: make(map[[2]string]expr)}
	items := []*yamldoc.Node{list}
	if list.Kind == yamldoc.List {
		items = list.Items
	}
	var kids []expr
	for _, item := range items {
		src := scalarText(item)
		if head, tail, ok := strings.Cut(src, "|"); ok {
			if len(items) > 1 || d.node.Get("filter") != nil {
				return nil, troublef(item, "condition", "write a correlation of its own", "an aggregation cannot be one of several conditions")
			}
			agg, err := parseAggregation(item, tail, n.Get("timeframe"))
			if err != nil {
				return nil, err
			}
			d.agg, src = agg, head
		}
		e, err := det.condition(item, src)
		if err != nil {
			return nil, err
		}
		kids = append(kids, e)
	}
	return eitherOf(kids...), nil
}

// appliesTo reports whether a filter is for a rule: one it names, or every rule
// of its log source.
func (d *document) appliesTo(rule *document) bool {
	refs := texts(d.node.Get("filter").Get("rules"))
	if len(refs) == 0 || len(refs) == 1 && strings.EqualFold(refs[0], "any") {
		return d.source.within(rule.source)
	}
	return slices.ContainsFunc(refs, rule.is)
}
