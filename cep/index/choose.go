package index

import (
	"math"
	"regexp/syntax"

	"github.com/rhost/rhost/event"
)

// filing is one place where a condition is filed: under an atom, a pair of
// equality atoms, or an interval between two order atoms, either of which may be
// missing.
type filing struct{ a, b, root uint32 }

// chooser decides where conditions are filed. The cost of a place is the part of
// events expected to lead there, since each such event decides the condition;
// what is asked for often by conditions is taken to be frequent in events, too.
type chooser struct {
	s       *Segment
	has     []uint32          // by field: its test for being there
	common  map[uint32]uint32 // by place of a glob's piece: globs that have it, if several
	uses    []uint32          // by atom: literals that want it true
	equals  []uint32          // by field: such literals that are equalities
	low     []float64
	high    []float64         // by field: the extremes of numbers in order tests
	needs   map[uint32]needed // by matches atom
	filings []filing
	every   []uint32 // roots
}

// needed is what a regular expression cannot match without.
type needed struct {
	texts   []string
	variant int
}

// The bounds on where one condition is filed.
const (
	maxFilings = 4096 // places; with more it is looked at for every event
	maxPairs   = 16   // pairs of values for one condition
	crowd      = 32   // conditions under one equality from where on pairs are considered
	fewUses    = 16   // conditions under one equality that do no harm
)

// The costs of places, in parts of all events.
const (
	costEvery  = 2
	costNot    = 0.97 // the field is there
	costHas    = 0.95
	costAbsent = 0.9
	costTest   = 0.92 // an expression without texts to look for
	costHalf   = 0.4  // an interval with one end
	costTwo    = 0.35 // the widest interval with two
	walkTrie   = 0.002
	walkNet    = 0.003
	walkAuto   = 0.02
)

func newChooser(s *Segment, has []uint32, common map[uint32]uint32) *chooser {
	c := &chooser{
		s: s, has: has, common: common, uses: make([]uint32, len(s.heads)), equals: make([]uint32, len(s.fields)),
		low: make([]float64, len(s.fields)), high: make([]float64, len(s.fields)), needs: make(map[uint32]needed),
	}
	for i := range c.low {
		c.low[i], c.high[i] = math.Inf(1), math.Inf(-1)
	}
	for a, h := range s.heads {
		if op := headOp(h); op >= opLt && op <= opGe && headKind(h) == event.Number {
			x, f := s.constant(uint32(a)).Number(), headField(h)
			c.low[f], c.high[f] = min(c.low[f], x), max(c.high[f], x)
		}
	}
	for _, r := range s.roots {
		c.count(r)
	}
	return c
}

// count notes the uses of atoms below a reference.
func (c *chooser) count(ref uint32) {
	arg := refArg(ref)
	switch refTag(ref) {
	case refNode:
		head := c.s.code[arg]
		for _, k := range c.kids(arg, head) {
			c.count(k)
		}
	case refAtom:
		c.uses[arg]++
		switch h := c.s.heads[arg]; headOp(h) {
		case opEq:
			c.equals[headField(h)]++
		case opIn:
			c.equals[headField(h)]++
			if members := c.s.list(c.s.args[arg]); len(members) <= maxPairs {
				for _, v := range members {
					c.uses[v]++
				}
			}
		}
	}
}

func (c *chooser) kids(at, head uint32) []uint32 {
	at += 1 + head&nodeMemo/nodeMemo
	return c.s.code[at : at+head>>nodeShift]
}

// place files a root.
func (c *chooser) place(root uint32) {
	ref := c.s.roots[root]
	switch cost, n := c.cost(ref); {
	case ref == refFalse:
	case cost >= costEvery || n > maxFilings:
		c.every = append(c.every, root)
	default:
		c.file(ref, root)
	}
}

// cost gives the cost of filing what a reference stands for, and under how many
// places that would be.
func (c *chooser) cost(ref uint32) (cost float64, places int) {
	arg := refArg(ref)
	switch refTag(ref) {
	case refAtom:
		return c.atomCost(arg), 1
	case refNot:
		return costNot, 1
	case refNode:
		head := c.s.code[arg]
		if head&nodeOr == 0 {
			_, cost, places = c.best(arg, head)
			return cost, places
		}
		for _, k := range c.kids(arg, head) {
			x, n := c.cost(k)
			cost, places = cost+x, places+n
		}
		if places > maxFilings {
			return costEvery, places
		}
		return cost, places
	case refConst:
		if arg == 0 {
			return 0, 0
		}
	}
	return costEvery, 1
}

// best finds the operand of an And to file under: 0 ≤ i, or a combination.
func (c *chooser) best(at, head uint32) (i int, cost float64, places int) {
	i, cost, places = 0, math.Inf(1), 1
	for j, k := range c.kids(at, head) {
		if x, n := c.cost(k); x < cost {
			i, cost, places = j, x, n
		}
	}
	if _, _, x, ok := c.interval(at, head); ok && x < cost {
		i, cost, places = useInterval, x, 1
	}
	if p, ok := c.pair(at, head); ok && p.cost < cost/4 {
		i, cost, places = usePair, p.cost, p.places
	}
	return i, cost, places
}

// What best gives instead of an operand.
const (
	useInterval = -1
	usePair     = -2
)

// file files a root under a reference for which cost found places.
func (c *chooser) file(ref, root uint32) {
	arg := refArg(ref)
	switch refTag(ref) {
	case refAtom:
		c.fileAtom(arg, root)
	case refNot:
		c.add(c.has[headField(c.s.heads[arg])], none, root)
	case refNode:
		head := c.s.code[arg]
		if head&nodeOr != 0 {
			for _, k := range c.kids(arg, head) {
				c.file(k, root)
			}
			return
		}
		switch i, _, _ := c.best(arg, head); i {
		case useInterval:
			lo, hi, _, _ := c.interval(arg, head)
			c.add(lo, hi, root)
		case usePair:
			p, _ := c.pair(arg, head)
			c.filePair(p, root)
		default:
			c.file(c.kids(arg, head)[i], root)
		}
	}
}

func (c *chooser) add(a, b, root uint32) { c.filings = append(c.filings, filing{a, b, root}) }

func (c *chooser) fileAtom(a, root uint32) {
	switch headOp(c.s.heads[a]) {
	case opGt, opGe:
		c.add(a, none, root)
	case opLt, opLe:
		c.add(none, a, root)
	default:
		c.add(a, none, root)
	}
}

// atomCost gives the cost of filing under an atom that must be true.
func (c *chooser) atomCost(a uint32) float64 {
	s, h := c.s, c.s.heads[a]
	popular := float64(c.uses[a]) / float64(len(s.roots)+64)
	switch headOp(h) {
	case opEq:
		return c.equalCost(a, headField(h))
	case opIn:
		n := float64(len(s.list(s.args[a])))
		return max(popular, n/(n+float64(c.equals[headField(h)])+4)) + n*1e-6
	case opPrefix, opSuffix:
		return max(popular, rarity(len(s.str(s.args[a])))) + walkTrie
	case opContains:
		return max(popular, rarity(len(s.str(s.args[a])))) + walkAuto
	case opGlob:
		return c.globCost(s.list(s.args[a]))
	case opMatches:
		if n := c.needsOf(a); len(n.texts) > 0 {
			return max(popular, rarity(shortest(n.texts))*float64(len(n.texts))) + 2*walkAuto
		}
		return costTest
	case opCIDR:
		return max(popular, math.Exp2(-float64(s.networkOf(a).bits)/2)) + walkNet
	case opHas:
		return costHas
	case opAbsent:
		return costAbsent
	default:
		return costHalf
	}
}

// globCost chooses the piece of a glob to seek it by, notes it in the glob's
// shape, and gives its cost.
func (c *chooser) globCost(list []uint32) float64 {
	shape, pieces := globParts(list)
	best, least := 0, math.Inf(1)
	for i, at := range pieces {
		cost := max(float64(c.common[at])/float64(len(c.s.roots)+64), rarity(len(c.s.str(at))))
		if kindOfPiece(shape, i, len(pieces)) == pieceInside {
			cost += walkAuto
		} else {
			cost += walkTrie
		}
		if cost < least {
			best, least = i, cost
		}
	}
	list[2] = shape&(1<<shapePiece-1) | uint32(best)<<shapePiece
	return least
}

// rarity guesses how often a text of n bytes occurs.
func rarity(n int) float64 { return math.Pow(0.6, float64(n)) }

func (c *chooser) equalCost(a, f uint32) float64 {
	p := float64(c.uses[a]) / float64(c.equals[f]+4)
	if c.uses[a] <= fewUses {
		p /= fewUses
	}
	return p
}

// needsOf gives what a regular expression cannot match without.
func (c *chooser) needsOf(a uint32) needed {
	n, ok := c.needs[a]
	if !ok {
		n = c.s.needsOf(a)
		c.needs[a] = n
	}
	return n
}

func (s *Segment) needsOf(a uint32) needed {
	source, _ := s.pattern(a)
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return needed{} // only a forged segment holds such
	}
	texts, variant := needs(re, headFolds(s.heads[a]))
	return needed{texts, variant}
}
