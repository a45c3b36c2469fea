package cea

import "github.com/rhost/rhost/cep/engine"

// node is a part of the compact set of a key's partial matches. It is either an
// output: an event that elem takes, after those of node left, or first of all;
// or a union: of what node left stands for, and node right. A node is made after
// those it refers to, so it has a greater number. Nodes never change, except
// that references to what has expired are replaced by what is left.
type node struct {
	max         uint32 // the latest start of all partial matches that it stands for
	left, right int32
	ev          uint16 // of an output: index among the events of its chunk
	elem        uint16 // what takes the event; union for a union
}

const (
	union = 1<<16 - 1 // no element
	none  = int32(-1) // no node

	chunkBits = 8
	chunkSize = 1 << chunkBits
)

// chunk is a row of nodes and the events they bind. It is freed as a whole, when
// all of its nodes have expired.
type chunk struct {
	nodes  []node
	events []*engine.Held
	top    uint32 // the latest start of any node
	from   uint32 // the start to come when the chunk was begun
}

// arena holds the nodes of a key. The number of a node is the number of its
// chunk, counted from the first there ever was, and its index there.
type arena struct {
	chunks []chunk
	gone   int32 // chunks freed
	size   int   // nodes in chunks
}

func (a *arena) chunk(i int32) *chunk { return &a.chunks[i>>chunkBits-a.gone] }

func (a *arena) node(i int32) *node { return &a.chunk(i).nodes[i&(chunkSize-1)] }

func (a *arena) event(i int32, n *node) *engine.Held { return a.chunk(i).events[n.ev] }

// low is the least number that a node can have, end the least that none has.
func (a *arena) low() int32 { return a.gone << chunkBits }

func (a *arena) end() int32 {
	if len(a.chunks) == 0 {
		return a.low()
	}
	last := len(a.chunks) - 1
	return (a.gone+int32(last))<<chunkBits + int32(len(a.chunks[last].nodes))
}

// add makes a node; h is the event of an output, next the start to come.
func (a *arena) add(p *pool, n node, h *engine.Held, next uint32) int32 {
	if len(a.chunks) == 0 || len(a.chunks[len(a.chunks)-1].nodes) == chunkSize {
		a.turn(p, next)
	}
	c := &a.chunks[len(a.chunks)-1]
	if h != nil {
		if len(c.events) == 0 || c.events[len(c.events)-1] != h {
			c.events = append(c.events, h)
		}
		n.ev = uint16(len(c.events) - 1)
	}
	c.top = max(c.top, n.max)
	c.nodes = append(c.nodes, n)
	a.size++
	return a.end() - 1
}

// turn begins a chunk. The first of a key starts small: there may be a million
// keys that never have more than a few nodes.
func (a *arena) turn(p *pool, from uint32) {
	var c chunk
	switch n := len(a.chunks); {
	case n == 0:
		c = chunk{nodes: make([]node, 0, 4), events: make([]*engine.Held, 0, 2)}
	case len(a.chunks[n-1].nodes) == chunkSize:
		c = p.take()
	default:
		c = chunk{nodes: make([]node, 0, len(a.chunks[n-1].nodes))}
	}
	c.from = from
	a.chunks = append(a.chunks, c)
}

// free gives back the oldest chunks of which nothing began at bar or later.
func (a *arena) free(p *pool, bar uint32) {
	for len(a.chunks) > 0 && a.chunks[0].top < bar {
		a.size -= len(a.chunks[0].nodes)
		p.give(a.chunks[0])
		a.chunks[0] = chunk{}
		a.chunks = a.chunks[1:]
		a.gone++
	}
}

// clear gives back everything.
func (a *arena) clear(p *pool) {
	for i := range a.chunks {
		p.give(a.chunks[i])
	}
	*a = arena{}
}

// pool keeps full-size chunks that were freed for keys that need one.
type pool struct{ chunks []chunk }

const poolSize = 64

// take gives an empty chunk.
func (p *pool) take() chunk {
	n := len(p.chunks)
	if n == 0 {
		return chunk{nodes: make([]node, 0, chunkSize)}
	}
	c := p.chunks[n-1]
	p.chunks = p.chunks[:n-1]
	return c
}

// give takes back a chunk that is of use to others.
func (p *pool) give(c chunk) {
	if cap(c.nodes) != chunkSize || len(p.chunks) == poolSize {
		return
	}
	clear(c.events)
	p.chunks = append(p.chunks, chunk{nodes: c.nodes[:0], events: c.events[:0]})
}
