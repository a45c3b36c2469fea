package predicate

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/rhost/rhost/event"
)

// interpreted is a condition, or a part of one, that cel-go evaluates. What
// cel-go calls an error is unknown here.
type interpreted struct {
	prog  cel.Program
	text  string
	elems []int // that it reads

	tables []string   // that it names
	reads  []fieldRef // for Set.Check; without an index
}

func (n *interpreted) eval(ev *Event, env Env) Tri {
	out, _, err := n.prog.Eval(&conditionVars{ev: ev, env: env, tables: n.tables})
	if err != nil {
		return Unknown
	}
	b, ok := out.(types.Bool)
	if !ok {
		return Unknown
	}
	return TriOf(bool(b))
}

func (n *interpreted) write(b *strings.Builder, _ []string) { b.WriteString(n.text) }
func (n *interpreted) walk(visit func(node))                { visit(n) }

// interpret makes a node that runs e, a part of the tree, in cel-go.
func (c *compiler) interpret(e celast.Expr) truth {
	prog, err := c.src.plan(e)
	if err != nil {
		c.fail(err)
	}
	return &interpreted{prog, c.src.textOf(e), elementsIn(e), tablesIn(e), c.fieldsIn(e, nil)}
}

// elementsIn gives the elements that a part of the tree names, each once.
func elementsIn(e celast.Expr) []int {
	var elems []int
	celast.PostOrderVisit(e, celast.NewExprVisitor(func(e celast.Expr) {
		if elem, _, ok := elementOf(e); ok && !slices.Contains(elems, elem) {
			elems = append(elems, elem)
		}
	}))
	return elems
}

// fieldsIn gives the fields that a part of the tree reads, of events and not of
// the variables of macros.
func (c *compiler) fieldsIn(e celast.Expr, out []fieldRef) []fieldRef {
	base, steps := chain(e)
	if r, steps, ok := c.origin(base, steps); ok {
		if path, ok := fieldPath(steps); ok {
			r.field = field{index: -1, path: path}
			return append(out, r)
		}
	}
	visit := func(list ...celast.Expr) {
		for _, e := range list {
			out = c.fieldsIn(e, out)
		}
	}
	switch base.Kind() {
	case celast.SelectKind:
		visit(base.AsSelect().Operand()) // has(…): what it is asked of
	case celast.CallKind:
		if base.AsCall().IsMemberFunction() {
			visit(base.AsCall().Target())
		}
		visit(base.AsCall().Args()...)
	case celast.ListKind:
		visit(base.AsList().Elements()...)
	case celast.MapKind:
		for _, entry := range base.AsMap().Entries() {
			visit(entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case celast.ComprehensionKind:
		m := base.AsComprehension()
		visit(m.IterRange(), m.AccuInit(), m.LoopCondition(), m.LoopStep(), m.Result())
	default:
	}
	return out
}

// plan makes a program of a part of the checked tree.
func (s *source) plan(e celast.Expr) (cel.Program, error) {
	part := celast.NewCheckedAST(celast.NewAST(e, s.ast.SourceInfo()), s.ast.TypeMap(), s.ast.ReferenceMap())
	prog, err := s.env.PlanProgram(part, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be evaluated: %w", s.textOf(e), err)
	}
	return prog, nil
}

// textOf cuts the source of an expression out of the whole. The tree knows
// where names, literals and operators stand; names of fields and brackets at
// the edges are added from the source.
func (s *source) textOf(e celast.Expr) string {
	if e == s.ast.Expr() {
		return strings.TrimSpace(s.text)
	}
	info := s.ast.SourceInfo()
	runes := []rune(s.text)
	from, to := len(runes), 0
	visitor := celast.NewExprVisitor(func(e celast.Expr) {
		if r, ok := info.GetOffsetRange(e.ID()); ok && int(r.Stop) <= len(runes) {
			from, to = min(from, int(r.Start)), max(to, int(r.Stop))
		}
	})
	celast.PostOrderVisit(e, visitor)
	if call, ok := info.GetMacroCall(e.ID()); ok {
		celast.PostOrderVisit(call, visitor)
	}
	if from >= to {
		return s.text
	}
	for to < len(runes) && isWord(runes[to]) {
		to++
	}
	for from > 0 && (runes[from] == '(' || isWord(runes[from])) && isWord(runes[from-1]) {
		from--
	}
	left, right := openBrackets(runes[from:to])
	for right > 0 && to < len(runes) {
		n := token(runes[to:])
		if n == 1 {
			right -= bracket(runes[to])
		}
		to += n
	}
	for ; left > 0 && from > 0; from-- {
		left += bracket(runes[from-1])
	}
	return string(runes[from:to])
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// bracket is 1 for a closing bracket and -1 for an opening one.
func bracket(r rune) int {
	switch r {
	case '(', '[', '{':
		return -1
	case ')', ']', '}':
		return 1
	}
	return 0
}

// openBrackets counts the brackets that text closes without having opened them,
// and those it leaves open.
func openBrackets(text []rune) (left, right int) {
	var n int
	for ; len(text) > 0; text = text[n:] {
		if n = token(text); n > 1 {
			continue
		}
		if right -= bracket(text[0]); right < 0 {
			left, right = left+1, 0
		}
	}
	return left, right
}

// token gives the length of the text in quotes that begins here, or 1.
func token(text []rune) int {
	if text[0] != '"' && text[0] != '\'' {
		return 1
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return 1
}

// conditionVars are the variables of a condition in the interpreter. They are
// decoded when asked for.
type conditionVars struct {
	ev     *Event
	env    Env
	tables []string
}

func (v *conditionVars) Parent() interpreter.Activation { return nil }

func (v *conditionVars) ResolveName(name string) (any, bool) {
	if elem, list, ok := parseHidden(name); ok {
		var bound []*Event
		if v.env != nil {
			bound = v.env.Bound(elem)
		}
		switch {
		case list:
			all := make([]any, len(bound))
			for i, e := range bound {
				all[i] = eventMap(e.Ev)
			}
			return all, true
		case len(bound) > 0:
			return eventMap(bound[0].Ev), true
		}
		return nil, false
	}
	if name == tablesName {
		all := make(map[string]any, len(v.tables))
		for _, name := range v.tables {
			if t := v.ev.Tables.Table(name); t != nil {
				all[name] = t.native()
			}
		}
		return all, true
	}
	if name == selfName {
		return eventMap(v.ev.Ev), true
	}
	return attribute(v.ev.Ev, name)
}

// eventMap gives an event as CEL sees it, without the attributes it does not
// have.
func eventMap(e *event.Event) map[string]any {
	m := make(map[string]any, 7)
	for _, name := range attributes() {
		if x, ok := attribute(e, name); ok {
			m[name] = x
		}
	}
	return m
}

func attribute(e *event.Event, name string) (any, bool) {
	if name == "ext" {
		ext := make(map[string]any, len(e.Ext))
		for _, a := range e.Ext {
			ext[a.Name] = a.Value.Any()
		}
		return ext, true
	}
	v := e.Get(event.PathOf(name))
	if v.Kind() == event.Null {
		return types.NullValue, true
	}
	return v.Any(), v.Kind() != event.Missing
}
