package analysis

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// cascade is which rules can make which match, by the events they emit.
type cascade struct {
	rules []*reading
	emits [][]emitted      // by rule
	typed map[string][]int // rules with a condition about a type, by type
	all   []int            // rules with a condition about any type
	done  map[string][]int // rules that may look at a type, once it was asked for
}

// emitted is an event that a rule emits, as far as its text tells.
type emitted struct {
	kind string
	data *yamldoc.Node // nil: none
	pos  yamldoc.Pos
}

// emits keeps a rule with the events that it emits. Types that are only known
// when the rule runs are left out.
func (k *checker) emits(rd *reading) {
	g := &k.cascade
	var list []emitted
	if strings.Contains(rd.rule.Source().Text, "emit") {
		do, onFailure := rd.rule.Steps()
		for _, steps := range []*yamldoc.Node{do, onFailure} {
			if steps == nil {
				continue
			}
			for _, s := range steps.Items {
				list = append(list, emissions(s)...)
				list = append(list, emissions(s.Get("undo"))...)
			}
		}
	}
	g.rules, g.emits = append(g.rules, rd), append(g.emits, list)
}

func emissions(step *yamldoc.Node) []emitted {
	n := step.Get("emit")
	kind := n.Get("type")
	if kind == nil || strings.Contains(kind.Text, "${") {
		return nil
	}
	return []emitted{{kind.Text, n.Get("data"), kind.Pos}}
}

// loops reports rules that lead to one another: each circle once.
func (k *checker) loops() {
	g := &k.cascade
	if !slices.ContainsFunc(g.emits, func(l []emitted) bool { return len(l) > 0 }) {
		return
	}
	g.file()
	next := make([][]int, len(g.rules))
	left := maxSteps
	for i, list := range g.emits {
		for _, e := range list {
			for _, to := range g.takers(e.kind) {
				if left--; left > 0 && g.rules[to].takes(&e) {
					next[i] = append(next[i], to)
				}
			}
		}
	}
	for _, circle := range circles(next) {
		k.circle(circle, next)
	}
}

// file sorts the rules by the types that their conditions are about.
func (g *cascade) file() {
	g.typed, g.done = make(map[string][]int), make(map[string][]int)
	for i, rd := range g.rules {
		for n := range rd.conds {
			c := &rd.conds[n]
			if c.values || rd.negative(c) {
				continue
			}
			types := typesOf(&c.tree)
			if len(types) == 0 {
				g.all = append(g.all, i)
				break
			}
			for _, t := range types {
				if list := g.typed[t]; len(list) == 0 || list[len(list)-1] != i {
					g.typed[t] = append(list, i)
				}
			}
		}
	}
}

func (rd *reading) negative(c *Condition) bool {
	return c.Elem >= 0 && rd.rule.When.Pattern.Elems[c.Elem].Negative || strings.HasSuffix(c.Name, ".until")
}

// typesOf gives the types that a condition pins, or none.
func typesOf(t *tree) []string {
	for _, p := range t.parts() {
		if p.kind != predicate.FormulaAtom || p.lit.can != isTrue || p.lit.atom.Path().String() != "type" || p.lit.atom.Fold() {
			continue
		}
		if op := p.lit.atom.Op(); op == predicate.OpEq || op == predicate.OpIn {
			var types []string
			for _, v := range p.lit.atom.Values() {
				types = append(types, v.Str())
			}
			return types
		}
	}
	return nil
}

// takers gives the rules that may look at events of a type.
func (g *cascade) takers(kind string) []int {
	list, ok := g.done[kind]
	if !ok {
		list = g.typed[kind]
		if len(g.done) < maxTypes {
			list = append(slices.Clip(list), g.all...)
		}
		g.done[kind] = list
	}
	return list
}

// maxTypes is for how many emitted types the rules that look at any type are
// searched, too.
const maxTypes = 1000

// maxSteps bounds the pairs of rules that are looked at.
const maxSteps = 1 << 20

// takes reports whether an emitted event may meet one of the rule's conditions.
func (rd *reading) takes(e *emitted) bool {
	for i := range rd.conds {
		c := &rd.conds[i]
		if !c.values && !rd.negative(c) && c.tree.may(e) {
			return true
		}
	}
	return false
}

// may reports whether the tree may hold for an emitted event.
func (t *tree) may(e *emitted) bool {
	switch t.kind {
	case predicate.FormulaFalse:
		return false
	case predicate.FormulaAnd:
		for i := range t.kids {
			if !t.kids[i].may(e) {
				return false
			}
		}
		return true
	case predicate.FormulaOr:
		return slices.ContainsFunc(t.kids, func(k tree) bool { return k.may(e) })
	case predicate.FormulaAtom:
		v, known := e.value(t.lit.atom.Path())
		return !known || t.lit.allows(v)
	default:
		return true
	}
}

// value gives the value of a field of the event, if the text of the rule tells it.
func (e *emitted) value(path event.Path) (v event.Value, known bool) {
	switch path.Root() {
	case "type":
		return event.StringValue(e.kind), true
	case "data":
	default:
		return v, false
	}
	n := e.data
	for i, step := range path.Parts() {
		switch {
		case n == nil:
			return v, true // missing
		case n.Kind == yamldoc.String && strings.Contains(n.Text, "${"):
			return v, false
		case i == 0: // data itself
		case n.Kind != yamldoc.Map:
			return v, false
		default:
			n = n.Get(step)
		}
	}
	switch {
	case n == nil:
		return v, true
	case n.Kind == yamldoc.List || n.Kind == yamldoc.Map || strings.Contains(n.Text, "${"):
		return v, false
	}
	return event.ValueOf(n.Any()), true
}

func (k *checker) circle(circle []int, next [][]int) {
	g := &k.cascade
	first := slices.MinFunc(circle, func(a, b int) int { return a - b })
	way := wayBack(first, circle, next)
	names := make([]string, 0, len(way)+1)
	for _, i := range way {
		names = append(names, g.rules[i].rule.Name)
	}
	rd := g.rules[first]
	text := "its own events make it match again"
	if len(names) > 1 {
		shown := slices.Clone(names)
		if len(shown) > 8 {
			shown = append(shown[:7], "…")
		}
		text = "rules cause each other in a loop: " + strings.Join(append(shown, rd.rule.Name), " → ")
	}
	w := k.warn(rd.rule, g.emits[first][0].pos, CodeCascade, "let one of the conditions exclude events that rules emit", "%s", text)
	w.Rules = names[1:]
}

// wayBack gives a shortest way from a rule back to itself.
func wayBack(first int, circle []int, next [][]int) []int {
	inside := make(map[int]bool, len(circle))
	for _, i := range circle {
		inside[i] = true
	}
	from := map[int]int{}
	for open := []int{first}; len(open) > 0; open = open[1:] {
		at := open[0]
		for _, to := range next[at] {
			if to == first {
				var way []int
				for ; at != first; at = from[at] {
					way = append(way, at)
				}
				slices.Reverse(way)
				return append([]int{first}, way...)
			}
			if _, seen := from[to]; !seen && inside[to] {
				from[to] = at
				open = append(open, to)
			}
		}
	}
	return []int{first}
}

// circles gives the groups of nodes that lead to one another, and single nodes
// that lead to themselves (Tarjan 1972, with a stack of its own instead of
// recursion).
func circles(next [][]int) (all [][]int) {
	const none = -1
	n := len(next)
	index, low, at := make([]int, n), make([]int, n), make([]int, n)
	on := make([]bool, n)
	for i := range index {
		index[i] = none
	}
	var stack, calls []int
	count := 0
	for root := range next {
		if index[root] != none {
			continue
		}
		for calls = append(calls[:0], root); len(calls) > 0; {
			v := calls[len(calls)-1]
			if index[v] == none {
				index[v], low[v] = count, count
				count++
				stack, on[v] = append(stack, v), true
			}
			if at[v] < len(next[v]) {
				w := next[v][at[v]]
				at[v]++
				switch {
				case index[w] == none:
					calls = append(calls, w)
				case on[w]:
					low[v] = min(low[v], index[w])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				up := calls[len(calls)-1]
				low[up] = min(low[up], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			cut := len(stack) - 1
			for stack[cut] != v {
				cut--
			}
			group := slices.Clone(stack[cut:])
			for _, w := range group {
				on[w] = false
			}
			stack = stack[:cut]
			if len(group) > 1 || slices.Contains(next[v], v) {
				all = append(all, group)
			}
		}
	}
	return all
}
