package cea

import (
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// key is what one key has open: a set of states of the pattern's automaton, and
// for each of them a list, the number of the node that stands for the partial
// matches in it.
//
// Starts are numbered. Whatever began before bar is over, be it that its time is
// up, that a match pruned it or that it made room for others; nodes say with max
// whether any of theirs is left.
type key struct {
	arena

	set    *set
	lists  []int32
	bar    uint32
	starts []start // those that may be open; the first has the number bar
	outs   uint64  // outputs made so far

	dirty   bool  // some of starts may not be open
	refused int32 // outputs refused since the last look at what is left
	grown   int   // nodes to have before the next one
}

// start is an event that matches began with.
type start struct {
	ev   *engine.Held
	outs uint64 // outputs made before it
}

// next is the number of the start to come.
func (k *key) next() uint32 { return k.bar + uint32(len(k.starts)) }

// live reports whether a node stands for any partial match that is not over.
func (k *key) live(i int32) bool {
	return i >= k.low() && i != none && k.node(i).max >= k.bar
}

// open reports whether k has any partial match.
func (k *key) open() bool {
	for _, i := range k.lists { //nolint:modernize // every event asks: live is inlined here
		if k.live(i) {
			return true
		}
	}
	return false
}

// output adds an event to the partial matches of a node; to none, it begins one.
func (k *key) output(p *pool, h *engine.Held, elem int, prev int32) int32 {
	n := node{max: k.next(), left: prev, right: none, elem: uint16(elem)}
	if prev != none {
		n.max = k.node(prev).max
	}
	if k.long() {
		k.turn(p, k.next())
	}
	k.outs++
	return k.add(p, n, h, k.next())
}

// long reports whether the latest chunk spans so much of the window that its
// events would be kept for much too long: a chunk goes a window after it ended.
func (k *key) long() bool {
	const least = 32 // nodes, to be worth a chunk
	if len(k.chunks) == 0 {
		return false
	}
	c := &k.chunks[len(k.chunks)-1]
	return len(c.nodes) >= least && k.next()-c.from > uint32(len(k.starts)/4)
}

// union joins the partial matches of two nodes. The one with the later start
// goes to the left, so that whoever finds the left one over need not look at
// the right one.
func (k *key) union(p *pool, i, j int32) int32 {
	switch {
	case !k.live(j):
		return i
	case !k.live(i):
		return j
	case k.node(i).max < k.node(j).max:
		i, j = j, i
	}
	return k.add(p, node{max: k.node(i).max, left: i, right: j, elem: union}, nil, k.next())
}

// skip passes the unions of which only one side is left. Nothing that is over
// comes back, so whoever follows a reference may put in its place where skip
// leads; each union is then passed once for each reference to it, and what it
// costs is paid for when the reference is made.
func (k *key) skip(i int32) int32 {
	for {
		n := k.node(i)
		if n.elem != union || k.live(n.right) {
			return i
		}
		i = n.left
	}
}

// late drops the starts whose time is up.
func (k *key) late(now time.Time, within time.Duration) {
	if within <= 0 {
		return
	}
	for len(k.starts) > 0 && !now.Before(k.starts[0].ev.At.Add(within)) {
		k.drop()
	}
}

// prune drops the starts before the event of an order.
func (k *key) prune(order uint64) {
	for len(k.starts) > 0 && k.starts[0].ev.Order < order {
		k.drop()
	}
}

// drop drops the oldest start.
func (k *key) drop() {
	k.starts[0] = start{}
	k.starts = k.starts[1:]
	k.bar++
}
