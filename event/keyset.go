package event

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// tag is a word that stands for a key: of a key of up to seven bytes its length
// and its bytes, so equal tags mean equal keys; of a longer one a hash, which
// has the top bit. Most keys are short, and then a word is all there is to
// compare.
type tag uint64

// long reports that equal tags may belong to different keys.
func (t tag) long() bool { return int64(t) < 0 }

// spread gives eight well mixed bits of t.
func (t tag) spread() uint8 { return uint8(uint64(t) * 0x9e3779b97f4a7c15 >> 56) }

func shortTag(bytes uint64, n int) tag { return tag(bytes | uint64(n)<<56) }

// tagOf gives the tag of the key s.
func tagOf(s string) tag {
	n := len(s)
	if n >= 8 {
		return longTag(s)
	}
	var w uint64
	for i := range n {
		w |= uint64(s[i]) << (8 * i)
	}
	return shortTag(w, n)
}

func longTag(s string) tag {
	b := bytesOf(s)
	first, last := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	h := first*0x9fb21c651e98df25 ^ bits.RotateLeft64(last, 29) + uint64(len(s))
	return tag(h | 1<<63)
}

// keyset finds out whether a key is new to its object. A filter answers for most
// keys of most objects; then the keys are compared. An object with very many
// keys, or with escapes in one, moves to a map, which keeps the cost linear
// whatever the keys are.
type keyset struct {
	base   int // where the object's keys start in parser.keys
	filter [4]uint64
	object int // key of the object in parser.many; 0: it is not there
}

// manyInSet is how many keys of an object are compared one by one at most.
const manyInSet = 64

// key checks a key and its colon, and that the object does not have it yet; it
// returns the key, its tag and the index of the value.
func (p *parser) key(i int, seen *keyset) (string, tag, int) {
	d := p.d
	if i >= len(d) || d[i] != '"' {
		return "", 0, p.unexpected(i, "a quoted key")
	}
	end, escaped := p.str(i)
	if end < 0 {
		return "", 0, -1
	}
	name := text(d[i+1:end-1], escaped)
	t := tagOf(name)
	if !p.unique(i+1, name, t, escaped, seen) {
		return "", 0, p.fail(i, "keep one of them", "the key %q is there twice", clip(name))
	}
	if end+1 < len(d) && d[end] == ':' && d[end+1] > ' ' {
		return name, t, end + 1 // as it is nearly always written
	}
	at := p.space(end)
	if at >= len(d) || d[at] != ':' {
		return "", 0, p.unexpected(at, "a colon")
	}
	return name, t, p.space(at + 1)
}

// unique adds the key that starts at d[at] unless the object has it.
func (p *parser) unique(at int, k string, t tag, escaped bool, seen *keyset) bool {
	if escaped || seen.object != 0 || p.nkeys == len(p.keys) || p.nkeys-seen.base >= manyInSet {
		return p.uniqueOfMany(at, k, seen)
	}
	h := t.spread()
	word, bit := &seen.filter[h>>6], uint64(1)<<(h&63)
	if *word&bit != 0 && p.has(k, seen) {
		return false
	}
	*word |= bit
	p.keys[p.nkeys] = uint32(at)
	p.nkeys++
	return true
}

// has compares k with the object's keys, which have no escapes and so end at
// the first quote.
func (p *parser) has(k string, seen *keyset) bool {
	for _, at := range p.keys[seen.base:p.nkeys] {
		end := int(at) + len(k)
		if end < len(p.d) && p.d[end] == '"' && string(p.d[at:end]) == k {
			return true
		}
	}
	return false
}

// manyKey is a key of an object that has too many for a keyset. All such objects
// of a text share one map.
type manyKey struct {
	object int
	name   string
}

// manyMaps keeps maps for the next text, if they did not become too large to be
// worth that.
var manyMaps = sync.Pool{New: func() any { return make(map[manyKey]struct{}) }} //nolint:gochecknoglobals // texts hold nothing of a map while it is in the pool

const keepMap = 1 << 12

func (p *parser) uniqueOfMany(at int, k string, seen *keyset) bool {
	if p.many == nil {
		p.many = manyMaps.Get().(map[manyKey]struct{}) //nolint:errcheck,forcetypeassert // nothing else is put there
	}
	if seen.object == 0 {
		seen.object = at // no other object has a key there
		for _, o := range p.keys[seen.base:p.nkeys] {
			end, _ := stringEnd(p.d, int(o))
			p.many[manyKey{at, alias(p.d[o:end])}] = struct{}{}
		}
		p.nkeys = seen.base
	}
	n := len(p.many)
	p.many[manyKey{seen.object, k}] = struct{}{}
	return len(p.many) > n
}

// giveBack ends the use of the map, which must not keep the text alive.
func (p *parser) giveBack() {
	if len(p.many) <= keepMap {
		clear(p.many)
		manyMaps.Put(p.many)
	}
	p.many = nil
}
