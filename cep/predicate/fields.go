package predicate

import (
	"slices"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/rhost/rhost/event"
)

// Fields numbers the paths of a program, and holds what else its Sets share. It
// only grows, and is safe for use by any number of goroutines.
type Fields struct {
	mu    sync.RWMutex
	paths []event.Path       // guarded by mu; what is in it never changes
	index map[event.Path]int // guarded by mu

	envMu sync.Mutex
	envs  map[int]*cel.Env // guarded by envMu; by how many elements they know
}

// NewFields gives an empty table.
func NewFields() *Fields {
	return &Fields{index: make(map[event.Path]int), envs: make(map[int]*cel.Env)}
}

// Intern gives the number of a path, a new one if it is met for the first time.
func (f *Fields) Intern(p event.Path) int {
	f.mu.RLock()
	i, ok := f.index[p]
	f.mu.RUnlock()
	if ok {
		return i
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.index[p]; ok {
		return i
	}
	i = len(f.paths)
	f.paths, f.index[p] = append(f.paths, p), i
	return i
}

// Paths gives the paths by number, as they are now. What it gave before stays a
// prefix of what it gives later. The caller must not change them.
func (f *Fields) Paths() []event.Path {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clip(f.paths)
}

// environment gives a CEL environment for scopes of that many elements. Building
// one takes milliseconds, so there are few, in steps of powers of two.
func (f *Fields) environment(elements int) (*cel.Env, error) {
	n := 8
	for n < elements {
		n *= 2
	}
	f.envMu.Lock()
	defer f.envMu.Unlock()
	if env, ok := f.envs[n]; ok {
		return env, nil
	}
	env, err := newEnv(n)
	if err != nil {
		return nil, err
	}
	f.envs[n] = env
	return env, nil
}
