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
