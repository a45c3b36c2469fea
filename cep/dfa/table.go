package dfa

import (
	"hash/maphash"
	"unsafe"

	"github.com/rhost/rhost/cep/engine"
)

// entry is what is open for one key. The common case, one partial match, stands
// in it: its start, bound to elem, and the chain of what it bound since, in the
// set at. Otherwise start is nil, and at is the number of a bag.
type entry struct {
	start *engine.Held
	log   *node
	at    uint32
	elem  uint32

	hash uint32
	next uint32 // in the bucket, or of the free places: a number and one; 0: the last
	off  uint32 // of the key in the bytes of the page
	size uint32 // of the key; free: no entry here
}

const free = ^uint32(0)

// noEntry is the number of no entry.
const noEntry = ^uint32(0)

// table finds entries by key. It is a linear hash table, which grows and shrinks
// by a bucket at a time, over pages of entries with the bytes of their keys. A
// page without entries is given back. Entries have numbers that stay; a pointer
// to one is good until the next is added.
type table struct {
	buckets []uint32 // the first entry of each: a number and one
	pages   []page
	open    []uint32 // pages with room; those without memory are among them
	spare   []entry  // a page's worth, kept against coming and going
	count   int
}

// page is up to pageSize entries.
type page struct {
	entries []entry
	keys    []byte
	dead    uint32 // bytes of keys whose entries are gone
	used    uint32
	vacant  uint32 // the first free place: a number within the page and one
}

const (
	pageBits = 8
	pageSize = 1 << pageBits
	tiny     = 64 // entries of a table not worth taking apart when it empties
)

// seed makes where keys stand unpredictable. Nothing seen outside depends on it.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // of the process

func hashOf(key []byte) uint32 {
	h := maphash.Bytes(seed, key)
	return uint32(h ^ h>>32)
}

func (t *table) at(id uint32) *entry { return &t.pages[id>>pageBits].entries[id&(pageSize-1)] }

// live gives an entry that is in use, or nil.
func (t *table) live(id uint32) *entry {
	if int(id>>pageBits) >= len(t.pages) {
		return nil
	}
	p := &t.pages[id>>pageBits]
	if i := int(id & (pageSize - 1)); i < len(p.entries) && p.entries[i].size != free {
		return &p.entries[i]
	}
	return nil
}

// key gives the key of an entry. It is good until the table changes.
func (t *table) key(id uint32) []byte {
	p := &t.pages[id>>pageBits]
	e := &p.entries[id&(pageSize-1)]
	return p.keys[e.off : e.off+e.size]
}

// bucket gives the number of the bucket of a hash.
func (t *table) bucket(hash uint32) uint32 {
	n := uint32(len(t.buckets))
	whole := uint32(1) // the greatest power of two up to n
	for whole<<1 <= n && whole<<1 != 0 {
		whole <<= 1
	}
	if b := hash & (whole<<1 - 1); b < n {
		return b
	}
	return hash & (whole - 1)
}

// find gives the number of a key's entry, or noEntry.
func (t *table) find(key []byte, hash uint32) uint32 {
	if t.count == 0 {
		return noEntry
	}
	for ref := t.buckets[t.bucket(hash)]; ref != 0; {
		e := t.at(ref - 1)
		if e.hash == hash && int(e.size) == len(key) && string(t.key(ref-1)) == string(key) {
			return ref - 1
		}
		ref = e.next
	}
	return noEntry
}

// add makes an entry for a key that has none.
func (t *table) add(key []byte, hash uint32) (uint32, *entry) {
	id := t.place()
	p := &t.pages[id>>pageBits]
	e := &p.entries[id&(pageSize-1)]
	off := p.store(key)
	*e = entry{hash: hash, off: off, size: uint32(len(key))}
	if t.count++; t.count > len(t.buckets) {
		t.grow()
	}
	b := t.bucket(hash)
	e.next, t.buckets[b] = t.buckets[b], id+1
	return id, e
}

// store puts a key among the bytes of a page.
func (p *page) store(key []byte) uint32 {
	if len(p.keys)+len(key) > cap(p.keys) && p.dead > 0 && int(p.dead) >= len(p.keys)/2 {
		kept := make([]byte, 0, len(p.keys)-int(p.dead)+len(key))
		for i := range p.entries {
			if e := &p.entries[i]; e.size != free && e.size > 0 {
				k := p.keys[e.off : e.off+e.size]
				e.off = uint32(len(kept))
				kept = append(kept, k...)
			}
		}
		p.keys, p.dead = kept, 0
	}
	off := uint32(len(p.keys))
	p.keys = append(p.keys, key...)
	return off
}

// place finds room for an entry.
func (t *table) place() uint32 {
	if len(t.open) == 0 {
		t.pages = append(t.pages, page{})
		t.open = append(t.open, uint32(len(t.pages)-1))
	}
	n := t.open[len(t.open)-1]
	p := &t.pages[n]
	if p.entries == nil {
		p.entries, t.spare = t.spare, nil
		if p.entries == nil && n > 0 {
			p.entries = make([]entry, 0, pageSize)
		}
	}
	i := uint32(len(p.entries))
	if p.vacant != 0 {
		i = p.vacant - 1
		p.vacant = p.entries[i].next
	} else {
		p.entries = append(p.entries, entry{size: free})
	}
	if p.used++; p.used == pageSize {
		t.open = t.open[:len(t.open)-1]
	}
	return n<<pageBits | i
}

// remove forgets an entry.
func (t *table) remove(id uint32) {
	e := t.at(id)
	ref := &t.buckets[t.bucket(e.hash)]
	for *ref != id+1 {
		ref = &t.at(*ref - 1).next
	}
	*ref = e.next
	if t.count--; t.count == 0 && len(t.buckets) > tiny {
		*t = table{}
		return
	}
	n := id >> pageBits
	p := &t.pages[n]
	if p.used == pageSize {
		t.open = append(t.open, n)
	}
	p.used--
	p.dead += e.size
	*e = entry{size: free, next: p.vacant}
	p.vacant = id&(pageSize-1) + 1
	if p.used == 0 {
		if clear(p.entries); cap(p.entries) == pageSize {
			t.spare = p.entries[:0]
			p.entries = nil
		} else {
			p.entries = p.entries[:0]
		}
		*p = page{entries: p.entries, keys: p.keys[:0]}
		if cap(p.keys) > pageSize {
			p.keys = nil
		}
	}
	if len(t.buckets) > tiny && t.count < len(t.buckets)/4 {
		t.shrink()
	}
}

// grow adds a bucket, which takes its share of the bucket it splits from.
func (t *table) grow() {
	n := uint32(len(t.buckets))
	t.buckets = append(t.buckets, 0)
	if n == 0 {
		return
	}
	old := t.buddy(n)
	from := t.buckets[old]
	t.buckets[old] = 0
	for from != 0 {
		e := t.at(from - 1)
		next := e.next
		b := t.bucket(e.hash)
		e.next, t.buckets[b] = t.buckets[b], from
		from = next
	}
}

// buddy gives the bucket that the last of n+1 buckets splits from.
func (t *table) buddy(n uint32) uint32 {
	top := uint32(1)
	for top<<1 <= n && top<<1 != 0 {
		top <<= 1
	}
	return n &^ top
}

// shrink takes the last bucket away.
func (t *table) shrink() {
	n := uint32(len(t.buckets) - 1)
	moved := t.buckets[n]
	t.buckets = t.buckets[:n]
	if cap(t.buckets) > 4*len(t.buckets) {
		t.buckets = append(make([]uint32, 0, 2*len(t.buckets)), t.buckets...)
	}
	old := t.buddy(n)
	for moved != 0 {
		e := t.at(moved - 1)
		next := e.next
		e.next, t.buckets[old] = t.buckets[old], moved
		moved = next
	}
}

// all visits the entries in the order of their numbers. visit must not add or
// remove any.
func (t *table) all(visit func(id uint32, e *entry)) {
	for n := range t.pages {
		for i := range t.pages[n].entries {
			if e := &t.pages[n].entries[i]; e.size != free {
				visit(uint32(n)<<pageBits|uint32(i), e)
			}
		}
	}
}

// bytes is the memory the table takes.
func (t *table) bytes() int {
	n := 4*cap(t.buckets) + 4*cap(t.open) + int(unsafe.Sizeof(page{}))*cap(t.pages) + int(unsafe.Sizeof(entry{}))*cap(t.spare)
	for i := range t.pages {
		n += int(unsafe.Sizeof(entry{}))*cap(t.pages[i].entries) + cap(t.pages[i].keys)
	}
	return n
}
