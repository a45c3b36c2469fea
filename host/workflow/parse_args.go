package workflow

import (
	"math"
	"slices"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// arguments parses what a step acts on, in the shape documented at Parse.
func (p *parser) arguments(n *yamldoc.Node, a Action) argument {
	v := n.Get(string(a))
	switch a {
	case ActionRun:
		return p.with(n.Get("with"))
	case ActionNotify:
		p.text(v, "notify", func(topic string) { p.effect(v, Effect{Kind: EffectNotify, Name: topic}) })
		fields := []field{{"topic", p.argument(v)}}
		if w := n.Get("with"); w != nil {
			fields = append(fields, field{"with", p.argument(w)})
		}
		return newObject(fields)
	case ActionEmit:
		return p.emit(v)
	case ActionHTTP:
		return p.http(v)
	case ActionFile:
		return p.file(v)
	}
	return nil
}

// with parses the arguments of a plugin, which are a map or absent.
func (p *parser) with(n *yamldoc.Node) argument {
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.Map {
		p.fail(n.Pos, "with", codeType, "write with: {name: value}", "must be a map")
		return nil
	}
	return p.argument(n)
}

func (p *parser) emit(n *yamldoc.Node) argument {
	fields, ok := p.fields(n, "emit", []string{"type", "data", "subject"}, "type")
	if !ok {
		return nil
	}
	kind := n.Get("type")
	p.text(kind, "type", func(name string) { p.effect(kind, Effect{Kind: EffectEmit, Name: name}) })
	p.text(n.Get("subject"), "subject", nil)
	return newObject(fields)
}

// effect refuses a constant name that would be refused when the step runs.
func (p *parser) effect(n *yamldoc.Node, e Effect) {
	if err := e.check(); err != nil {
		p.fail(n.Pos, "", codeValue, "", "%s", err)
	}
}

func (p *parser) http(n *yamldoc.Node) argument {
	fields, ok := p.fields(n, "http", []string{"method", "url", "headers", "body"}, "url")
	if !ok {
		return nil
	}
	p.text(n.Get("url"), "url", func(s string) {
		rest, ok := strings.CutPrefix(strings.Replace(s, "https://", "http://", 1), "http://")
		if host, _, _ := strings.Cut(rest, "/"); !ok || host == "" {
			p.fail(n.Get("url").Pos, "url", codeValue, "write http:// or https:// and a host", "%q is no address", s)
		}
	})
	method := "GET"
	if n.Get("body") != nil {
		method = "POST"
	}
	if m := n.Get("method"); m != nil {
		p.text(m, "method", func(s string) {
			if all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}; !slices.Contains(all, s) {
				p.fail(m.Pos, "method", codeValue, "the methods are "+strings.Join(all, ", "), "%q is no method", s)
			}
		})
	} else {
		fields = append(fields, field{"method", constant{method}})
	}
	if h := n.Get("headers"); h != nil && h.Kind != yamldoc.Map {
		p.fail(h.Pos, "headers", codeType, "write headers: {Name: value}", "must be a map")
	}
	return newObject(fields)
}

// file parses one file operation.
func (p *parser) file(n *yamldoc.Node) argument {
	operations := map[string][]string{
		"copy": {"from", "to"}, "move": {"from", "to"}, "tag": {"path", "tags"}, "delete": {"path"},
	}
	const fix = "write one of copy: {from, to}, move: {from, to}, tag: {path, tags}, delete: {path}"
	if n.Kind != yamldoc.Map || len(n.Keys) != 1 {
		p.fail(n.Pos, "file", codeType, fix, "must be a map with one operation")
		return nil
	}
	op := n.Keys[0]
	keys, ok := operations[op.Key]
	if !ok {
		p.fail(op.Pos, op.Key, codeKey, fix, "unknown file operation")
		return nil
	}
	fields, ok := p.fields(op.Value, op.Key, keys, keys...)
	if !ok {
		return nil
	}
	for _, key := range keys {
		if key == "tags" {
			if tags := op.Value.Get(key); tags.Kind != yamldoc.Map {
				p.fail(tags.Pos, key, codeType, "write tags: {name: value}", "must be a map")
			}
			continue
		}
		p.text(op.Value.Get(key), key, func(s string) {
			if s == "" {
				p.fail(op.Value.Get(key).Pos, key, codeValue, "name a file inside a granted folder", "the path is empty")
			}
		})
	}
	return newObject([]field{{op.Key, newObject(fields)}})
}

// fields parses a map whose keys are known, some of them needed.
func (p *parser) fields(n *yamldoc.Node, key string, keys []string, needed ...string) ([]field, bool) {
	if n.Kind != yamldoc.Map {
		p.fail(n.Pos, key, codeType, "the keys are "+strings.Join(keys, ", "), "must be a map")
		return nil, false
	}
	p.known(n, keys...)
	ok := true
	for _, k := range needed {
		if n.Get(k) == nil {
			ok = false
			p.fail(n.Pos, k, codeMissing, "add "+k, "%s needs %s", key, k)
		}
	}
	var fields []field
	for _, e := range n.Keys {
		fields = append(fields, field{e.Key, p.argument(e.Value)})
	}
	return fields, ok
}

// text refuses a value that is not text. check, if any, looks at one that has no
// template and so is known already.
func (p *parser) text(n *yamldoc.Node, key string, check func(string)) {
	switch {
	case n == nil:
	case n.Kind != yamldoc.String:
		p.fail(n.Pos, key, codeType, "put it in quotes", "must be text")
	case !templated(n) && check != nil:
		check(n.Text)
	}
}

func templated(n *yamldoc.Node) bool {
	return n.Kind == yamldoc.String && strings.Contains(n.Text, "${")
}

// argument compiles a tree of arguments.
func (p *parser) argument(n *yamldoc.Node) argument {
	switch {
	case n.Kind == yamldoc.List:
		items := make([]argument, len(n.Items))
		for i, item := range n.Items {
			items[i] = p.argument(item)
		}
		return newList(items)
	case n.Kind == yamldoc.Map:
		fields := make([]field, len(n.Keys))
		for i, e := range n.Keys {
			fields[i] = field{e.Key, p.argument(e.Value)}
		}
		return newObject(fields)
	case templated(n):
		return p.template(n)
	case n.Kind == yamldoc.Number && (math.IsNaN(n.Float()) || math.IsInf(n.Float(), 0)):
		p.fail(n.Pos, "", codeValue, "put it in quotes if it is text", "%s cannot be written as JSON", n.Text)
	}
	return constant{n.Any()}
}

// template compiles one string and checks the steps it reads.
func (p *parser) template(n *yamldoc.Node) argument {
	t, err := p.compiler.Template(n)
	if err != nil {
		p.adopt(n.Pos, "", err)
		return constant{}
	}
	if refs, ok := t.(interface{ StepRefs() []string }); ok {
		for _, id := range refs.StepRefs() {
			if !slices.Contains(p.before, id) {
				fix := "no step has"
				if len(p.before) > 0 {
					fix = "these have: " + strings.Join(p.before, ", ")
				}
				p.fail(n.Pos, "", codeReference, fix, "${…} reads step %q, which has not run by then", id)
			}
		}
	}
	return dynamic{pos: n.Pos, tmpl: t}
}
