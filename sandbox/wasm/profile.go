package wasm

import (
	"io"
	"slices"
	"sync"
)

// Profile sums up where guests use their fuel: by function, and by the calls
// that lead to it. An engine that has one makes slower code that uses the same
// fuel. What host functions charge is the fuel of the function that called them.
//
// It is safe for concurrent use.
type Profile struct {
	mu    sync.Mutex
	names map[*module][]string
	nodes []profileNode // the first is what calls from outside
	index map[profileEdge]int32
}

// profileNode is one function at the end of one chain of calls.
type profileNode struct {
	profileEdge
	depth       int
	fuel, calls int64
}

type profileEdge struct {
	parent int32
	module *module
	fn     uint32 // in the module as it was uploaded
}

// A chain of calls longer than maxProfileDepth, or a new one when there are
// maxProfileNodes, is cut: the function then counts as called from outside.
const (
	maxProfileDepth = 200
	maxProfileNodes = 1 << 16
)

// NewProfile returns an empty profile, for Options.Profile.
func NewProfile() *Profile {
	p := &Profile{names: make(map[*module][]string)}
	p.Reset()
	return p
}

// Reset forgets what was used so far, for instance by the start-up of an
// instance. No call may be running.
func (p *Profile) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = []profileNode{{}}
	p.index = make(map[profileEdge]int32)
}

// WriteTo writes the profile in the format of pprof, compressed. Each sample is
// a chain of calls with the calls made and the fuel used at its end.
func (p *Profile) WriteTo(w io.Writer) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := newPprof("calls", "count", "fuel", "units")
	for i := range p.nodes {
		var stack []string // the innermost first
		for at := i; at != 0; at = int(p.nodes[at].parent) {
			stack = append(stack, p.names[p.nodes[at].module][p.nodes[at].fn])
		}
		if len(stack) > 0 {
			e.sample(stack, p.nodes[i].calls, p.nodes[i].fuel)
		}
	}
	return e.writeTo(w)
}

// add makes the names of a module's functions known. p may be nil.
func (p *Profile) add(m *module, names []string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[m] = slices.Clone(names)
}

// enter notes that a function was called by the one that runs.
func (p *Profile) enter(m *meter, module *module, fn uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.profile = p
	p.spend(m)
	parent := int32(0)
	if n := len(m.chain); n > 0 {
		parent = m.chain[n-1]
	}
	node := p.node(profileEdge{parent, module, fn})
	p.nodes[node].calls++
	m.chain = append(m.chain, node)
}

// node finds or makes the end of a chain of calls.
func (p *Profile) node(e profileEdge) int32 {
	if i, ok := p.index[e]; ok {
		return i
	}
	if e.parent != 0 && (p.nodes[e.parent].depth >= maxProfileDepth || len(p.nodes) >= maxProfileNodes) {
		e.parent = 0
		return p.node(e)
	}
	i := int32(len(p.nodes))
	p.nodes = append(p.nodes, profileNode{profileEdge: e, depth: p.nodes[e.parent].depth + 1})
	p.index[e] = i
	return i
}

// leave notes that the function that runs returns.
func (p *Profile) leave(m *meter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(m)
	if n := len(m.chain); n > 0 {
		m.chain = m.chain[:n-1]
	}
}

// settle notes what was used up to here, for instance by a call that trapped.
func (p *Profile) settle(m *meter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(m)
}

// spend gives what was used since the last event to the function that ran.
func (p *Profile) spend(m *meter) {
	used := m.spent()
	if n := len(m.chain); n > 0 {
		p.nodes[m.chain[n-1]].fuel += used - m.profiled
	}
	m.profiled = used
}
