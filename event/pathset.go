package event

import "slices"

// PathSet reads many paths of an event in one pass over its payload: the paths
// form a trie, and a subtree of the payload that no path leads into is skipped
// without being looked at. A PathSet is immutable and safe to share.
type PathSet struct {
	n     int
	attrs []attrSlot
	data  *node // nil when no path leads into the payload
	want  int   // nodes of the trie that have a slot
}

type attrSlot struct {
	slot int
	attr attribute
	name string // of the extension
}

// attribute is what a path's root names.
type attribute uint8

const (
	attrNone attribute = iota
	attrType
	attrSource
	attrSubject
	attrTime
	attrID
	attrExt
	attrData
)

// node is a place in the payload that some path passes or ends at.
type node struct {
	slots []int32 // the paths that end here
	keys  []string
	tags  []tag            // belong to keys
	kids  []*node          // belong to keys
	byKey map[string]*node // instead of a walk over tags when there are many
	maybe uint64           // a bit for each key, by its tag: most keys of a payload are none of them
	items []itemNode       // by rising index
}

type itemNode struct {
	index int
	node  *node
}

// manyKeys is from where on a map finds a key faster than a walk.
const manyKeys = 12

// NewPathSet prepares to read paths together. The same path may occur twice.
func NewPathSet(paths []Path) *PathSet {
	s := &PathSet{n: len(paths)}
	for i, p := range paths {
		attr, steps := p.resolve()
		switch attr {
		case attrNone:
		case attrData:
			if s.data == nil {
				s.data = new(node)
			}
			n := s.data
			for _, st := range steps {
				n = n.child(st)
			}
			if len(n.slots) == 0 {
				s.want++
			}
			n.slots = append(n.slots, int32(i))
		default:
			as := attrSlot{slot: i, attr: attr}
			if attr == attrExt {
				as.name = steps[0].Key
			}
			s.attrs = append(s.attrs, as)
		}
	}
	return s
}

// resolve says which attribute a path names. A path that names none, or more
// than the attribute has, gives attrNone: it leads to Missing.
func (p Path) resolve() (attribute, []Step) {
	steps := p.Steps()
	root := p.Root()
	switch {
	case root == "data":
		if len(steps) == 0 && p.text != "data" {
			return attrNone, nil
		}
		return attrData, steps
	case root == "ext" && len(steps) == 1 && steps[0].Index < 0:
		return attrExt, steps
	case p.text == "type":
		return attrType, nil
	case p.text == "source":
		return attrSource, nil
	case p.text == "subject":
		return attrSubject, nil
	case p.text == "time":
		return attrTime, nil
	case p.text == "id":
		return attrID, nil
	}
	return attrNone, nil
}

// child finds or makes the node one step below n.
func (n *node) child(st Step) *node {
	if st.Index >= 0 {
		at, found := slices.BinarySearchFunc(n.items, st.Index, func(it itemNode, i int) int { return it.index - i })
		if !found {
			n.items = slices.Insert(n.items, at, itemNode{st.Index, new(node)})
		}
		return n.items[at].node
	}
	t := tagOf(st.Key)
	if kid := n.find(t, st.Key); kid != nil {
		return kid
	}
	kid := new(node)
	n.maybe |= 1 << (t.spread() & 63)
	n.keys, n.tags, n.kids = append(n.keys, st.Key), append(n.tags, t), append(n.kids, kid)
	if len(n.keys) > manyKeys && n.byKey == nil {
		n.byKey = make(map[string]*node)
		for i, k := range n.keys {
			n.byKey[k] = n.kids[i]
		}
	}
	if n.byKey != nil {
		n.byKey[st.Key] = kid
	}
	return kid
}

// find gives the node under key, whose tag is t; nil when there is none.
func (n *node) find(t tag, key string) *node {
	if n.maybe>>(t.spread()&63)&1 == 0 {
		return nil
	}
	if n.byKey != nil {
		return n.byKey[key]
	}
	for i, o := range n.tags {
		if o == t && (!t.long() || n.keys[i] == key) {
			return n.kids[i]
		}
	}
	return nil
}

// Len is the number of paths.
func (s *PathSet) Len() int { return s.n }

// Scan gives the value of each path in the event: dst[i] belongs to the i-th
// path. It overwrites dst, grows it when its capacity does not suffice, and
// allocates nothing otherwise, save for texts that hold escapes. Strings, lists
// and maps alias the event's payload. On a payload that is not JSON, data is its
// text and all below data is Missing.
func (s *PathSet) Scan(e *Event, dst []Value) []Value {
	dst = s.clear(dst)
	s.ScanAttrs(e, dst)
	if s.data == nil || len(e.Data) == 0 {
		return dst
	}
	if !e.IsJSON() {
		s.data.put(dst, e.textData())
		return dst
	}
	sc := scanner{d: e.Data, dst: dst, left: s.want}
	sc.value(space(e.Data, 0), s.data)
	return dst
}

// clear gives room for the values, all of them Missing.
func (s *PathSet) clear(dst []Value) []Value {
	if cap(dst) < s.n {
		return make([]Value, s.n)
	}
	dst = dst[:s.n]
	clear(dst)
	return dst
}

func (n *node) put(dst []Value, v Value) {
	for _, slot := range n.slots {
		dst[slot] = v
	}
}

// scanner is one pass over a payload.
type scanner struct {
	d    []byte
	dst  []Value
	left int // places not found yet; at 0 the pass ends
}

// value reads the value at d[i] for node n and returns the index behind it, or
// -1 to end the pass.
func (s *scanner) value(i int, n *node) int {
	if i >= len(s.d) {
		return -1
	}
	if len(n.slots) > 0 {
		v, end := read(s.d, i)
		n.put(s.dst, v)
		if s.left--; s.left == 0 {
			return -1
		}
		if len(n.keys) == 0 && len(n.items) == 0 {
			return end
		}
	}
	switch {
	case s.d[i] == '{' && len(n.keys) > 0:
		return s.object(i+1, n)
	case s.d[i] == '[' && len(n.items) > 0:
		return s.list(i+1, n)
	}
	return skip(s.d, i)
}

func (s *scanner) object(i int, n *node) int {
	d := s.d
	for left := len(n.keys); ; {
		i = space(d, i)
		if i >= len(d) || d[i] != '"' {
			return closed(d, i, '}')
		}
		end, escaped := stringEnd(d, i+1)
		if end < 0 {
			return -1
		}
		name := text(d[i+1:end], escaped)
		kid := n.find(tagOf(name), name)
		i = space(d, end+1)
		if i >= len(d) || d[i] != ':' {
			return -1
		}
		i = space(d, i+1)
		if kid == nil {
			i = skip(d, i)
		} else {
			i = s.value(i, kid)
			left--
		}
		if i < 0 {
			return -1
		}
		if left == 0 {
			return skipOpen(d, i)
		}
		if i = space(d, i); i >= len(d) || d[i] != ',' {
			return closed(d, i, '}')
		}
		i++
	}
}

func (s *scanner) list(i int, n *node) int {
	d := s.d
	left := n.items
	for at := 0; ; at++ {
		i = space(d, i)
		if i >= len(d) || d[i] == ']' {
			return closed(d, i, ']')
		}
		if at == left[0].index {
			i = s.value(i, left[0].node)
			left = left[1:]
		} else {
			i = skip(d, i)
		}
		if i < 0 {
			return -1
		}
		if len(left) == 0 {
			return skipOpen(d, i)
		}
		if i = space(d, i); i >= len(d) || d[i] != ',' {
			return closed(d, i, ']')
		}
		i++
	}
}

// closed returns the index behind the bracket at d[i], or -1 when it is not c.
func closed(d []byte, i int, c byte) int {
	if i >= len(d) || d[i] != c {
		return -1
	}
	return i + 1
}
