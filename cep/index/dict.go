package index

import (
	"math"

	"github.com/rhost/rhost/event"
)

// dict finds the equality atom of a field's value: open addressing, with 32 bits
// of hash beside each atom, so that a value nobody asks for costs one look.
type dict struct {
	field  uint32
	fold   bool
	length int      // of the longest text, so that longer ones need no hash
	slots  []uint64 // hash<<32 | atom+1; 0 is free
}

// none is the atom of a value without one.
const none = math.MaxUint32

// hashValue hashes a scalar by what makes it equal to another.
func (s *Segment) hashValue(tag uint64, v event.Value) uint64 {
	switch v.Kind() {
	case event.String:
		return s.key.str(tag, v.Str())
	case event.Number:
		return s.key.words(tag, math.Float64bits(v.Number()+0), uint64(v.Kind())) // -0 + 0 is 0
	case event.Time:
		sec, nanos := timeWords(v)
		return s.key.words(tag, sec, nanos<<8|uint64(v.Kind()))
	case event.Bool:
		if v.Bool() {
			return s.key.words(tag, 1, uint64(v.Kind()))
		}
		return s.key.words(tag, 0, uint64(v.Kind()))
	default:
		return s.key.words(tag, 0, uint64(v.Kind()))
	}
}

// tag tells the hashes of dictionaries apart from others'.
func (d *dict) tag() uint64 {
	if d.fold {
		return uint64(d.field)<<1 | 1
	}
	return uint64(d.field) << 1
}

// makeDict builds the dictionary of atoms of one field.
func (s *Segment) makeDict(f uint32, fold bool, atoms []uint32) dict {
	d := dict{field: f, fold: fold, slots: make([]uint64, len(atoms)+len(atoms)/3+1)}
	for _, a := range atoms {
		v := s.constant(a)
		d.length = max(d.length, len(v.Str()))
		h := s.hashValue(d.tag(), v)
		i := slotOf(h, len(d.slots))
		for d.slots[i] != 0 {
			if i++; i == len(d.slots) {
				i = 0
			}
		}
		d.slots[i] = h>>32<<32 | uint64(a) + 1
	}
	return d
}

// find gives the atom whose constant v is. v is of the dictionary's variant.
func (s *Segment) find(d *dict, v event.Value) uint32 {
	if len(v.Str()) > d.length {
		return none
	}
	h := s.hashValue(d.tag(), v)
	for i := slotOf(h, len(d.slots)); ; {
		slot := d.slots[i]
		if slot == 0 {
			return none
		}
		if slot>>32 == h>>32 {
			if a := uint32(slot) - 1; s.same(a, v) {
				return a
			}
		}
		if i++; i == len(d.slots) {
			i = 0
		}
	}
}

// pairTable finds what is filed under two equality atoms at once.
type pairTable struct {
	keys  []uint64 // first<<32 | second+1; 0 is free
	posts []uint32
}

func pairKey(a, b uint32) uint64 { return uint64(a)<<32 | uint64(b) + 1 }

// slot spreads keys with a multiplication: they are numbers that the builder
// gave, which events do not choose.
func (t *pairTable) slot(key uint64) int {
	key *= 0x9e3779b97f4a7c15
	return slotOf(key^key>>29, len(t.keys))
}

func newPairTable(n int) pairTable {
	if n == 0 {
		return pairTable{}
	}
	n += n/3 + 1
	return pairTable{make([]uint64, n), make([]uint32, n)}
}

func (t *pairTable) put(key uint64, post uint32) {
	i := t.slot(key)
	for t.keys[i] != 0 {
		if i++; i == len(t.keys) {
			i = 0
		}
	}
	t.keys[i], t.posts[i] = key, post
}

func (t *pairTable) find(key uint64) uint32 {
	if len(t.keys) == 0 {
		return noPost
	}
	for i := t.slot(key); t.keys[i] != 0; {
		if t.keys[i] == key {
			return t.posts[i]
		}
		if i++; i == len(t.keys) {
			i = 0
		}
	}
	return noPost
}
