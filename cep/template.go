package cep

import (
	"time"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Template is a text with `${…}` in it, compiled and checked against the elements
// of a rule. It is immutable and safe to share.
type Template = predicate.Template

// Vars is what a template can see when it is evaluated.
type Vars = predicate.Vars

// Refs is what a template reads.
type Refs = predicate.Refs

// Templates compiles the templates of many rules with one CEL environment, which
// takes longer to build than a template. It belongs to one goroutine; what it
// compiles does not.
type Templates struct{ set *predicate.Set }

// NewTemplates gives a compiler of templates.
func NewTemplates() *Templates { return &Templates{predicate.NewSet()} }

// New compiles the text of a node, which sees the elements of r, event, and the
// results of earlier steps. The error is yamldoc.Errors.
func (t *Templates) New(r *Rule, n *yamldoc.Node) (*Template, error) {
	pos := n.Pos
	switch n.Style {
	case yamldoc.Quoted:
		pos.Col++
	case yamldoc.Literal:
		pos.Line, pos.Col = pos.Line+1, 1
	case yamldoc.Plain, yamldoc.Flow:
	}
	return t.set.CompileTemplate(templateScope(r), n.Text, pos)
}

// NewTemplate compiles one template; see Templates.New.
func NewTemplate(r *Rule, n *yamldoc.Node) (*Template, error) { return NewTemplates().New(r, n) }

// templateScope is what the actions of a rule can name: its elements, and of a
// window its aggregates.
func templateScope(r *Rule) predicate.Scope {
	s := scopeOf(r)
	switch {
	case r.When.Window != nil:
		for _, l := range r.When.Window.Let {
			s.Values = append(s.Values, l.Name)
		}
		s.Values = append(s.Values, windowName)
	case r.When.State != nil:
		s.Elements = []predicate.Element{{Name: syntax.BareName}}
	}
	s.Values = append(s.Values, keyName)
	return s
}

// What templates call the bounds of a window, and the key of a match.
const (
	windowName = "window"
	keyName    = "key"
)

// Values gives what templates can name of a match beside events: the aggregates
// of a window, `window.from`, `window.to` and `window.events`, and the values of
// the rule's `by` as the list `key`. It is empty for a rule that has none of these.
func (m *Match) Values() map[string]any {
	values := make(map[string]any)
	if len(m.Rule.When.By) > 0 {
		var key []any
		for _, v := range m.KeyValues() {
			key = append(key, v.Any())
		}
		values[keyName] = key
	}
	if w := m.Window; w != nil {
		values[windowName] = map[string]any{
			"from": w.From.Format(time.RFC3339Nano), "to": w.To.Format(time.RFC3339Nano), "events": float64(w.Events),
		}
		for _, l := range w.Let {
			if l.Value.Kind() != event.Missing {
				values[l.Name] = l.Value.Any()
			}
		}
	}
	return values
}
