package sigma

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Mapping says how the words of Sigma rules meet events: log sources, fields,
// keywords, placeholders, and what every converted rule gets besides. It is
// immutable and may serve any number of Importers.
type Mapping struct {
	fields       map[string][]event.Path
	keywords     []place // nil: the whole payload
	placeholders map[string][]string
	dots         string // what a dot in a field's name means: both, keys, path
	unmapped     string // log sources that no entry is for: any, refuse
	sources      []mappedSource
	do           []string // lines of YAML, copied into every rule
	mode, owner  string
}

// mappedSource is one entry under logsources.
type mappedSource struct {
	match    source
	typ      string
	when     *yamldoc.Node // a Sigma selection; nil when there is none
	fields   map[string][]event.Path
	keywords []place
	spaced   bool // names of fields may have lost their blanks
}

// source is a rule's log source.
type source struct{ product, category, service string }

// within reports whether everything that s names is so in o.
func (s source) within(o source) bool {
	same := func(a, b string) bool { return a == "" || strings.EqualFold(a, b) }
	return same(s.product, o.product) && same(s.category, o.category) && same(s.service, o.service)
}

func (s source) String() string {
	var out []string
	for _, kv := range [][2]string{{"product", s.product}, {"category", s.category}, {"service", s.service}} {
		if kv[1] != "" {
			out = append(out, kv[0]+" "+kv[1])
		}
	}
	return strings.Join(out, ", ")
}

//go:embed default.yaml
var defaultMapping []byte

// DefaultText gives the text of the default mapping, to start one's own from.
func DefaultText() []byte { return slices.Clone(defaultMapping) }

// DefaultMapping is for Windows events of type windows.event with flat fields,
// as Sysmon and the event log name them, and for the other products of Sigma's
// taxonomy under types of their name. It is the embedded default.yaml, read once.
func DefaultMapping() *Mapping { return readDefault() }

var readDefault = sync.OnceValue(func() *Mapping { //nolint:gochecknoglobals // a constant, read when first wanted
	m, err := ParseMapping("default.yaml", defaultMapping)
	if err != nil {
		panic("sigma: the default mapping is wrong: " + err.Error()) // it is part of the program, and tested
	}
	return m
})

// ParseMapping reads a mapping file; default.yaml describes its keys. The error
// is yamldoc.Errors with every problem found.
func ParseMapping(file string, src []byte) (*Mapping, error) {
	docs, err := yamldoc.Parse(file, src)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != yamldoc.Map {
		return nil, yamldoc.Errors{yamldoc.Errorf(yamldoc.Pos{File: file, Line: 1, Col: 1}, "", yamldoc.CodeType, "write logsources: and fields: below one another", "a mapping is one map of keys")}
	}
	r := mappingReader{src: strings.Split(string(src), "\n")}
	m := r.mapping(docs[0])
	if err := r.errs.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

type mappingReader struct {
	src  []string
	errs yamldoc.Errors
}

func (r *mappingReader) fail(n *yamldoc.Node, key, fix, format string, args ...any) {
	r.errs = append(r.errs, yamldoc.Errorf(n.Pos, key, yamldoc.CodeType, fix, format, args...))
}

func (r *mappingReader) keys(n *yamldoc.Node, under string, known ...string) {
	for _, e := range n.Keys {
		if !slices.Contains(known, e.Key) {
			r.errs = append(r.errs, yamldoc.Errorf(e.Pos, strings.TrimPrefix(under+"."+e.Key, "."), yamldoc.CodeKey, yamldoc.Suggest(e.Key, known), "unknown key"))
		}
	}
}

func (r *mappingReader) mapping(doc *yamldoc.Node) *Mapping {
	r.keys(doc, "", "fields", "keywords", "placeholders", "dots", "unmapped", "logsources", "do", "mode", "owner")
	m := &Mapping{
		fields:       r.fields(doc.Get("fields"), "fields"),
		keywords:     r.keywords(doc.Get("keywords"), "keywords"),
		placeholders: r.placeholders(doc.Get("placeholders")),
		dots:         r.choice(doc, "dots", "both", "keys", "path"),
		unmapped:     r.choice(doc, "unmapped", "any", "refuse"),
		mode:         r.choice(doc, "mode", "", "live", "shadow", "off"),
		owner:        r.text(doc.Get("owner"), "owner"),
	}
	if do := doc.Get("do"); do != nil {
		m.do = r.lines(doc, "do")
	}
	list := doc.Get("logsources")
	if list == nil {
		return m
	}
	if list.Kind != yamldoc.List {
		r.fail(list, "logsources", "write - match: {product: …}", "must be a list, not %s", list.Kind)
		return m
	}
	for i, item := range list.Items {
		m.sources = append(m.sources, r.source(item, fmt.Sprintf("logsources[%d]", i)))
	}
	return m
}

// lines gives the source of a key of the document: its line and all below it
// that belong to it.
func (r *mappingReader) lines(doc *yamldoc.Node, key string) []string {
	i := slices.IndexFunc(doc.Keys, func(e yamldoc.Entry) bool { return e.Key == key })
	e := doc.Keys[i]
	if e.Value.Kind != yamldoc.List || e.Pos.Col != 1 {
		r.fail(e.Value, key, "write `- notify: CHANNEL` on a line of its own below it", "must be a list of steps")
		return nil
	}
	var out []string
	for at := e.Pos.Line - 1; at < len(r.src); at++ {
		line := strings.TrimRight(r.src[at], " \r")
		if at > e.Pos.Line-1 && line != "" && line[0] != ' ' && line[0] != '-' && line[0] != '#' || strings.HasPrefix(line, "---") {
			break
		}
		if line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

func (r *mappingReader) text(n *yamldoc.Node, key string) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == yamldoc.List || n.Kind == yamldoc.Map || n.Kind == yamldoc.Null:
		r.fail(n, key, "write a text", "must be a text, not %s", n.Kind)
		return ""
	}
	return n.Text
}

// choice reads a key whose first value is the default.
func (r *mappingReader) choice(n *yamldoc.Node, key string, options ...string) string {
	v := n.Get(key)
	if v == nil {
		return options[0]
	}
	s := r.text(v, key)
	if !slices.Contains(options, s) {
		r.fail(v, key, "write "+strings.Join(options, " or "), "%q is not one of its values", s)
	}
	return s
}

func (r *mappingReader) texts(n *yamldoc.Node, key string) []string {
	if n.Kind != yamldoc.List {
		return []string{r.text(n, key)}
	}
	var out []string
	for _, item := range n.Items {
		out = append(out, r.text(item, key))
	}
	return out
}

func (r *mappingReader) path(n *yamldoc.Node, key, s string) (event.Path, bool) {
	p, err := event.ParsePath(s)
	switch {
	case err != nil:
		r.fail(n, key, "write a path such as data.process.name", "%v", err)
	case slices.ContainsFunc(p.Steps(), func(st event.Step) bool { return st.Index >= 0 }):
		r.fail(n, key, "name a field", "a path through a list cannot be mapped")
	case p.String() == "data":
		r.fail(n, key, "name a field of it", "the payload as a whole is no field")
	default:
		return p, true
	}
	return p, false
}

func (r *mappingReader) paths(n *yamldoc.Node, key string) []event.Path {
	var out []event.Path
	for _, s := range r.texts(n, key) {
		if p, ok := r.path(n, key, s); ok {
			out = append(out, p)
		}
	}
	return out
}

func (r *mappingReader) fields(n *yamldoc.Node, key string) map[string][]event.Path {
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.Map {
		r.fail(n, key, "write FIELD: data.PATH below it", "must be a map, not %s", n.Kind)
		return nil
	}
	out := make(map[string][]event.Path, len(n.Keys))
	for _, e := range n.Keys {
		out[e.Key] = r.paths(e.Value, key+"."+e.Key)
	}
	return out
}

func (r *mappingReader) keywords(n *yamldoc.Node, key string) []place {
	if n == nil || n.Kind == yamldoc.String && n.Text == "data" {
		return nil
	}
	var out []place
	for _, p := range r.paths(n, key) {
		out = append(out, newPlace(p))
	}
	return out
}

func (r *mappingReader) placeholders(n *yamldoc.Node) map[string][]string {
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.Map {
		r.fail(n, "placeholders", "write NAME: [VALUE, …] below it", "must be a map, not %s", n.Kind)
		return nil
	}
	out := make(map[string][]string, len(n.Keys))
	for _, e := range n.Keys {
		out[strings.Trim(e.Key, "%")] = r.texts(e.Value, "placeholders."+e.Key)
	}
	return out
}

func (r *mappingReader) source(n *yamldoc.Node, key string) mappedSource {
	if n.Kind != yamldoc.Map {
		r.fail(n, key, "write match: {product: …}", "must be a map, not %s", n.Kind)
		return mappedSource{}
	}
	r.keys(n, key, "match", "type", "when", "fields", "keywords", "spaced")
	s := mappedSource{
		typ:      r.text(n.Get("type"), key+".type"),
		fields:   r.fields(n.Get("fields"), key+".fields"),
		keywords: r.keywords(n.Get("keywords"), key+".keywords"),
		spaced:   r.choice(n, "spaced", "false", "true") == "true",
	}
	if match := n.Get("match"); match == nil || match.Kind != yamldoc.Map || len(match.Keys) == 0 {
		r.fail(n, key+".match", "write match: {product: windows}", "must say which log sources are meant")
	} else {
		r.keys(match, key+".match", "product", "category", "service")
		s.match = readSource(match)
	}
	if when := n.Get("when"); when != nil {
		// The condition is a selection; reading it once here finds its mistakes
		// before any rule does.
		sc := scope{m: &Mapping{}}
		if _, err := sc.selection(when); err != nil {
			r.fail(when, key+".when", "write a Sigma selection, such as {EventID: 1}", "%v", err)
		}
		s.when = when
	}
	return s
}

func readSource(n *yamldoc.Node) source {
	get := func(key string) string {
		if v := n.Get(key); v != nil {
			return v.Text
		}
		return ""
	}
	return source{get("product"), get("category"), get("service")}
}

func (m *Mapping) placeholder(name string) ([]string, bool) {
	v, ok := m.placeholders[name]
	return v, ok
}

// entries gives the entries that a log source falls under, in the order written.
func (m *Mapping) entries(s source) []mappedSource {
	var out []mappedSource
	for _, e := range m.sources {
		if e.match.within(s) {
			out = append(out, e)
		}
	}
	return out
}

// paths gives where a field is found: where the last entry of its log source
// that names it says, or where the mapping does for all; else under its own name
// in the payload.
func (m *Mapping) paths(s source, field string) []event.Path {
	entries := m.entries(s)
	for _, e := range slices.Backward(entries) {
		if p, ok := e.fields[field]; ok {
			return p
		}
	}
	if p, ok := m.fields[field]; ok {
		return p
	}
	if field == "" {
		return nil
	}
	var out []event.Path
	add := func(p event.Path) {
		// What cannot be read back is longer or odder than a path may be.
		if q, err := event.ParsePath(p.String()); err == nil && !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	if m.dots != "path" || !strings.Contains(field, ".") {
		add(event.PathOf("data", field))
	}
	if steps := strings.Split(field, "."); m.dots != "keys" && len(steps) > 1 && !slices.Contains(steps, "") && len(steps) < maxDepth {
		add(event.PathOf(append([]string{"data"}, steps...)...))
	}
	if slices.ContainsFunc(entries, func(e mappedSource) bool { return e.spaced }) {
		add(event.PathOf("data", spaced(field)))
	}
	return out
}

// spaced puts back the blanks that Sigma takes out of names: ThreatName is
// "Threat Name", FWLinkID "FW Link ID".
func spaced(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) {
			after := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || after {
				b.WriteByte(' ')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// scope gives what a rule of the log source sees, and the conditions that the
// log source stands for. known is false when no entry is for it.
func (m *Mapping) scope(s source) (sc *scope, cond expr, known bool, err error) {
	sc = &scope{m: m, source: s, keywords: m.keywords}
	var kids []expr
	typ := ""
	for _, e := range m.entries(s) {
		known = true
		if e.typ != "" {
			typ = e.typ
		}
		if e.keywords != nil {
			sc.keywords = e.keywords
		}
		if e.when != nil {
			k, err := sc.selection(e.when)
			if err != nil {
				return nil, nil, true, err
			}
			kids = append(kids, k)
		}
	}
	if typ != "" {
		t := &leaf{pos: []string{"type == " + celText(typ)}, core: "type == " + celText(typ)}
		kids = append([]expr{t}, kids...)
	}
	return sc, allOf(kids...), known, nil
}
