package index

import (
	"math"

	"github.com/rhost/rhost/event"
)

// maxOrders bounds the order tests of one And that are tried with each other.
const maxOrders = 8

// interval finds the two order tests of an And that bound one field from both
// sides most closely.
func (c *chooser) interval(at, head uint32) (lo, hi uint32, cost float64, ok bool) {
	var orders [maxOrders]uint32
	n := 0
	for _, k := range c.kids(at, head) {
		if n < maxOrders && c.isOrder(k) {
			orders[n] = refArg(k)
			n++
		}
	}
	for i, a := range orders[:n] {
		for _, b := range orders[i+1 : n] {
			x, y := a, b
			if !isLower(c.s.heads[x]) {
				x, y = y, x
			}
			if !c.bounds(x, y) {
				continue
			}
			if w := c.width(x, y); !ok || w < cost {
				lo, hi, cost, ok = x, y, w, true
			}
		}
	}
	return lo, hi, cost, ok
}

// bounds reports whether x bounds the same field from below as y from above.
func (c *chooser) bounds(x, y uint32) bool {
	const same = ^uint32(31) // field, kind and fold
	hx, hy := c.s.heads[x], c.s.heads[y]
	return hx&same == hy&same && isLower(hx) && !isLower(hy)
}

func (c *chooser) isOrder(ref uint32) bool {
	if refTag(ref) != refAtom {
		return false
	}
	op := headOp(c.s.heads[refArg(ref)])
	return op >= opLt && op <= opGe
}

func isLower(head uint32) bool { return headOp(head) == opGt || headOp(head) == opGe }

// width guesses how often a value lies in an interval: by its part of the whole
// that intervals of the field cover.
func (c *chooser) width(lo, hi uint32) float64 {
	const guess = 0.1
	h := c.s.heads[lo]
	if headKind(h) != event.Number {
		return guess
	}
	whole := c.high[headField(h)] - c.low[headField(h)]
	part := (c.s.constant(hi).Number() - c.s.constant(lo).Number()) / whole
	if math.IsNaN(part) || whole <= 0 {
		return guess
	}
	return min(max(part, 0), 1)*costTwo + walkTrie
}

// pairing is two literals, each an equality or a small set, to file under at once.
type pairing struct {
	x, y   uint32 // atoms
	cost   float64
	places int
}

// pair finds the two rarest equalities of an And, if the rarest alone is shared by
// so many conditions that a pair is worth it.
func (c *chooser) pair(at, head uint32) (pairing, bool) {
	s := c.s
	p := pairing{x: none, y: none}
	var px, py float64
	for _, k := range c.kids(at, head) {
		if refTag(k) != refAtom {
			continue
		}
		a := refArg(k)
		op := headOp(s.heads[a])
		if op != opEq && op != opIn || c.uses[a] < crowd || op == opIn && len(s.list(s.args[a])) > maxPairs {
			continue
		}
		cost := c.atomCost(a)
		switch {
		case p.x == none || cost < px:
			if p.x != none && !c.sameField(p.x, a) {
				p.y, py = p.x, px
			}
			p.x, px = a, cost
		case (p.y == none || cost < py) && !c.sameField(p.x, a):
			p.y, py = a, cost
		}
	}
	if p.x == none || p.y == none || c.sameField(p.x, p.y) {
		return p, false
	}
	p.cost, p.places = px*py, len(c.valuesOf(p.x))*len(c.valuesOf(p.y))
	return p, p.places <= maxPairs
}

func (c *chooser) sameField(a, b uint32) bool {
	return c.s.heads[a]>>fldShift == c.s.heads[b]>>fldShift
}

// valuesOf gives the equality atoms of which one must be true.
func (c *chooser) valuesOf(a uint32) []uint32 {
	if headOp(c.s.heads[a]) == opIn {
		return c.s.list(c.s.args[a])
	}
	return []uint32{a}
}

func (c *chooser) filePair(p pairing, root uint32) {
	for _, x := range c.valuesOf(p.x) {
		for _, y := range c.valuesOf(p.y) {
			// The more common one leads to the other, as few lead to few.
			c.add(y, x, root)
		}
	}
}
