package eventlog

import (
	"encoding/binary"
	"math/bits"
)

// A keyTable maps DedupKeys to record numbers. Every event passes through it,
// three times: it is looked up, added, and removed in its turn. A built-in map
// of that size costs several cache misses each time; here the key's place is
// known from its bits, and one miss is the rule. Keys are expected to be evenly
// spread, as DedupKeyOf makes them.
type keyTable struct {
	slots []keySlot // a power of two of them, at most three quarters in use
	used  int
}

type keySlot struct {
	key    DedupKey
	record uint64 // plus one; 0 marks an empty slot
}

const smallestTable = 1 << 10

// home is the slot where the search for key begins.
func (t *keyTable) home(key *DedupKey) int {
	le := binary.LittleEndian
	h := (le.Uint64(key[:8]) ^ le.Uint64(key[8:])) * 0x9e3779b97f4a7c15
	return int(h >> (64 - bits.TrailingZeros(uint(len(t.slots)))))
}

// find returns the slot of key, or the empty one where it would go.
func (t *keyTable) find(key *DedupKey) *keySlot {
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.record == 0 || s.key == *key {
			return s
		}
	}
}

// warm touches the slot where the search for key begins. Done for many keys in
// a row before they are looked up, it lets the processor fetch several slots at
// once, where each look-up by itself would wait for its own. The result is of
// no use but to keep the compiler from leaving the access out.
func (t *keyTable) warm(key *DedupKey) uint64 {
	if t.used == 0 {
		return 0
	}
	return t.slots[t.home(key)].record
}

// get returns the record stored for key.
func (t *keyTable) get(key *DedupKey) (record uint64, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	s := t.find(key)
	return s.record - 1, s.record != 0
}

// put stores record for key, which must not be in the table.
func (t *keyTable) put(key *DedupKey, record uint64) {
	if t.used >= len(t.slots)/4*3 {
		t.grow()
	}
	*t.find(key) = keySlot{key: *key, record: record + 1}
	t.used++
}

func (t *keyTable) grow() {
	old := t.slots
	t.slots = make([]keySlot, max(2*len(old), smallestTable))
	for i := range old {
		if old[i].record != 0 {
			*t.find(&old[i].key) = old[i]
		}
	}
}

// remove takes key out. What was put further along because its place was taken
// moves up, so that searches may stop at an empty slot.
func (t *keyTable) remove(key *DedupKey) {
	if t.used == 0 {
		return
	}
	s := t.find(key)
	if s.record == 0 {
		return
	}
	t.used--
	if t.used == 0 && len(t.slots) > smallestTable {
		t.slots = nil // a burst has passed
		return
	}
	mask := len(t.slots) - 1
	hole := t.home(key)
	for &t.slots[hole] != s {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i].record != 0; i = (i + 1) & mask {
		// The entry at i may move to the hole unless its search begins after it.
		if (i-t.home(&t.slots[i].key))&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = keySlot{}
}
