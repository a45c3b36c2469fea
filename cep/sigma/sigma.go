package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// Converted is one rhost rule document made of a Sigma document.
type Converted struct {
	Name  string   // of the rhost rule, unique among those of one Convert
	Title string   // of the Sigma rule
	ID    string   // of the Sigma rule; may be empty
	File  string   // it came from, as given to Add
	YAML  []byte   // the document, without a `---` line
	Rules []string // titles of the rules that a correlation is built of; nil for others
	Notes []string // what a reader should know; they stand in the document as comments
}

// Importer converts Sigma documents. They are all added first, since they refer
// to one another.
type Importer struct {
	m        *Mapping
	docs     []*document // rules and correlations, in the order added
	filters  []*document
	refs     map[string]*document // by name and by id in lower case
	problems []Problem
}

// New gives an Importer that uses a mapping; nil is DefaultMapping.
func New(m *Mapping) *Importer {
	if m == nil {
		m = DefaultMapping()
	}
	return &Importer{m: m}
}

// Add reads the documents of a file, whose name is only for positions and
// comments. What is wrong with them is among the problems that Convert gives,
// and returned as well, as yamldoc.Errors, when it is the file's YAML; the
// file's other documents are kept.
func (i *Importer) Add(file string, src []byte) error {
	docs, err := yamldoc.Parse(file, src)
	if err != nil {
		i.problems = append(i.problems, yamlProblems(file, err)...)
	}
	for _, n := range docs {
		d := newDocument(file, n)
		switch {
		case n.Kind != yamldoc.Map:
			i.refuse(d, troublef(n, "", "start with title:", "a Sigma rule is a map of keys, not %s", n.Kind))
		case n.Get("action") != nil:
			i.refuse(d, troublef(n.Get("action"), "action", "write each rule out", "action: global, repeat and reset are not part of Sigma any more"))
		case n.Get("filter") != nil && n.Get("filter").Kind == yamldoc.Map:
			i.filters = append(i.filters, d)
		case n.Get("detection") == nil && n.Get("correlation") == nil:
			i.refuse(d, troublef(n, "detection", "add one of them", "the document has neither a detection nor a correlation"))
		default:
			i.docs = append(i.docs, d)
		}
	}
	return err
}

func (i *Importer) refuse(d *document, err error) {
	i.problems = append(i.problems, problem(d, err))
}

// Convert gives the documents for everything added so far, in the order added,
// and what could not be converted, by place. A rule that only serves a
// correlation gives no document of its own, unless the correlation says
// `generate: true`.
func (i *Importer) Convert() ([]Converted, []Problem) {
	problems := slices.Clone(i.problems)
	i.prepare()
	var out []Converted
	for _, d := range i.docs {
		if d.used {
			continue
		}
		c, err := i.convert(d)
		if err != nil {
			problems = append(problems, problem(d, err))
			continue
		}
		out = append(out, c)
	}
	for _, d := range i.docs {
		if !d.used {
			continue
		}
		// It is part of a correlation, whose problems name the correlation only.
		if _, err := d.detect(i); err != nil && d.node.Get("detection") != nil {
			problems = append(problems, problem(d, err))
		}
	}
	sortProblems(problems)
	return out, problems
}

// prepare starts afresh: it names the rules, and finds those that only serve
// others.
func (i *Importer) prepare() {
	taken := make(map[string]int)
	i.refs = make(map[string]*document)
	for _, d := range i.docs {
		d.ready, d.used, d.notes, d.agg = false, false, nil, nil
		d.slug = unique(slug(d), d.id, taken)
		for _, ref := range []string{strings.ToLower(d.id), d.name} {
			if _, ok := i.refs[ref]; !ok && ref != "" {
				i.refs[ref] = d
			}
		}
	}
	for _, d := range i.docs {
		c := d.node.Get("correlation")
		if c == nil {
			continue
		}
		alone := c.Get("generate")
		if alone == nil {
			alone = d.node.Get("generate")
		}
		if alone != nil && alone.Bool() {
			continue
		}
		for _, ref := range texts(c.Get("rules")) {
			if r := i.find(ref); r != nil && r != d {
				r.used = true
			}
		}
	}
}

// find gives the document that a reference, a name or an id, means, or nil.
func (i *Importer) find(ref string) *document {
	if d, ok := i.refs[ref]; ok {
		return d
	}
	return i.refs[strings.ToLower(ref)]
}

func (i *Importer) convert(d *document) (Converted, error) {
	var body []string // what stands under `when`
	var rules []string
	var err error
	if d.node.Get("correlation") != nil {
		body, rules, err = i.correlation(d)
	} else {
		body, err = i.single(d)
	}
	if err != nil {
		return Converted{}, err
	}
	yaml := i.write(d, rules, body)
	return Converted{Name: d.slug, Title: d.title, ID: d.id, File: d.file, YAML: yaml, Rules: rules, Notes: d.notes}, nil
}

// single converts a rule that stands alone.
func (i *Importer) single(d *document) ([]string, error) {
	cond, err := d.detect(i)
	if err != nil {
		return nil, err
	}
	if d.agg != nil {
		return i.aggregated(d, cond)
	}
	lines, err := cel(d, cond)
	if err == nil {
		return block("when: ", lines), nil
	}
	parts, ok := spread(d, cond)
	if !ok {
		return nil, err
	}
	return parts, nil
}

// cel writes a condition as lines.
func cel(d *document, e expr) ([]string, error) {
	r := newRenderer()
	t := r.yes(e, known{})
	where := d.node.Get("detection")
	if where == nil {
		where = d.node
	}
	if r.left < 0 {
		return nil, tooLong(where, maxWork)
	}
	var b strings.Builder
	t.flat(&b, true)
	switch {
	case b.Len() > maxCondition:
		return nil, tooLong(where, b.Len())
	case depth(b.String()) > maxBrackets:
		return nil, troublef(where, "detection", "split the rule", "the condition would have more than %d brackets in brackets", maxBrackets)
	}
	lines := t.lines(lineWidth, true)
	if size := len(strings.Join(lines, "\n")); size > maxCondition {
		lines = []string{b.String()}
	}
	return lines, nil
}

func tooLong(n *yamldoc.Node, size int) error {
	return troublef(n, "detection", "split the rule into several, or shorten its lists", "the condition would have %d bytes or more; the limit is %d", size, maxCondition)
}

// spread divides a condition that is too long for one over the alternatives of
// a pattern: an event that meets one of them matches, once.
func spread(d *document, e expr) ([]string, bool) {
	a, ok := e.(*all)
	if !ok {
		a = &all{[]expr{e}}
	}
	longest, size := -1, 0
	for j, kid := range a.kids {
		if o, ok := kid.(*either); ok && len(o.kids) > size {
			longest, size = j, len(o.kids)
		}
	}
	if longest < 0 {
		if len(a.kids) == 1 {
			return nil, false
		}
		return spreadWords(d, a)
	}
	o, _ := a.kids[longest].(*either)
	for n := 2; n <= maxParts && n <= size; n *= 2 {
		var parts [][]string
		for j := range n {
			kids := slices.Clone(a.kids)
			kids[longest] = eitherOf(o.kids[j*size/n : (j+1)*size/n]...)
			lines, err := cel(d, allOf(kids...))
			if err != nil {
				break
			}
			parts = append(parts, lines)
		}
		if len(parts) == n {
			return alternatives(d, parts), true
		}
	}
	return spreadWords(d, a)
}

// spreadWords does the same where it is one long list of constants.
func spreadWords(d *document, a *all) ([]string, bool) {
	for j, kid := range a.kids {
		l, ok := kid.(*leaf)
		if !ok || len(l.pos) != 1 || len(l.pos[0]) < maxCondition/2 || l.list == nil {
			continue
		}
		for n := 2; n <= maxParts; n *= 2 {
			var parts [][]string
			for p := range n {
				kids := slices.Clone(a.kids)
				some := l.list[p*len(l.list)/n : (p+1)*len(l.list)/n]
				kids[j] = &leaf{pos: []string{l.subject + " in [" + strings.Join(some, ", ") + "]"}, needs: l.needs, gives: l.gives}
				lines, err := cel(d, allOf(kids...))
				if err != nil {
					break
				}
				parts = append(parts, lines)
			}
			if len(parts) == n {
				return alternatives(d, parts), true
			}
		}
	}
	return nil, false
}

// alternatives writes the parts of a condition as a pattern.
func alternatives(d *document, parts [][]string) []string {
	d.notes = append(d.notes, fmt.Sprintf("the condition is too long for one; an event that meets one of its %d parts matches, once", len(parts)))
	names := make([]string, len(parts))
	elements := make(map[string][]string, len(parts))
	for j, lines := range parts {
		names[j] = fmt.Sprintf("part%02d", j+1)
		elements[names[j]] = block(names[j]+": ", lines)
	}
	out := []string{"when:", "  pattern: " + strings.Join(names, " | "), "  define:"}
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		out = append(out, indent(elements[name], "    ")...)
	}
	return out
}
