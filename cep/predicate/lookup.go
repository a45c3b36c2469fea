package predicate

import (
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/rhost/rhost/event"
)

// lookup is table.NAME[key] and what follows it. Keys are texts; any other key,
// like one that is not in the table, has no value.
type lookup struct {
	table string
	key   value
	steps []event.Step
}

func (n *lookup) eval(ev *Event, env Env) event.Value {
	t, key, ok := n.find(ev, env)
	if !ok {
		return event.Value{}
	}
	return t.at(key, n.steps)
}

func (n *lookup) find(ev *Event, env Env) (t *Table, key string, ok bool) {
	if ev == nil || ev.Tables == nil {
		return nil, "", false // constants are folded without an event
	}
	if t = ev.Tables.Table(n.table); t == nil {
		return nil, "", false
	}
	v := n.key.eval(ev, env)
	return t, v.Str(), v.Kind() == event.String
}

// lookupHas is has(table.NAME[key].field): unknown where the key is not in the
// table.
type lookupHas struct {
	of    lookup
	field string
}

func (n *lookupHas) eval(ev *Event, env Env) Tri {
	t, key, ok := n.of.find(ev, env)
	if !ok || !t.Has(key) {
		return Unknown
	}
	if t.columns != nil && len(n.of.steps) == 0 {
		i, ok := t.column[n.field]
		return TriOf(ok && t.values[int(t.rows[key])*len(t.columns)+i].Kind() != event.Missing)
	}
	switch v := t.at(key, n.of.steps); v.Kind() {
	case event.Missing, event.List:
		return Unknown
	case event.Map:
		_, ok := t.cells[t.rows[key]].seek(n.of.steps).fields[n.field]
		return TriOf(ok)
	default:
		return False
	}
}

// memberOfTable is `key in table.NAME`.
type memberOfTable struct {
	key   value
	table string
}

func (n *memberOfTable) eval(ev *Event, env Env) Tri {
	t := ev.Tables.Table(n.table)
	v := n.key.eval(ev, env)
	if t == nil || v.Kind() == event.Missing {
		return Unknown
	}
	return TriOf(v.Kind() == event.String && t.Has(v.Str()))
}

func (n *lookup) write(b *strings.Builder, names []string) {
	b.WriteString("table")
	writeSteps(b, []event.Step{{Key: n.table, Index: -1}})
	b.WriteString("[" + text(n.key, names) + "]")
	writeSteps(b, n.steps)
}

func (n *lookupHas) write(b *strings.Builder, names []string) {
	b.WriteString("has(" + text(&n.of, names) + "." + n.field + ")")
}

func (n *memberOfTable) write(b *strings.Builder, names []string) {
	n.key.write(b, names)
	b.WriteString(" in table")
	writeSteps(b, []event.Step{{Key: n.table, Index: -1}})
}

func (n *lookup) walk(visit func(node))        { visit(n); n.key.walk(visit) }
func (n *lookupHas) walk(visit func(node))     { visit(n); n.of.walk(visit) }
func (n *memberOfTable) walk(visit func(node)) { visit(n); n.key.walk(visit) }

// lookup compiles table.NAME[key].field; nil when e is none.
func (c *compiler) lookup(e celast.Expr) *lookup {
	base, steps := chain(e)
	if isTables(base) {
		if len(steps) < 2 || steps[0].Index >= 0 || steps[1].Index >= 0 {
			return nil
		}
		return &lookup{steps[0].Key, constValue{event.StringValue(steps[1].Key)}, steps[2:]}
	}
	if base.Kind() != celast.CallKind || base.AsCall().FunctionName() != operators.Index {
		return nil
	}
	args := base.AsCall().Args()
	name, ok := tableOf(args[0])
	if !ok {
		return nil
	}
	key := c.value(args[1])
	if key == nil {
		return nil
	}
	return &lookup{name, key, steps}
}

func isTables(e celast.Expr) bool {
	return e.Kind() == celast.IdentKind && e.AsIdent() == tablesName
}

// tableOf gives the name in table.NAME.
func tableOf(e celast.Expr) (string, bool) {
	base, steps := chain(e)
	if !isTables(base) || len(steps) != 1 || steps[0].Index >= 0 {
		return "", false
	}
	return steps[0].Key, true
}

// tablesIn gives the tables that a part of the tree names, each once.
func tablesIn(e celast.Expr) []string {
	var names []string
	celast.PostOrderVisit(e, celast.NewExprVisitor(func(e celast.Expr) {
		if name, ok := tableOf(e); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}))
	return names
}

func tablesOf(t truth) []string {
	var names []string
	t.walk(func(n node) {
		switch n := n.(type) {
		case *lookup:
			names = addOnce(names, n.table)
		case *memberOfTable:
			names = addOnce(names, n.table)
		case *interpreted:
			for _, name := range n.tables {
				names = addOnce(names, name)
			}
		}
	})
	return names
}
