package draw

import (
	"errors"
	"slices"
	"strings"
)

// ErrTooLarge is the error of a graph that nobody could read.
var ErrTooLarge = errors.New("the automaton is too large for a picture; the text form shows it")

// The bounds on a picture.
const (
	maxNodes  = 400
	maxPoints = 20_000 // nodes, labels, and where edges pass layers
	sweeps    = 12
)

// The measures of a picture, in pixels.
const (
	radius    = 17.0
	charWide  = 7.3 // of the 12-pixel monospace font
	lineHigh  = 16.0
	gap       = 26.0 // between neighbours
	layerGap  = 24.0
	loopWide  = 30.0 // of an edge from a node to itself, without its label
	labelClip = 46   // characters of a line
)

// box is something with a place: a node, the label of an edge, or a point where
// an edge passes a layer.
type box struct {
	node        int // -1 for what is none
	edge        int // of a label or point; -1 for a node
	label       bool
	layer       int
	left, right float64 // extents from the centre
	high        float64 // half of it
	x, y        float64
	up, down    []int // neighbours in the layers above and below
}

// layout is a graph with places.
type layout struct {
	g      *Graph
	boxes  []box
	layers [][]int // boxes from left to right
	way    [][]int // by edge: the boxes it passes, from the upper end to the lower
	turned []bool  // by edge: it leads up
	loops  [][]int // by node: edges to itself
	wide   float64
	high   float64
}

// lay finds places for everything.
func lay(g *Graph) (*layout, error) {
	if len(g.Nodes) > maxNodes {
		return nil, ErrTooLarge
	}
	l := &layout{g: g, way: make([][]int, len(g.Edges)), turned: make([]bool, len(g.Edges)), loops: make([][]int, len(g.Nodes))}
	rank := l.rank()
	for i := range g.Nodes {
		l.boxes = append(l.boxes, box{node: i, edge: -1, layer: 2 * rank[i], left: radius, right: radius, high: radius})
	}
	for i, e := range g.Edges {
		if e.From == e.To {
			l.loop(i)
			continue
		}
		if !l.pass(i, rank) {
			return nil, ErrTooLarge
		}
	}
	l.order()
	l.place()
	return l, nil
}

// rank turns edges round that lead back, and gives each node the length of the
// longest way to it.
func (l *layout) rank() []int {
	n := len(l.g.Nodes)
	out := make([][]int, n) // edges
	for i, e := range l.g.Edges {
		if e.From != e.To {
			out[e.From] = append(out[e.From], i)
		}
	}
	const fresh, open, done = 0, 1, 2
	state := make([]int, n)
	var after []int // nodes, each behind all that it leads to
	var visit func(int)
	visit = func(v int) {
		state[v] = open
		for _, i := range out[v] {
			switch to := l.g.Edges[i].To; state[to] {
			case open:
				l.turned[i] = true
			case fresh:
				visit(to)
			}
		}
		state[v] = done
		after = append(after, v)
	}
	for pass := range 2 {
		for i := range l.g.Nodes {
			if state[i] == fresh && (pass == 1 || l.g.Nodes[i].Start) {
				visit(i)
			}
		}
	}
	rank := make([]int, n)
	for _, v := range slices.Backward(after) {
		for _, i := range out[v] {
			if to := l.g.Edges[i].To; !l.turned[i] {
				rank[to] = max(rank[to], rank[v]+1)
			}
		}
	}
	return rank
}

// loop gives an edge from a node to itself room at the node's right.
func (l *layout) loop(edge int) {
	v := l.g.Edges[edge].From
	l.loops[v] = append(l.loops[v], edge)
	wide, lines := 0.0, 0
	for _, i := range l.loops[v] {
		w, n := size(l.g.Edges[i].Label)
		wide, lines = max(wide, w), lines+n
	}
	b := &l.boxes[v]
	b.right = radius + loopWide + wide
	b.high = max(radius, float64(lines)*lineHigh/2+4)
}

// pass gives an edge a point in each layer between its ends, the first below its
// beginning being its label.
func (l *layout) pass(edge int, rank []int) bool {
	e := &l.g.Edges[edge]
	from, to := e.From, e.To
	if l.turned[edge] {
		from, to = to, from
	}
	way := []int{from}
	for layer := 2*rank[from] + 1; layer < 2*rank[to]; layer++ {
		b := box{node: -1, edge: edge, layer: layer, left: 4, right: 4, high: 1}
		if at := 2*rank[from] + 1; layer == at {
			w, lines := size(e.Label)
			b.label, b.left, b.right, b.high = true, w/2+5, w/2+5, float64(lines)*lineHigh/2+3
		}
		way = append(way, len(l.boxes))
		l.boxes = append(l.boxes, b)
	}
	way = append(way, to)
	for i := range way[1:] {
		a, b := way[i], way[i+1]
		l.boxes[a].down = append(l.boxes[a].down, b)
		l.boxes[b].up = append(l.boxes[b].up, a)
	}
	l.way[edge] = way
	return len(l.boxes) <= maxPoints
}

// size gives the width of a text and the number of its lines.
func size(label string) (wide float64, lines int) {
	if label == "" {
		return 0, 0
	}
	for line := range strings.SplitSeq(label, "\n") {
		wide = max(wide, charWide*float64(columns(clipLine(line))))
		lines++
	}
	return wide, lines
}

// columns counts how wide a line is: ideographs and the like count twice.
func columns(s string) (n int) {
	for _, r := range s {
		if n++; r >= 0x1100 {
			n++
		}
	}
	return n
}

func clipLine(s string) string {
	if r := []rune(s); len(r) > labelClip {
		return string(r[:labelClip-1]) + "…"
	}
	return s
}

// order finds an order in each layer that has few crossings: each box goes to the
// mean place of its neighbours, downwards and upwards in turn.
func (l *layout) order() {
	for i := range l.boxes {
		for len(l.layers) <= l.boxes[i].layer {
			l.layers = append(l.layers, nil)
		}
		l.layers[l.boxes[i].layer] = append(l.layers[l.boxes[i].layer], i)
	}
	at := make([]float64, len(l.boxes))
	note := func(layer []int) {
		for k, i := range layer {
			at[i] = float64(k)
		}
	}
	for _, layer := range l.layers {
		note(layer)
	}
	arrange := func(layer []int, neighbours func(*box) []int) {
		mean := make(map[int]float64, len(layer))
		for _, i := range layer {
			mean[i] = at[i]
			if near := neighbours(&l.boxes[i]); len(near) > 0 {
				sum := 0.0
				for _, k := range near {
					sum += at[k]
				}
				mean[i] = sum / float64(len(near))
			}
		}
		slices.SortStableFunc(layer, func(a, b int) int {
			switch {
			case mean[a] < mean[b]:
				return -1
			case mean[a] > mean[b]:
				return 1
			}
			return 0
		})
		note(layer)
	}
	for range sweeps {
		for _, layer := range l.layers {
			arrange(layer, func(b *box) []int { return b.up })
		}
		for _, layer := range slices.Backward(l.layers) {
			arrange(layer, func(b *box) []int { return b.down })
		}
	}
}

// place gives each box its coordinates.
func (l *layout) place() {
	for _, layer := range l.layers {
		x := 0.0
		for _, i := range layer {
			b := &l.boxes[i]
			x += b.left
			b.x = x
			x += b.right + gap
		}
	}
	for range sweeps {
		for _, layer := range l.layers {
			l.settle(layer, func(b *box) []int { return b.up })
		}
		for _, layer := range slices.Backward(l.layers) {
			l.settle(layer, func(b *box) []int { return b.down })
		}
	}
	least := 0.0
	for i := range l.boxes {
		least = min(least, l.boxes[i].x-l.boxes[i].left)
	}
	for i := range l.boxes {
		b := &l.boxes[i]
		b.x += gap - least
		l.wide = max(l.wide, b.x+b.right+gap)
	}
	y := 2*gap + 4
	for _, layer := range l.layers {
		high := 0.0
		for _, i := range layer {
			high = max(high, l.boxes[i].high)
		}
		for _, i := range layer {
			l.boxes[i].y = y + high
		}
		y += 2*high + layerGap
	}
	l.high = y + gap
}

// settle moves the boxes of a layer as near to their neighbours as their order and
// widths allow: the least sum of squares, by pooling (isotonic regression).
func (l *layout) settle(layer []int, neighbours func(*box) []int) {
	type pool struct{ sum, weight float64 }
	var pools []pool
	var members []int
	offset := make([]float64, len(layer))
	for k, i := range layer {
		b := &l.boxes[i]
		if k > 0 {
			offset[k] = offset[k-1] + l.boxes[layer[k-1]].right + gap + b.left
		}
		want, weight := b.x, 0.2
		if near := neighbours(b); len(near) > 0 {
			want, weight = 0, 1
			for _, n := range near {
				want += l.boxes[n].x / float64(len(near))
			}
			if b.node < 0 {
				weight = 2 // long edges are to be straight
			}
		}
		pools = append(pools, pool{(want - offset[k]) * weight, weight})
		members = append(members, 1)
		for n := len(pools); n > 1 && pools[n-2].sum/pools[n-2].weight > pools[n-1].sum/pools[n-1].weight; n = len(pools) {
			pools[n-2].sum += pools[n-1].sum
			pools[n-2].weight += pools[n-1].weight
			members[n-2] += members[n-1]
			pools, members = pools[:n-1], members[:n-1]
		}
	}
	k := 0
	for p := range pools {
		for range members[p] {
			l.boxes[layer[k]].x = pools[p].sum/pools[p].weight + offset[k]
			k++
		}
	}
}
