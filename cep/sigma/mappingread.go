package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// mappingReader reads a mapping file and collects what is wrong with it.
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
