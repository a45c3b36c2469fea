package index

import (
	"encoding/binary"
	"errors"
	"math"
)

// str stores a text and gives its place.
func (b *Builder) str(text string) uint32 {
	s := b.seg
	at := len(s.text)
	if at+len(text)+binary.MaxVarintLen64 > maxArena {
		b.fail(errors.New("more than 4 GiB of texts in one segment"))
		return 0
	}
	s.text = append(binary.AppendUvarint(s.text, uint64(len(text))), text...)
	return uint32(at)
}

// piece stores a piece of a glob, and counts those that are met again.
func (b *Builder) piece(text string) uint32 {
	n, there := b.pieces.find(b.seg.key.str(tagPiece, text), uint32(len(b.pieceAt)), func(i uint32) bool {
		return b.seg.str(b.pieceAt[i]) == text
	})
	if !there {
		b.pieceAt = append(b.pieceAt, b.str(text))
		return b.pieceAt[n]
	}
	at := b.pieceAt[n]
	b.common[at] = max(b.common[at], 1) + 1
	return at
}

// words stores numbers and gives the place of the first.
func (b *Builder) words(w ...uint64) uint32 {
	b.seg.nums = append(b.seg.nums, w...)
	return uint32(len(b.seg.nums) - len(w))
}

// keep stores a list and gives its place.
func (b *Builder) keep(list []uint32) uint32 {
	s := b.seg
	at := len(s.lists)
	if at+len(list) >= math.MaxInt32 {
		b.fail(errors.New("too many members of sets in one segment"))
		return 0
	}
	s.lists = append(append(s.lists, uint32(len(list))), list...)
	return uint32(at)
}
