package index

import (
	"cmp"
	"slices"
	"sort"
)

// netTable finds the networks that an address lies in. Networks stand in order of
// their first address, wider ones first, and each knows the next wider one around
// it. The last network that begins at or before an address is then in the same
// line of nested networks as all that hold the address.
type netTable struct {
	field uint32
	v4    bool
	hi    []uint64 // empty for IPv4
	lo    []uint64
	size  []byte   // bits
	outer []uint32 // the network around it, number+1
	posts []uint32
}

// filedNet is a network and what is filed under it.
type filedNet struct {
	network
	field uint32
	entry uint32
}

func (a addr) compare(b addr) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

// makeNets builds the table of the networks of one field and family.
func (s *Segment) makeNets(list []filedNet) netTable {
	t := netTable{field: list[0].field, v4: list[0].v4}
	slices.SortFunc(list, func(x, y filedNet) int {
		return cmp.Or(x.compare(y.addr), cmp.Compare(x.bits, y.bits))
	})
	var around []uint32 // the networks around the one at hand, widest first
	for from := 0; from < len(list); {
		n := list[from].network
		var entries []uint32
		for ; from < len(list) && list[from].network == n; from++ {
			entries = append(entries, list[from].entry)
		}
		for len(around) > 0 && !t.at(int(around[len(around)-1])).contains(n.addr) {
			around = around[:len(around)-1]
		}
		var outer uint32
		if len(around) > 0 {
			outer = around[len(around)-1] + 1
		}
		if !t.v4 {
			t.hi = append(t.hi, n.hi)
		}
		t.lo, t.size, t.outer = append(t.lo, n.lo), append(t.size, byte(n.bits)), append(t.outer, outer)
		t.posts = append(t.posts, s.posting(entries))
		around = append(around, uint32(len(t.lo)-1))
	}
	t.hi, t.lo, t.size, t.outer, t.posts = exact(t.hi), exact(t.lo), exact(t.size), exact(t.outer), exact(t.posts)
	return t
}

// at gives a network of the table.
func (t *netTable) at(i int) network {
	n := network{addr{lo: t.lo[i], v4: t.v4}, int(t.size[i])}
	if !t.v4 {
		n.hi = t.hi[i]
	}
	return n
}

// visit visits the postings of the networks that hold a.
func (t *netTable) visit(a addr, m *matching) {
	if a.v4 != t.v4 {
		var ok bool
		if a, ok = a.unmap(); !ok || !t.v4 {
			return
		}
	}
	n := sort.Search(len(t.lo), func(i int) bool { return t.at(i).compare(a) > 0 })
	for n > 0 {
		if t.at(n - 1).contains(a) {
			m.post(t.posts[n-1])
		}
		n = int(t.outer[n-1])
	}
}

func (t *netTable) bytes() int {
	return 8*(len(t.hi)+len(t.lo)) + len(t.size) + 4*(len(t.outer)+len(t.posts))
}
