package automaton

import (
	"slices"
	"time"

	"github.com/rhost/rhost/cep/engine"
)

// Furthest gives the open partial match of a key that has come furthest.
func (s *State) Furthest(key []byte, now time.Time) (pairs []Pair, waiting []int, nots uint64, deadline time.Time, ok bool) {
	runs := new(Runs)
	if e := s.keys.Get(key); e != nil {
		runs = &e.Value
	}
	a := s.m.Furthest(runs, now)
	return a.Bound.Append(nil), a.Elems, a.Nots, a.Deadline, true
}

// EachKey visits the keys in order.
func (s *State) EachKey(visit func(key []byte)) {
	var keys []string
	s.keys.All(func(e *engine.Entry[Runs]) { keys = append(keys, e.Key) })
	slices.Sort(keys)
	for _, k := range keys {
		visit([]byte(k))
	}
}

// Len is the number of keys that anything is kept for.
func (s *State) Len() int { return s.keys.Len() }

// Has reports whether anything is kept for a key.
func (s *State) Has(key []byte) bool { return s.keys.Get(key) != nil }

// SizeOf is the part of a key in Size.
func (s *State) SizeOf(key []byte) (size engine.Size) {
	if e := s.keys.Get(key); e != nil {
		if !e.Value.Empty() {
			size.Keys = 1
		}
		sizes := sizes{nfa: s.m.nfa, chains: make(map[*Held]*node)}
		size.Runs, size.Bytes = e.Value.Len(), len(e.Key)+sizes.of(&e.Value)
	}
	return size
}
