package cea

import (
	"encoding/binary"
	"slices"
)

// set is a state of the determinised automaton: the states of the pattern's
// automaton in which a key has partial matches open.
type set struct {
	states []int32 // in order
	looks  uint64  // conditions that decide what happens next
	known  bool    // it is in the cache, and so are the transitions that lead on from it
	trans  [2]map[uint64]*transition
}

// transition is what an event does to the lists of a key that is in a set: which
// lists it extends with the event, which lists become which, what is complete.
type transition struct {
	next  *set
	still bool // nothing at all

	takes  []take // lists extended with the event
	begins []int  // elements that the event begins matches with

	// Where lists go. From is one of the old lists, or ^i for takes[i].
	moves []place
	// Where matches go that begin: from is an index of begins.
	starts []place

	done   []int32 // complete: an old list, or ^i for takes[i]
	single []int   // elements with which the event is a match all by itself
	drops  []int32 // old lists that none of moves has anything of
}

// take is a list extended with the event, which elem takes.
type take struct {
	from int32
	elem int
}

// place is where a list goes: it becomes part of the one of state next.states[to].
type place struct {
	from, to int32
}

// A cache determinises an automaton lazily: sets and transitions are worked out
// when an event first asks for them. It is bounded; what has no room in it is
// worked out again each time.
type cache struct {
	w     *walker
	sets  map[string]*set
	empty *set
	room  int    // places that transitions may still take
	spare uint64 // transitions that found no room

	// Room for building one.
	to []int32
	as map[take]int32
	at []byte
}

// cacheRoom bounds the cache of one rule in one matcher: about a megabyte.
const cacheRoom = 1 << 16

func newCache(n *nfa) *cache {
	c := &cache{w: newWalker(n), sets: make(map[string]*set), as: make(map[take]int32), room: cacheRoom}
	c.empty = c.set(nil)
	return c
}

// set gives the set of states, which must be in order.
func (c *cache) set(states []int32) *set {
	c.at = c.at[:0]
	for _, s := range states {
		c.at = binary.AppendUvarint(c.at, uint64(s))
	}
	if s, ok := c.sets[string(c.at)]; ok {
		return s
	}
	s := &set{states: slices.Clone(states), looks: c.w.n.states[c.w.n.start].looks}
	for _, i := range states {
		s.looks |= c.w.n.states[i].looks
	}
	const overhead = 8 // of a set, in places
	if cost := len(states) + overhead; c.room >= cost {
		c.room -= cost
		s.known = true
		c.sets[string(c.at)] = s
	}
	return s
}

// next gives the transition from a set at an event that meets the conditions of
// mask. A closed rule begins no matches.
func (c *cache) next(from *set, mask uint64, closed bool) *transition {
	mask &= from.looks
	i := 0
	if closed {
		i = 1
	}
	if t := from.trans[i][mask]; t != nil {
		return t
	}
	t := c.build(from, mask, closed)
	const overhead = 24 // of a transition, in places
	cost := len(t.takes) + len(t.moves) + len(t.starts) + len(t.done) + len(t.drops) + overhead
	if !from.known || c.room < cost {
		c.spare++
		return t
	}
	c.room -= cost
	if from.trans[i] == nil {
		from.trans[i] = make(map[uint64]*transition)
	}
	from.trans[i][mask] = t
	return t
}

func (c *cache) build(from *set, mask uint64, closed bool) *transition {
	t := new(transition)
	clear(c.as)
	for i, s := range from.states {
		open, done := c.w.moves(s, mask, false)
		for _, m := range open {
			t.moves = append(t.moves, place{c.from(t, int32(i), m.mark), m.to})
		}
		for _, mark := range done {
			t.done = append(t.done, c.from(t, int32(i), mark))
		}
		if len(open) == 0 {
			t.drops = append(t.drops, int32(i))
		}
	}
	if !closed {
		open, done := c.w.moves(c.w.n.start, mask, true)
		for _, m := range open {
			i := slices.Index(t.begins, m.mark)
			if i < 0 {
				i = len(t.begins)
				t.begins = append(t.begins, m.mark)
			}
			t.starts = append(t.starts, place{int32(i), m.to})
		}
		t.single = slices.Clone(done)
	}
	c.number(t)
	t.still = t.next == from && len(t.takes) == 0 && len(t.begins) == 0 && len(t.done) == 0 && len(t.single) == 0 &&
		len(t.moves) == len(from.states) && !slices.ContainsFunc(t.moves, func(p place) bool { return p.from != p.to })
	return t
}

// from gives the place of list i as it is once the event has been marked.
func (c *cache) from(t *transition, i int32, mark int) int32 {
	if mark == pass {
		return i
	}
	key := take{i, mark}
	n, ok := c.as[key]
	if !ok {
		n = int32(len(t.takes))
		c.as[key] = n
		t.takes = append(t.takes, key)
	}
	return ^n
}

// number finds the set that t leads to, and turns the states that places lead
// to into indices of it.
func (c *cache) number(t *transition) {
	c.to = c.to[:0]
	for _, p := range t.moves {
		c.to = append(c.to, p.to)
	}
	for _, p := range t.starts {
		c.to = append(c.to, p.to)
	}
	slices.Sort(c.to)
	c.to = slices.Compact(c.to)
	t.next = c.set(c.to)
	index := func(ps []place) {
		for i := range ps {
			at, _ := slices.BinarySearch(c.to, ps[i].to)
			ps[i].to = int32(at)
		}
	}
	index(t.moves)
	index(t.starts)
}
