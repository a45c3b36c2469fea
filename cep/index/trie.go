package index

import (
	"bytes"
	"cmp"
	"slices"
)

// trie finds the texts that a value begins with, or ends with: a radix tree, with
// its nodes in one array. A node is
//
//	where its label is in the segment's texts (read backwards in a trie of endings)
//	the label's length << 9 | how many children
//	the postings of the text that ends here
//	the children's first bytes, in order, four to a word
//	where the children stand, all before it
type trie struct {
	field   uint32
	variant int
	back    bool // of endings
	root    uint32
	nodes   []uint32
}

const (
	trieHead   = 3
	labelShift = 9
	kidsMask   = 1<<labelShift - 1
	maxLabel   = 1<<(32-labelShift) - 1
)

// key is a text to be found, and what is filed under it.
type key struct {
	field   uint32
	variant int
	text    uint32 // where it stands
	entry   uint32
}

// trieKey is one of the distinct texts of a trie.
type trieKey struct {
	text []byte
	at   uint32 // where its first byte (its last, in a trie of endings) stands
	post uint32
}

// trieMaker builds one trie.
type trieMaker struct {
	t     trie
	keys  []trieKey // sorted
	stack []uint32  // children of the nodes being built
}

// makeTrie builds the trie of the keys of one field and variant.
func (s *Segment) makeTrie(list []key, back bool) trie {
	m := trieMaker{t: trie{field: list[0].field, variant: list[0].variant, back: back}}
	for from := 0; from < len(list); {
		text := s.str(list[from].text)
		to := from + 1
		for to < len(list) && s.str(list[to].text) == text {
			to++
		}
		m.keys = append(m.keys, s.trieKey(list[from:to], back))
		from = to
	}
	slices.SortFunc(m.keys, func(x, y trieKey) int { return m.compare(x.text, y.text) })
	m.t.root = m.node(m.keys, 0)
	m.t.nodes = exact(m.t.nodes)
	return m.t
}

func (s *Segment) trieKey(same []key, back bool) trieKey {
	entries := make([]uint32, len(same))
	for i, k := range same {
		entries[i] = k.entry
	}
	text := bytesOf(s.str(same[0].text))
	at := same[0].text + uint32(varintLen(len(text)))
	if back {
		at += uint32(len(text))
	}
	return trieKey{text, at, s.posting(entries)}
}

func varintLen(n int) int {
	w := 1
	for n >>= 7; n > 0; n >>= 7 {
		w++
	}
	return w
}

func (m *trieMaker) compare(x, y []byte) int {
	if !m.t.back {
		return bytes.Compare(x, y)
	}
	i, j := len(x), len(y)
	for i > 0 && j > 0 {
		i, j = i-1, j-1
		if x[i] != y[j] {
			return cmp.Compare(x[i], y[j])
		}
	}
	return cmp.Compare(i, j)
}

// byteAt gives a key's byte in the order the trie reads it.
func (m *trieMaker) byteAt(k *trieKey, i int) byte {
	if m.t.back {
		return k.text[len(k.text)-1-i]
	}
	return k.text[i]
}

// node builds the node of sorted keys that agree up to depth, its children
// first, and gives its place.
func (m *trieMaker) node(keys []trieKey, depth int) uint32 {
	first, final := &keys[0], &keys[len(keys)-1]
	end := depth
	for end < len(first.text) && end < len(final.text) && end-depth < maxLabel && m.byteAt(first, end) == m.byteAt(final, end) {
		end++
	}
	post := uint32(noPost)
	rest := keys
	if len(first.text) == end {
		post, rest = first.post, keys[1:]
	}
	from := len(m.stack)
	var firsts []byte
	for len(rest) > 0 {
		c := m.byteAt(&rest[0], end)
		n := 1
		for n < len(rest) && m.byteAt(&rest[n], end) == c {
			n++
		}
		at := m.node(rest[:n], end)
		m.stack = append(m.stack, at)
		firsts = append(firsts, c)
		rest = rest[n:]
	}
	at := m.emit(m.label(first, depth), end-depth, post, firsts, m.stack[from:])
	m.stack = m.stack[:from]
	return at
}

func (m *trieMaker) label(k *trieKey, depth int) uint32 {
	if m.t.back {
		return k.at - uint32(depth)
	}
	return k.at + uint32(depth)
}

func (m *trieMaker) emit(label uint32, n int, post uint32, firsts []byte, kids []uint32) uint32 {
	at := uint32(len(m.t.nodes))
	m.t.nodes = append(m.t.nodes, label, uint32(n)<<labelShift|uint32(len(kids)), post)
	for i := 0; i < len(firsts); i += 4 {
		var w uint32
		for j, c := range firsts[i:min(i+4, len(firsts))] {
			w |= uint32(c) << (8 * j)
		}
		m.t.nodes = append(m.t.nodes, w)
	}
	m.t.nodes = append(m.t.nodes, kids...)
	return at
}

// walk visits the postings of the texts that v begins or ends with.
func (t *trie) walk(text []byte, v string, m *matching) {
	at, read := t.root, 0
	for {
		node := t.nodes[at:]
		n := int(node[1] >> labelShift)
		if n > len(v)-read || !t.agrees(text, node[0], n, v, read) {
			return
		}
		read += n
		if node[2] != noPost {
			m.post(node[2])
		}
		kids := int(node[1] & kidsMask)
		if kids == 0 || read == len(v) {
			return
		}
		c := v[read]
		if t.back {
			c = v[len(v)-1-read]
		}
		i := findByte(node[trieHead:], kids, c)
		if i < 0 {
			return
		}
		at = node[trieHead+(kids+3)/4+i]
	}
}

// agrees compares a label with what comes next in v.
func (t *trie) agrees(text []byte, label uint32, n int, v string, read int) bool {
	if t.back {
		return textOf(text[int(label)-n:label]) == v[len(v)-read-n:len(v)-read]
	}
	return textOf(text[label:int(label)+n]) == v[read:read+n]
}

// findByte finds c among the first n bytes of sorted bytes packed into words.
func findByte(words []uint32, n int, c byte) int {
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if byte(words[mid>>2]>>(mid&3*8)) < c {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < n && byte(words[lo>>2]>>(lo&3*8)) == c {
		return lo
	}
	return -1
}
