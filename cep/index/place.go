package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/event"
)

// Placement tells where a condition is filed and why, for people.
type Placement struct {
	// Under names what an event must have for the condition to be looked at; each
	// alternative of an Or has its own. It is empty for what no event meets, and
	// for what is looked at for every event.
	Under []Access

	// Every tells that the condition is looked at for every event.
	Every bool

	// Why says in words how the place was chosen.
	Why string
}

// Access is one thing under which a condition is filed.
type Access struct {
	Test   string // as CEL
	Kind   string // the structure that finds it: hash, pair, interval, prefix, …
	Shared int    // how many distinct conditions are filed under it
}

// String gives the placement in one line.
func (p Placement) String() string {
	if len(p.Under) == 0 {
		return p.Why
	}
	var b strings.Builder
	for i, a := range p.Under {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s (%s, shared by %d)", a.Test, a.Kind, a.Shared)
	}
	return b.String() + ": " + p.Why
}

// placing is one place where a root is filed.
type placing struct {
	root uint32
	kind placeKind
	a, b uint32 // the atom, the two of a pair, or the table and number of an interval
	n    uint32 // how many are filed there
}

type placeKind uint8

const (
	placeAtom placeKind = iota
	placePair
	placeInterval
	placeEvery
)

// placements gives all places, sorted by root. They are collected when first
// asked for, by a walk over all postings.
func (s *Segment) placements() []placing {
	s.placed.Do(func() {
		s.eachPlace(func(p placing) { s.places = append(s.places, p) })
		slices.SortStableFunc(s.places, func(x, y placing) int { return cmp.Compare(x.root, y.root) })
	})
	return s.places
}

// eachPlace visits all places where conditions are filed.
func (s *Segment) eachPlace(visit func(placing)) {
	for a, p := range s.posts {
		s.eachRoot(p, placing{kind: placeAtom, a: uint32(a)}, visit)
	}
	for i, key := range s.pairs.keys {
		if key != 0 {
			s.eachRoot(s.pairs.posts[i], placing{kind: placePair, a: uint32(key >> 32), b: uint32(key) - 1}, visit)
		}
	}
	for t := range s.ranges {
		for i, p := range s.ranges[t].posts {
			s.eachRoot(p, placing{kind: placeInterval, a: uint32(t), b: uint32(i)}, visit)
		}
	}
	for _, e := range s.every {
		s.eachRoot(e, placing{kind: placeEvery}, visit)
	}
}

// eachRoot visits the conditions in a posting.
func (s *Segment) eachRoot(post uint32, pl placing, visit func(placing)) {
	entries := []uint32{post}
	if post&postList != 0 {
		at := post &^ postList
		entries = s.refs[at+1 : at+1+s.refs[at]]
	}
	pl.n = uint32(len(entries))
	for _, e := range entries {
		if tag := e & entryMask; tag == entryRoot || tag == entryRepeat {
			pl.root = e >> entryShift
			visit(pl)
		}
	}
}

// Place tells where a condition is filed; the zero Placement for a number that no
// condition has. The first call walks over the whole segment, later ones do not.
func (s *Segment) Place(id ID) Placement {
	root, ok := s.rootOf(id)
	if !ok {
		return Placement{}
	}
	list := s.placements()
	i, _ := slices.BinarySearchFunc(list, root, func(p placing, r uint32) int { return cmp.Compare(p.root, r) })
	var out Placement
	for ; i < len(list) && list[i].root == root; i++ {
		if list[i].kind == placeEvery {
			out.Every = true
			continue
		}
		out.Under = append(out.Under, s.access(list[i]))
	}
	out.Why = s.why(root, &out)
	return out
}

// rootOf finds the root of a condition.
func (s *Segment) rootOf(id ID) (uint32, bool) {
	switch {
	case int(id) >= s.Len():
		return 0, false
	case s.idStart == nil:
		return id, true
	}
	at := slices.Index(s.ids, id)
	r, found := slices.BinarySearch(s.idStart, uint32(at))
	if found {
		for r+1 < len(s.idStart) && s.idStart[r+1] == uint32(at) {
			r++
		}
		return uint32(r), true
	}
	return uint32(r - 1), true
}

func (s *Segment) access(p placing) Access {
	switch p.kind {
	case placePair:
		return Access{s.atomText(p.b) + " && " + s.atomText(p.a), "pair", int(p.n)}
	case placeInterval:
		return Access{s.intervalText(&s.ranges[p.a], int(p.b)), "interval", int(p.n)}
	default:
		return Access{s.atomText(p.a), s.structure(p.a), int(p.n)}
	}
}

// structure names what finds an atom.
func (s *Segment) structure(a uint32) string {
	switch headOp(s.heads[a]) {
	case opEq, opIn:
		return "hash"
	case opPrefix:
		return "prefix"
	case opSuffix:
		return "suffix"
	case opContains:
		return "substring"
	case opGlob:
		at, kind := globKey(s.list(s.args[a]))
		return fmt.Sprintf("%s %q", [...]string{"prefix", "suffix", "substring"}[kind], s.str(at))
	case opMatches:
		if n := s.needsOf(a); len(n.texts) > 0 {
			return fmt.Sprintf("substrings %q, then the expression", n.texts)
		}
		return "expression run whenever the field is there"
	case opCIDR:
		return "network"
	default:
		return "presence"
	}
}

// atomText gives an atom as CEL.
func (s *Segment) atomText(a uint32) string {
	f := &s.fields[headField(s.heads[a])]
	atom, err := s.rebuild(a, f.slot, f.path)
	switch {
	case err != nil: // only a forged segment holds such
		return f.path.String() + ": " + err.Error()
	case headOp(s.heads[a]) == opAbsent:
		return "!" + atom.String()
	}
	return atom.String()
}

func (s *Segment) intervalText(r *rangeTable, i int) string {
	path := s.fields[r.field].path.String()
	if r.fold {
		path = "lower(" + path + ")"
	}
	var parts []string
	if lo := r.lo[i]; lo > 0 {
		parts = append(parts, path+[2]string{" > ", " >= "}[lo&1]+s.boundText(r, int((lo-1)/2)))
	}
	if hi := r.hi[i]; hi != last {
		parts = append(parts, path+[2]string{" < ", " <= "}[hi&1]+s.boundText(r, int(hi/2)))
	}
	return strings.Join(parts, " && ")
}

func (s *Segment) boundText(r *rangeTable, i int) string {
	v := s.bound(r, i)
	if v.Kind() == event.String {
		return fmt.Sprintf("%q", v.Str())
	}
	return v.String()
}

// why explains a placement.
func (s *Segment) why(root uint32, p *Placement) string {
	ref := s.roots[root]
	switch {
	case p.Every && ref == refTrue:
		return "always true"
	case p.Every:
		return "looked at for every event: one of its alternatives has no test of a single field, or there are too many"
	case len(p.Under) == 0 && ref == refFalse:
		return "never true"
	case len(p.Under) == 0:
		return "never true: its bounds leave nothing between them"
	case len(p.Under) > 1:
		return "filed under the rarest test of each alternative"
	case p.Under[0].Kind == "presence":
		return "it has no test that a value can be looked up by, so every event with the field leads to it"
	case p.Under[0].Kind == "pair":
		return "each test alone is shared by many conditions"
	case refTag(ref) == refNode:
		return "the rarest of its tests; the others are checked when it holds"
	}
	return "its only test"
}
