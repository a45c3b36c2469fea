package dfa

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Plan says what the engine is and how it will work.
func (m *machine) Plan() engine.Plan {
	full := "later ones are refused"
	if m.pol.DropOld {
		full = "the oldest makes room"
	}
	bound := fmt.Sprintf("%d start events per key (%s), 32 bytes each and 24 for each event bound after", m.pol.Limit, full)
	if m.pol.Within > 0 {
		bound += ", each for " + m.pol.Within.Truncate(time.Millisecond).String()
	} else {
		bound += ", without a bound on time"
	}
	return engine.Plan{Engine: "dfa", Why: m.why(), States: len(m.atoms) + 1, Bound: bound, Graph: m.graph()}
}

func (m *machine) why() string {
	why := "contiguity is strict or skips till the next, and no condition looks at other events"
	if m.single {
		return why + "; every element comes a fixed number of times"
	}
	return why + "; only the first of several matches is given out"
}

// graph gives the atoms to be drawn. The last node is the end of the match.
func (m *machine) graph() engine.Graph {
	var g engine.Graph
	for i := range m.atoms {
		g.Nodes = append(g.Nodes, engine.GraphNode{Name: strconv.Itoa(i), Pending: m.atoms[i].kind == absence})
	}
	for _, id := range m.start.atoms {
		g.Nodes[id].Start = true
	}
	end := len(g.Nodes)
	g.Nodes = append(g.Nodes, engine.GraphNode{Name: strconv.Itoa(end), Final: true})
	for i := range m.atoms {
		g.Edges = append(g.Edges, m.edges(i, end)...)
	}
	return g
}

// edges gives the ways out of an atom.
func (m *machine) edges(i, end int) (all []engine.GraphEdge) {
	a := &m.atoms[i]
	var refused []string // by the ways before
	for _, t := range a.takes {
		when := append(slices.Clip(refused), terms(a.gate, "!")...)
		if t.cond != engine.None {
			when = append(when, terms(t.cond.Bit(), "")...)
			refused = append(refused, terms(t.cond.Bit(), "!")...)
		}
		for _, to := range a.to.atoms {
			all = append(all, engine.GraphEdge{From: i, To: int(to), Kind: "take", Elem: int(t.elem), If: join(when, terms(a.veto&^a.gate, "!"))})
		}
		if a.to.ends {
			all = append(all, engine.GraphEdge{From: i, To: end, Kind: "take", Elem: int(t.elem), If: join(when, terms(a.to.unless&^a.gate, "!"))})
		}
	}
	pass := engine.GraphEdge{From: i, To: int(a.pass), Kind: "ignore", Elem: -1, If: join(refused, terms(a.gate|a.veto, "!"))}
	switch {
	case a.kind == anyNext:
		pass.To, pass.If = end, join(nil, terms(a.gate, "!"))
		all = append(all, pass)
	case !a.strict && (len(a.takes) == 0 || a.takes[0].cond != engine.None):
		all = append(all, pass)
	}
	return all
}

// terms names conditions, each after a sign.
func terms(conds uint64, sign string) (all []string) {
	for ; conds != 0; conds &= conds - 1 {
		all = append(all, sign+"c"+strconv.Itoa(bits.TrailingZeros64(conds)+1))
	}
	return all
}

func join(a, b []string) string { return strings.Join(append(slices.Clip(a), b...), " & ") }
