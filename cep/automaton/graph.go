package automaton

import (
	"strconv"

	"github.com/rhost/rhost/cep/engine"
)

// Graph gives the states and edges to be drawn.
func (n *NFA) Graph() engine.Graph {
	var g engine.Graph
	for i := range n.states {
		s := &n.states[i]
		g.Nodes = append(g.Nodes, engine.GraphNode{
			Name: strconv.Itoa(i), Start: int32(i) == n.start,
			Final: s.kind == final, Forbidden: s.kind == stop, Pending: s.kind == pending,
		})
		for _, e := range s.edges {
			ge := engine.GraphEdge{From: i, To: int(e.to), Kind: e.op.String(), Elem: -1, If: e.when.String()}
			if e.op == take {
				ge.Elem = int(e.elem)
			}
			g.Edges = append(g.Edges, ge)
		}
	}
	return g
}
