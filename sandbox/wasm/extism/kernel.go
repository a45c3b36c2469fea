package extism

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The errors of a plugin's mistakes.
var (
	// ErrBounds is the error of an address or a range outside the memory in use.
	ErrBounds = errors.New("lies outside the kernel's memory")
	// ErrHandle is the error of a handle that names no block.
	ErrHandle = errors.New("is not the handle of a block")
	// ErrMemory is the error of a block that there is no memory for.
	ErrMemory = errors.New("out of memory")
)

// first is the address of the first block: handle 0 is none, and an address just
// behind it is no block's.
const first = 16

// Room asks for n more bytes of the call's memory, and reports whether they are
// there. What was given is given back all at once, with Reset.
type Room func(n uint64) bool

// Kernel is the memory of one call. It belongs to the goroutine of the call.
type Kernel struct {
	room   Room
	mem    []byte // up to top in use, zero behind it; a handle is an index
	top    uint64 // end of the last block
	taken  uint64 // of the room that was asked for
	blocks blocks
	input  span
	output span
	fault  uint64 // handle of the error message, or 0
}

// span is a piece of the memory.
type span struct{ at, n uint64 }

// New returns a kernel without input, in memory that reads as zero and is the
// kernel's from now on.
func New(mem []byte, room Room) *Kernel { return &Kernel{room: room, mem: mem, top: first} }

// Reset forgets and clears everything, and puts input into a block of its own, whose
// handle InputOffset returns. An empty input has no block.
func (k *Kernel) Reset(input []byte) error {
	clear(k.mem[:min(k.top, uint64(len(k.mem)))])
	k.top, k.taken, k.input, k.output, k.fault = first, 0, span{}, span{}, 0
	k.blocks.reset()
	at, err := k.Put(input)
	if err != nil {
		return err
	}
	k.input = span{at, uint64(len(input))}
	return nil
}

// Alloc makes a block of n bytes and returns its handle, which is 0 when n is. The
// bytes of a block that was freed before are as they were.
func (k *Kernel) Alloc(n uint64) (uint64, error) {
	if n == 0 {
		return 0, nil
	}
	if at, ok := k.blocks.reuse(n); ok {
		return at, nil
	}
	size := sizeOf(n)
	if size > uint64(len(k.mem)) || k.top > uint64(len(k.mem))-size || !k.room(size+blockCost) {
		return 0, fmt.Errorf("a block of %d bytes: %w", n, ErrMemory)
	}
	at := k.top
	k.top += size
	k.taken += size + blockCost
	k.blocks.add(at, size, n)
	return at, nil
}

// Free gives a block back. What is no block is left alone.
func (k *Kernel) Free(h uint64) {
	if !k.blocks.free(h) {
		return
	}
	if h == k.input.at {
		k.input = span{}
	}
}

// Length returns the length of a block, 0 for what is none.
func (k *Kernel) Length(h uint64) uint64 { return k.blocks.length(h) }

// Used returns how many bytes of memory are in use. A kernel that used a great deal
// is best replaced, since Reset clears them all.
func (k *Kernel) Used() uint64 { return k.top }

// Taken returns how much room was asked for since the last Reset.
func (k *Kernel) Taken() uint64 { return k.taken }

// within returns the n bytes at an address.
func (k *Kernel) within(at, n uint64) ([]byte, error) {
	if at < first || n > k.top || at > k.top-n {
		return nil, fmt.Errorf("0x%x with %d bytes %w of %d bytes", at, n, ErrBounds, k.top)
	}
	return k.mem[at : at+n], nil
}

// Load8 reads a byte.
func (k *Kernel) Load8(at uint64) (byte, error) {
	b, err := k.within(at, 1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Load64 reads eight bytes, the lowest first.
func (k *Kernel) Load64(at uint64) (uint64, error) {
	b, err := k.within(at, 8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Store8 writes a byte.
func (k *Kernel) Store8(at uint64, v byte) error {
	b, err := k.within(at, 1)
	if err != nil {
		return err
	}
	b[0] = v
	return nil
}

// Store64 writes eight bytes, the lowest first.
func (k *Kernel) Store64(at, v uint64) error {
	b, err := k.within(at, 8)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(b, v)
	return nil
}

// LoadInput8 reads a byte of the input, 0 behind its end.
func (k *Kernel) LoadInput8(offset uint64) byte {
	if offset >= k.input.n {
		return 0
	}
	return k.mem[k.input.at+offset]
}

// LoadInput64 reads eight bytes of the input, 0 when they are not all there.
func (k *Kernel) LoadInput64(offset uint64) uint64 {
	if k.input.n < 8 || offset > k.input.n-8 {
		return 0
	}
	return binary.LittleEndian.Uint64(k.mem[k.input.at+offset:])
}

// SetInput declares n bytes at an address to be the input.
func (k *Kernel) SetInput(at, n uint64) error { return k.declare(&k.input, at, n) }

// SetOutput declares n bytes at an address to be the output.
func (k *Kernel) SetOutput(at, n uint64) error { return k.declare(&k.output, at, n) }

func (k *Kernel) declare(what *span, at, n uint64) error {
	if n == 0 {
		*what = span{}
		return nil
	}
	if _, err := k.within(at, n); err != nil {
		return err
	}
	*what = span{at, n}
	return nil
}

// InputOffset returns the address of the input, 0 where there is none.
func (k *Kernel) InputOffset() uint64 { return k.input.at }

// InputLength returns the length of the input.
func (k *Kernel) InputLength() uint64 { return k.input.n }

// OutputOffset returns the address of the output, 0 where there is none.
func (k *Kernel) OutputOffset() uint64 { return k.output.at }

// OutputLength returns the length of the output.
func (k *Kernel) OutputLength() uint64 { return k.output.n }

// Output returns the output: bytes of the kernel's memory, until the next change.
func (k *Kernel) Output() []byte { return k.mem[k.output.at : k.output.at+k.output.n] }

// SetError declares a block to be the message of what went wrong; 0 takes it back.
func (k *Kernel) SetError(h uint64) error {
	if _, err := k.Bytes(h); err != nil {
		return err
	}
	k.fault = h
	return nil
}

// ErrorHandle returns the handle of the message, or 0.
func (k *Kernel) ErrorHandle() uint64 { return k.fault }

// Error returns the message of what went wrong, and whether there is one.
func (k *Kernel) Error() ([]byte, bool) {
	n := k.Length(k.fault)
	return k.mem[k.fault : k.fault+n], n > 0
}

// Bytes returns the contents of a block: bytes of the kernel's memory, until the next
// change. Handle 0 has none.
func (k *Kernel) Bytes(h uint64) ([]byte, error) {
	if h == 0 {
		return nil, nil
	}
	n := k.blocks.length(h)
	if n == 0 {
		return nil, fmt.Errorf("0x%x %w", h, ErrHandle)
	}
	return k.mem[h : h+n], nil
}

// Put makes a block that holds b and returns its handle, 0 when b is empty.
func (k *Kernel) Put(b []byte) (uint64, error) {
	at, err := k.Alloc(uint64(len(b)))
	if err != nil {
		return 0, err
	}
	copy(k.mem[at:], b)
	return at, nil
}
