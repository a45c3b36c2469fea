package draw

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/cep/engine"
)

// Graph is what is drawn.
type Graph struct {
	Title string
	Nodes []Node
	Edges []Edge
	Notes []string // below the picture, a line each
}

// Node is a state.
type Node struct {
	Label string
	Kind  Kind
	Start bool
}

// Kind is what a state means.
type Kind uint8

// The kinds of states.
const (
	Plain     Kind = iota
	Final          // complete
	Forbidden      // something happened that must not
	Pending        // complete when time runs out
)

// Edge leads from one node to another, both by their index.
type Edge struct {
	From, To int
	Label    string // lines
	Quiet    bool   // nothing is bound on the way
}

// Of gives an automaton in words. elems are the names of elements, conds those of
// conditions, c1 first; names that are missing stay numbers. Edges between the
// same nodes that do the same are joined.
func Of(title string, g engine.Graph, elems, conds []string) Graph {
	out := Graph{Title: title}
	for _, n := range g.Nodes {
		node := Node{Label: n.Name, Start: n.Start}
		switch {
		case n.Final:
			node.Kind = Final
		case n.Forbidden:
			node.Kind = Forbidden
		case n.Pending:
			node.Kind = Pending
		}
		out.Nodes = append(out.Nodes, node)
	}
	type way struct {
		from, to int
		quiet    bool
	}
	at := make(map[way]int)
	for i := range g.Edges {
		e := &g.Edges[i]
		w := way{e.From, e.To, e.Kind != "take"}
		label := Words(&g, e, elems, conds)
		k, ok := at[w]
		if !ok {
			at[w] = len(out.Edges)
			out.Edges = append(out.Edges, Edge{From: e.From, To: e.To, Quiet: w.quiet, Label: label})
			continue
		}
		out.Edges[k].Label = strings.TrimPrefix(out.Edges[k].Label+"\n"+label, "\n")
	}
	return out
}

// Renumber gives an automaton whose states are numbered in the order in which they
// are reached from the start: a reader follows them more easily than the numbers
// that suited an engine.
func Renumber(g engine.Graph) engine.Graph {
	const none = -1
	at := make([]int, len(g.Nodes)) // by old number
	for i := range at {
		at[i] = none
	}
	var order []int
	add := func(i int) {
		if at[i] == none {
			at[i] = len(order)
			order = append(order, i)
		}
	}
	next := make([][]int, len(g.Nodes))
	for _, e := range g.Edges {
		next[e.From] = append(next[e.From], e.To)
	}
	for i := range g.Nodes {
		if g.Nodes[i].Start {
			add(i)
		}
	}
	for k := 0; k < len(order); k++ {
		for _, to := range next[order[k]] {
			add(to)
		}
	}
	for i := range g.Nodes {
		add(i)
	}
	var out engine.Graph
	for k, i := range order {
		n := g.Nodes[i]
		n.Name = strconv.Itoa(k)
		out.Nodes = append(out.Nodes, n)
	}
	for _, e := range g.Edges {
		e.From, e.To = at[e.From], at[e.To]
		out.Edges = append(out.Edges, e)
	}
	slices.SortStableFunc(out.Edges, func(a, b engine.GraphEdge) int { return a.From - b.From })
	return out
}

// Words says what an edge of an automaton does and when: `fail if not ok`. Of an
// edge to what must not happen it says what that is.
func Words(g *engine.Graph, e *engine.GraphEdge, elems, conds []string) string {
	var what string
	switch {
	case e.Kind == "take" && e.Elem >= 0 && e.Elem < len(elems):
		what = elems[e.Elem]
	case e.Kind == "take":
		what = "any event"
	case e.Kind == "ignore":
		what = "skip"
	case e.To < len(g.Nodes) && g.Nodes[e.To].Forbidden && e.If != "":
		return Condition(e.If, conds)
	default:
		what = "at once"
	}
	var when []string
	for part := range strings.SplitSeq(Condition(e.If, conds), " and ") {
		if part != "" && part != what {
			when = append(when, part)
		}
	}
	if len(when) == 0 {
		return what
	}
	return what + " if " + strings.Join(when, " and ")
}

// Condition gives what must hold for an edge, such as "c1|!c2 & c3", in words.
func Condition(text string, conds []string) string {
	text = numbered.ReplaceAllStringFunc(text, func(lit string) string {
		n, err := strconv.Atoi(strings.TrimLeft(lit, "!c"))
		if err != nil || n < 1 || n > len(conds) || conds[n-1] == "" {
			return lit
		}
		if strings.HasPrefix(lit, "!") {
			return "not " + conds[n-1]
		}
		return conds[n-1]
	})
	return strings.ReplaceAll(strings.ReplaceAll(text, " & ", " and "), "|", " or ")
}

var numbered = regexp.MustCompile(`!?\bc[0-9]+\b`)
