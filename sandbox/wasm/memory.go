package wasm

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/rhost/rhost/sandbox"
)

const pageSize = 64 << 10

// memory is the linear memory of one instance. Its address range is reserved
// when it is made and lies outside the Go heap, where it would drive the garbage
// collector; pages cost nothing until they are touched. It belongs to the
// goroutine that uses the instance.
type memory struct {
	space  []byte  // the reserved range; nil once freed
	size   uint64  // bytes the guest has
	limit  uint64  // bytes the running call may have
	most   uint64  // bytes the module says that it wants at most
	denied bool    // the running call asked for more
	over   *frozen // lies over the beginning; nil when nothing does
	room   []byte  // kept for over
	back   *uint64 // set while shrink makes the memory so large again
}

// newMemory reserves room for a memory of at most limit bytes, of a module that wants at
// most so many.
func newMemory(limit, most uint64) (*memory, error) {
	limit = min(limit, most)
	space, err := reserve(int(limit))
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes: %w", limit, err)
	}
	return &memory{space: space, limit: limit, most: most}, nil
}

// Allocate is called once, by wazero, while it instantiates the module. The module's
// own bounds are in most: to wazero it declares a page more.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate grants size bytes at the same address, or returns nil, which the
// guest sees as a failed memory.grow.
func (m *memory) Reallocate(size uint64) []byte {
	if m.back != nil {
		m.size = *m.back
		return m.space[:m.size]
	}
	if size > m.most {
		return nil // which it need not have asked for
	}
	if size > min(m.limit, uint64(len(m.space))) {
		m.denied = true
		return nil
	}
	m.size = size
	return m.space[:size]
}

// Free releases the range. The guest must not be running.
func (m *memory) Free() {
	if m.space == nil {
		return
	}
	// An error would mean that the range is not ours: a broken promise of this
	// file, and nothing that a caller could act on.
	if err := release(m.space); err != nil {
		panic(fmt.Sprintf("release memory of a guest: %v", err))
	}
	m.space = nil
}

// maxClear is how much shrink clears: more goes back to the system, and is zero when
// it is asked for again. Clearing keeps the pages, for the next call to write to
// without page faults.
const maxClear = 16 << 20

// minDrop is from where on pages go back to the system when they are not expected to be
// wanted again. To clear less takes no longer than the system call and the faults.
const minDrop = 128 << 10

// shrink makes a memory that may have grown size bytes large again, and clears what it
// had grown by; with drop, it keeps few pages of that. It reports false when that
// cannot be. The guest must not be running.
func (m *memory) shrink(guest api.Memory, size uint64, drop bool) bool {
	grown := m.size
	if grown <= size {
		return grown == size
	}
	// wazero has no word for it, but takes whatever Reallocate returns for the memory:
	// asked for one page more, it is given fewer. For that it is told that the module may
	// have one more than it may.
	m.back = &size
	_, ok := guest.Grow(1)
	m.back = nil
	if !ok || uint64(guest.Size()) != size {
		return false
	}
	rest := m.space[size:grown]
	wipe := func(part []byte) bool { clear(part); return true }
	if len(rest) > maxClear || drop && len(rest) >= minDrop {
		wipe = func(part []byte) bool { return discard(part) == nil }
	}
	return inSteps(rest, wipe)
}

// step is how many bytes are put back before others may have the processor, which the
// kernel takes up to 70 µs for.
const step = 256 << 10

// inSteps does something with memory, a step at a time, until it reports false.
func inSteps(memory []byte, do func(part []byte) bool) bool {
	for len(memory) > step {
		if !do(memory[:step]) {
			return false
		}
		memory = memory[step:]
		sandbox.Pause()
	}
	return do(memory)
}

// take takes n bytes of what the running call may have for something beside the
// linear memory. It reports whether they are there.
func (m *memory) take(n uint64) bool {
	if m.size > m.limit || n > m.limit-m.size {
		m.denied = true
		return false
	}
	m.limit -= n
	return true
}

// give gives back what take took.
func (m *memory) give(n uint64) { m.limit += n }

// begin prepares for a call that may have limit bytes. It reports whether the
// memory is within that already.
func (m *memory) begin(limit uint64) bool {
	m.limit = limit
	m.denied = false
	return m.size <= limit
}
