package sigma

import (
	_ "embed"
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
