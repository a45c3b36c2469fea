package index

import (
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
)

// Segment is an immutable index of conditions, in a few flat arrays. Any number
// of goroutines may use it at once, each with a Scratch of its own.
type Segment struct {
	atomTable

	key    hashKey
	fields []field
	leafs  []*predicate.Leaf

	code    []uint32 // junctions: see makeNode
	roots   []uint32 // references of the distinct conditions
	idStart []uint32 // by root: where its conditions begin in ids; nil when root and condition are one
	ids     []uint32

	refs  []uint32 // postings of more than one entry: a length, then entries
	posts []uint32 // by atom: the postings of what is filed under it, or noPost
	every []uint32 // entries to look at for every event

	dicts  []dict
	ranges []rangeTable
	tries  []trie
	autos  []automaton
	nets   []netTable
	pairs  pairTable

	memos    int  // junctions that several others share
	repeats  bool // some condition is filed in several places
	patterns []atomic.Pointer[regexp.Regexp]

	placed sync.Once
	places []placing // sorted by root; made when first asked for
}

// field is one field that conditions test, and what to look up for it.
type field struct {
	slot    int // index in Event.Fields
	path    event.Path
	has     uint32 // postings for when it is there
	absent  uint32 // postings for when it is missing
	probes  []probe
	dictsOf [2]uint32 // dictionary+1 by fold; 0 for none
}

// probe is one structure to look a field's value up in.
type probe struct {
	kind probeKind
	at   uint32 // which one of its kind
}

type probeKind uint8

const (
	probeDict probeKind = iota
	probeRange
	probeTrie
	probeAuto
	probeNet
)

// connect gives each field its probes, which follow from the structures.
func (s *Segment) connect() {
	for i := range s.fields {
		s.fields[i].probes, s.fields[i].dictsOf = nil, [2]uint32{}
	}
	add := func(f uint32, kind probeKind, at int) {
		s.fields[f].probes = append(s.fields[f].probes, probe{kind, uint32(at)})
	}
	for i := range s.dicts {
		d := &s.dicts[i]
		add(d.field, probeDict, i)
		fold := 0
		if d.fold {
			fold = 1
		}
		s.fields[d.field].dictsOf[fold] = uint32(i) + 1
	}
	for i := range s.ranges {
		add(s.ranges[i].field, probeRange, i)
	}
	for i := range s.tries {
		add(s.tries[i].field, probeTrie, i)
	}
	for i := range s.autos {
		add(s.autos[i].field, probeAuto, i)
	}
	for i := range s.nets {
		add(s.nets[i].field, probeNet, i)
	}
	for a, h := range s.heads {
		switch headOp(h) {
		case opHas:
			s.fields[headField(h)].has = s.posts[a]
		case opAbsent:
			s.fields[headField(h)].absent = s.posts[a]
		}
	}
}

// Len is the number of conditions.
func (s *Segment) Len() int {
	if s.idStart == nil {
		return len(s.roots)
	}
	return len(s.ids)
}

// Paths gives the paths of the fields that conditions test, and Slots where in
// Event.Fields each is looked for.
func (s *Segment) Paths() []event.Path {
	out := make([]event.Path, len(s.fields))
	for i := range s.fields {
		out[i] = s.fields[i].path
	}
	return out
}

// A reference names a literal or a junction: three bits say which sort, the rest
// its number.
const (
	refAtom    uint32 = iota // an atom that must be true
	refNot                   // an atom that must be false
	refNode                  // a junction, by where it stands in the code
	refLeaf                  // a leaf that must be true
	refLeafNot               // a leaf that must be false
	refConst                 // false or true

	refShift = 29
	refMask  = 1<<refShift - 1

	refFalse = refConst << refShift
	refTrue  = refConst<<refShift | 1
)

func makeRef(tag, arg uint32) uint32 { return tag<<refShift | arg }
func refTag(ref uint32) uint32       { return ref >> refShift }
func refArg(ref uint32) uint32       { return ref & refMask }

// A junction is a head, the number under which its outcome is kept if several
// others share it, and its operands.
const (
	nodeOr    = 1
	nodeMemo  = 2
	nodeShift = 2
)

func makeNode(kids int, or bool) uint32 {
	h := uint32(kids) << nodeShift
	if or {
		h |= nodeOr
	}
	return h
}

// An entry says what to do when something an event was looked up for is there:
// a tag in the low bits, and a number.
const (
	entryRoot    uint32 = iota + 1 // decide this condition
	entryRepeat                    // the same, but it is filed in other places as well
	entryFire                      // this atom is true
	entryTest                      // this atom may be true
	entryPartner                   // look up the pair with this dictionary's value

	entryShift = 3
	entryMask  = 1<<entryShift - 1
)

func makeEntry(tag, arg uint32) uint32 { return arg<<entryShift | tag }

// A posting is one entry, or where in refs a list of them is.
const (
	noPost   = 0
	postList = 1 << 31
)

// Stats counts what a segment holds.
type Stats struct {
	Conditions int // as added
	Distinct   int // after equal ones became one
	Atoms      int
	Leafs      int
	Postings   int // places where conditions are filed
	Every      int // conditions looked at for every event
	Regexps    int // that are not mere texts with anything between

	// Bytes by structure.
	AtomBytes, CodeBytes, PostingBytes, DictBytes, RangeBytes, TrieBytes, AutomatonBytes, NetBytes int
}

// Bytes is the memory of the segment's arrays.
func (s Stats) Bytes() int {
	return s.AtomBytes + s.CodeBytes + s.PostingBytes + s.DictBytes + s.RangeBytes + s.TrieBytes + s.AutomatonBytes + s.NetBytes
}

// Stats gives counts and sizes, for people and metrics.
func (s *Segment) Stats() Stats {
	st := Stats{
		Conditions: s.Len(), Distinct: len(s.roots), Atoms: len(s.heads), Leafs: len(s.leafs), Every: len(s.every),
		AtomBytes:    4*(len(s.heads)+len(s.args)+len(s.lists)) + len(s.text) + 8*(len(s.nums)+len(s.patterns)),
		CodeBytes:    4 * (len(s.code) + len(s.roots) + len(s.idStart) + len(s.ids)),
		PostingBytes: 4 * (len(s.posts) + len(s.refs) + len(s.every)),
		DictBytes:    8*len(s.pairs.keys) + 4*len(s.pairs.posts),
	}
	for _, h := range s.heads {
		if headOp(h) == opMatches {
			st.Regexps++
		}
	}
	for i := range s.dicts {
		st.DictBytes += 8 * len(s.dicts[i].slots)
	}
	for i := range s.ranges {
		st.RangeBytes += s.ranges[i].bytes()
	}
	for i := range s.tries {
		st.TrieBytes += 4 * len(s.tries[i].nodes)
	}
	for i := range s.autos {
		st.AutomatonBytes += s.autos[i].bytes()
	}
	for i := range s.nets {
		st.NetBytes += s.nets[i].bytes()
	}
	s.eachPlace(func(placing) { st.Postings++ })
	return st
}
