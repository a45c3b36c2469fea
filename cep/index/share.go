package index

import "slices"

// number notes which conditions each root stands for.
func (b *Builder) number() {
	s := b.seg
	if len(b.owner) == len(s.roots) {
		return // each for one, in order
	}
	s.idStart, s.ids = make([]uint32, len(s.roots)+1), make([]uint32, len(b.owner))
	for _, r := range b.owner {
		s.idStart[r+1]++
	}
	for r := range s.roots {
		s.idStart[r+1] += s.idStart[r]
	}
	at := slices.Clone(s.idStart)
	for id, r := range b.owner {
		s.ids[at[r]] = uint32(id)
		at[r]++
	}
	b.owner = nil
}

// shareNodes rewrites the code so that junctions which several others share have
// a place for their outcome.
func (b *Builder) shareNodes() {
	s := b.seg
	shared := make([]byte, len(s.code)) // uses, at most 2
	note := func(ref uint32) {
		if refTag(ref) == refNode {
			shared[refArg(ref)] = min(shared[refArg(ref)]+1, 2)
		}
	}
	s.eachNode(func(at, head uint32, kids []uint32) {
		for _, k := range kids {
			note(k)
		}
	})
	for _, r := range s.roots {
		note(r)
	}
	if !slices.Contains(shared, 2) {
		return
	}
	moved := make([]uint32, len(s.code))
	code := make([]uint32, 0, len(s.code)+len(s.code)/8)
	move := func(ref uint32) uint32 {
		if refTag(ref) == refNode {
			return makeRef(refNode, moved[refArg(ref)])
		}
		return ref
	}
	s.eachNode(func(at, head uint32, kids []uint32) {
		moved[at] = uint32(len(code))
		if shared[at] < 2 {
			code = append(code, head)
		} else {
			code = append(code, head|nodeMemo, uint32(s.memos))
			s.memos++
		}
		for _, k := range kids {
			code = append(code, move(k))
		}
	})
	for i, r := range s.roots {
		s.roots[i] = move(r)
	}
	s.code = code
}

// eachNode visits the junctions in the order of the code, in which operands come
// before what is made of them.
func (s *Segment) eachNode(visit func(at, head uint32, kids []uint32)) {
	for at := 0; at < len(s.code); {
		head := s.code[at]
		from := at + 1
		if head&nodeMemo != 0 {
			from++
		}
		to := from + int(head>>nodeShift)
		visit(uint32(at), head, s.code[from:to])
		at = to
	}
}
