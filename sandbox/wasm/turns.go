package wasm

import (
	"hash/maphash"
	"sync"
)

// turns has equal modules compiled one after the other. wazero shows what it reads from
// its cache to whoever compiles the same before it has read all of it (the entry
// preambles of engine_cache.go come last), and the other would call into nothing.
type turns struct {
	seed  maphash.Seed
	locks [64]sync.Mutex // one for each of the modules whose hashes end alike
}

func newTurns() *turns { return &turns{seed: maphash.MakeSeed()} }

// of is the lock to hold while a module is compiled.
func (t *turns) of(wasm []byte) *sync.Mutex {
	return &t.locks[maphash.Bytes(t.seed, wasm)%uint64(len(t.locks))]
}
