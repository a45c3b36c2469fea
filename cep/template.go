package cep

import (
	"github.com/rhost/rhost/cep/predicate"
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
	return t.set.CompileTemplate(scopeOf(r), n.Text, pos)
}

// NewTemplate compiles one template; see Templates.New.
func NewTemplate(r *Rule, n *yamldoc.Node) (*Template, error) { return NewTemplates().New(r, n) }
