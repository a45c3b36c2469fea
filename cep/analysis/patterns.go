package analysis

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
)

// pattern looks at what a rule waits for over time.
func (k *checker) pattern(rd *reading) {
	r, w := rd.rule, &rd.rule.When
	switch {
	case w.Window != nil:
		if len(w.By) > 0 && strings.HasPrefix(w.Window.Text, "count") {
			k.warn(r, w.Window.Pos, CodeKeys, "use a tumbling, sliding or session window, or no `by`",
				"each %s keeps its unfinished window for ever", keysOf(w))
		}
	case w.State != nil:
		if len(w.By) > 0 && w.State.Test == syntax.Changes {
			k.warn(r, w.State.Pos, CodeKeys, "watch fewer keys with `where`", "each %s keeps its last value for ever", keysOf(w))
		}
	case w.Schedule == nil && !w.Bare():
		if plan, ok := k.prog.Plan(r.Name); ok && !rd.completes(&plan) {
			k.warn(r, w.TextPos, CodePattern, "correct the conditions that no event meets", "no events complete the pattern %s", clipped(w.Text))
		}
		k.bounds(rd)
		k.nots(rd, w.Pattern.Seq)
		k.times(r, w.Pattern.Seq, false, false)
	}
}

func keysOf(w *syntax.When) string {
	names := make([]string, len(w.By))
	for i, p := range w.By {
		names[i] = p.String()
	}
	return strings.Join(names, " and ")
}

// bounds reports what a pattern keeps without end.
func (k *checker) bounds(rd *reading) {
	r, w := rd.rule, &rd.rule.When
	if first := &w.Pattern.Seq[0]; first.Elem >= 0 && w.Limit.Full == syntax.DropOldest && first.Min > w.Limit.Runs && !first.Optional {
		k.warn(r, first.Pos, CodeLimit, "raise limit.runs above the count, or use full: reject",
			"%s must come %d times, and only the last %d are kept", w.Pattern.Elems[first.Elem].Name, first.Min, w.Limit.Runs)
	}
	if w.Within > 0 || len(w.Pattern.Seq) == 1 && w.Pattern.Seq[0].Max == 1 && w.Pattern.Seq[0].Elem >= 0 || waits(w.Pattern.Seq[1:]) && !loops(w.Pattern.Seq) {
		return
	}
	what := "the pattern may wait for ever for its end"
	if loops(w.Pattern.Seq) {
		what = "the pattern repeats without a bound and has no time to end in"
	}
	if len(w.By) > 0 {
		what += ", for each " + keysOf(w)
	}
	k.warn(r, w.TextPos, CodeWithin, "add within: 10m, or however long it may take", "%s", what)
}

// waits reports whether each term must come within some time of the one before.
func waits(seq []syntax.Term) bool {
	for i := range seq {
		if seq[i].Wait == 0 {
			return false
		}
	}
	return true
}

// loops reports whether something may repeat for ever: neither an end nor a gap
// bounds it.
func loops(seq []syntax.Term) bool {
	for i := range seq {
		t := &seq[i]
		if t.Max == syntax.Unbounded && t.Until == "" && t.Gap == 0 {
			return true
		}
		if slices.ContainsFunc(t.Parts(), loops) {
			return true
		}
	}
	return false
}

// nots reports a `then not b then c` in which whatever is a b is also a c: taking
// it comes first.
func (k *checker) nots(rd *reading, seq []syntax.Term) {
	for i := range seq {
		t := &seq[i]
		for _, part := range t.Parts() {
			k.nots(rd, part)
		}
		if t.Link != syntax.ThenNot || i+1 >= len(seq) {
			continue
		}
		next := &seq[i+1]
		if t.Elem < 0 || next.Elem < 0 || next.Link != syntax.Then || next.Max != 1 || next.Optional {
			continue
		}
		b, c := rd.cond(t.Elem), rd.cond(next.Elem)
		if b == nil || c == nil || !c.exact || !possible(b.tree) || possible(b.tree, c.tree.not()) {
			continue
		}
		names := rd.rule.When.Pattern.Elems
		k.warn(rd.rule, t.Pos, CodeNot, "narrow "+names[next.Elem].Name+", or drop the not",
			"not %s forbids nothing: each event that is %s is also %s, and is taken as that", names[t.Elem].Name, names[t.Elem].Name, names[next.Elem].Name)
	}
}

// cond gives the condition of an element, which may be that of one before.
func (rd *reading) cond(elem int) *Condition {
	text := rd.rule.When.Pattern.Elems[elem].Cond
	for i := range rd.conds {
		if c := &rd.conds[i]; c.Elem == elem || c.Text == text && !c.Cond.Correlated() && !c.values {
			return c
		}
	}
	return nil
}

// completes follows the automaton along the edges that some event can take, and
// reports whether that leads to its end. Where the automaton is not known, it
// does.
func (rd *reading) completes(plan *cep.Plan) bool {
	g := &plan.Graph
	out := make([][]*engine.GraphEdge, len(g.Nodes))
	for i := range g.Edges {
		out[g.Edges[i].From] = append(out[g.Edges[i].From], &g.Edges[i])
	}
	var open []int
	seen := make([]bool, len(g.Nodes))
	for i := range g.Nodes {
		if g.Nodes[i].Start {
			open, seen[i] = append(open, i), true
		}
	}
	known := make(map[string]bool)
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		if g.Nodes[at].Final || g.Nodes[at].Pending {
			return true
		}
		for _, e := range out[at] {
			if seen[e.To] {
				continue
			}
			can, ok := known[e.If]
			if !ok {
				can = rd.edge(e.If)
				known[e.If] = can
			}
			if can {
				open, seen[e.To] = append(open, e.To), true
			}
		}
	}
	return len(g.Nodes) == 0
}

// edge reports whether some event meets what an edge asks for, such as
// "c1|!c2 & c3".
func (rd *reading) edge(text string) bool {
	if text == "" {
		return true
	}
	var all []tree
	for clause := range strings.SplitSeq(text, " & ") {
		either := tree{kind: predicate.FormulaOr}
		for lit := range strings.SplitSeq(clause, "|") {
			t, ok := rd.numbered(lit)
			if !ok {
				return true
			}
			either.kids = append(either.kids, t)
		}
		if len(either.kids) == 1 {
			all = append(all, either.kids[0])
		} else {
			all = append(all, either)
		}
	}
	return possible(all...)
}

// numbered gives the tree of c1 or !c1; ok is false for what is no condition of
// the rule.
func (rd *reading) numbered(lit string) (t tree, ok bool) {
	if lit == "never" {
		return tree{kind: predicate.FormulaFalse}, true
	}
	name, not := strings.CutPrefix(lit, "!")
	num, found := strings.CutPrefix(name, "c")
	n, err := strconv.Atoi(num)
	if !found || err != nil || n < 1 || n > len(rd.conds) {
		return tree{}, false
	}
	c := &rd.conds[n-1]
	switch {
	case !not:
		return c.tree, true
	case c.exact:
		return c.tree.not(), true
	default:
		return tree{kind: predicate.FormulaTrue}, true
	}
}
