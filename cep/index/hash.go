package index

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// hashKey is the secret of a segment's hash tables. Whoever writes events cannot
// know it, and so cannot make values collide.
type hashKey struct{ k0, k1 uint64 }

// sip is the state of SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast
// short-input PRF", 2012), with one round for each word and three at the end. It
// is keyed and its values last, so that tables can be written to disk as they
// are.
type sip struct{ v0, v1, v2, v3 uint64 }

func (k hashKey) start() sip {
	return sip{
		k.k0 ^ 0x736f6d6570736575, k.k1 ^ 0x646f72616e646f6d,
		k.k0 ^ 0x6c7967656e657261, k.k1 ^ 0x7465646279746573,
	}
}

func (s *sip) round() {
	s.v0 += s.v1
	s.v2 += s.v3
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v1
	s.v0 += s.v3
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 = bits.RotateLeft64(s.v2, 32)
}

func (s *sip) word(m uint64) {
	s.v3 ^= m
	s.round()
	s.v0 ^= m
}

func (s *sip) sum() uint64 {
	s.v2 ^= 0xff
	s.round()
	s.round()
	s.round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// str hashes a text, told apart by tag from other things.
func (k hashKey) str(tag uint64, text string) uint64 {
	s := k.start()
	b := bytesOf(text)
	s.word(tag<<32 ^ uint64(len(b)))
	for len(b) >= 8 {
		s.word(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) > 0 {
		var last uint64
		for i, c := range b {
			last |= uint64(c) << (8 * i)
		}
		s.word(last)
	}
	return s.sum()
}

// words hashes two words, told apart by tag from other things.
func (k hashKey) words(tag, x, y uint64) uint64 {
	s := k.start()
	s.word(tag << 32)
	s.word(x)
	if y != 0 {
		s.word(y)
	}
	return s.sum()
}

// list hashes a list of numbers.
func (k hashKey) list(tag uint64, list []uint32) uint64 {
	s := k.start()
	s.word(tag<<32 ^ uint64(len(list)))
	for _, x := range list {
		s.word(uint64(x))
	}
	return s.sum()
}

// bytesOf gives the bytes of a text, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// textOf gives bytes as a text, which lasts as long as they stay unchanged.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// slotOf spreads a hash evenly over n slots, whatever n is.
func slotOf(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash, uint64(n))
	return int(hi)
}

// interner finds numbered things by their content. It keeps 32 bits of hash
// beside each number, which suffice to grow without looking at the things.
type interner struct {
	slots []uint64 // hash<<32 | number+1; 0 is free
	n     int
}

// find gives the number of the thing with that hash for which same is true, or
// else takes number for it.
func (t *interner) find(hash uint64, number uint32, same func(uint32) bool) (uint32, bool) {
	if t.n*4 >= len(t.slots)*3 {
		t.grow()
	}
	h := hash >> 32
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			t.slots[i] = h<<32 | uint64(number) + 1
			t.n++
			return number, false
		}
		if s>>32 == h && same(uint32(s)-1) {
			return uint32(s) - 1, true
		}
	}
}

func (t *interner) grow() {
	old := t.slots
	t.slots = make([]uint64, max(64, 2*len(old)))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := s >> 32 & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}
