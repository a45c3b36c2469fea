package cep

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/yamldoc"
)

// Tables are the lookup tables that conditions name, at one moment: immutable, and
// replaced as a whole by Matcher.SetTables.
type Tables = predicate.Tables

// Table is one lookup table.
type Table = predicate.Table

// NewTables puts tables under the names that conditions know them by.
func NewTables(tables map[string]*Table) *Tables { return predicate.NewTables(tables) }

// ParseTable reads a table from a file: JSON, CSV with a header, or lines of text,
// by the ending of its name.
func ParseTable(name, file string, src []byte) (*Table, error) {
	return predicate.ParseTable(name, file, src)
}

// Schema is what a JSON Schema says about the payload of one type of events.
type Schema = predicate.Schema

// Schemas are the declared types of events.
type Schemas = predicate.Schemas

// ParseSchema reads a JSON Schema. The type of event is its `x-event-type`, or the
// name of the file without its ending.
func ParseSchema(file string, src []byte) (*Schema, error) { return predicate.ParseSchema(file, src) }

// NewSchemas puts schemas together.
func NewSchemas(schemas ...*Schema) (*Schemas, error) { return predicate.NewSchemas(schemas...) }

// Check looks for what compiles and cannot be right: lookup tables that are not
// among tables (nil: none exist), and, for events of declared types (nil: none
// are), paths they do not have and comparisons that cannot hold.
func Check(rules []*Rule, tables []string, schemas *Schemas) yamldoc.Errors {
	k := &checker{set: predicate.NewSet(), tables: tables, schemas: schemas}
	for _, r := range rules {
		k.rule(r)
	}
	return k.errs
}

// checker checks conditions one by one.
type checker struct {
	set     *predicate.Set
	tables  []string
	schemas *Schemas
	errs    yamldoc.Errors
}

func (k *checker) rule(r *Rule) {
	w := &r.When
	scope := scopeOf(r)
	for i, e := range w.Pattern.Elems {
		scope.Under = i
		types := k.condition(scope, e.Cond, e.CondPos)
		scope.Elements[i].EventTypes = types
	}
	k.until(scope, w.Pattern.Seq)
	if w.Window != nil && w.Window.Where != "" {
		k.condition(bareScope, w.Window.Where, w.Window.WherePos)
	}
	if w.State != nil && w.State.Where != "" {
		k.condition(bareScope, w.State.Where, w.State.WherePos)
	}
}

func (k *checker) until(scope predicate.Scope, seq []syntax.Term) {
	for i := range seq {
		if t := &seq[i]; t.Until != "" {
			scope.Under = t.Elem
			if t.Elem < 0 {
				scope.Under = len(scope.Elements)
			}
			k.condition(scope, t.Until, t.UntilPos)
		}
		for _, part := range seq[i].Parts() {
			k.until(scope, part)
		}
	}
}

// condition checks one condition, and gives the types of events that meet it.
func (k *checker) condition(scope predicate.Scope, text string, pos yamldoc.Pos) []string {
	if k.schemas == nil && !strings.Contains(text, "table") {
		return nil // types are for schemas
	}
	cond, err := k.set.Add(scope, text, pos)
	if err != nil {
		return nil // Compile tells
	}
	for _, name := range cond.Tables() {
		if !slices.Contains(k.tables, name) {
			k.errs = append(k.errs, yamldoc.Errorf(pos, "when", codeTable, "add tables/"+name+".json, .csv or .txt, or correct the name",
				"there is no table called %s", name))
		}
	}
	if k.schemas != nil {
		k.errs = append(k.errs, k.set.Check(text, pos, scope, k.schemas)...)
	}
	return cond.EventTypes()
}
