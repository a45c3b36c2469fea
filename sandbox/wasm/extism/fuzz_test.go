package extism_test

import (
	"encoding/binary"
	"testing"

	"github.com/rhost/rhost/sandbox/wasm/extism"
)

// FuzzKernel runs a program of kernel calls with any arguments: ten bytes each, an
// operation, how to make the argument, and the argument. Nothing panics, no more memory
// is used than there is, and a reset leaves nothing.
func FuzzKernel(f *testing.F) {
	op := func(code, from byte, arg uint64) []byte {
		return binary.LittleEndian.AppendUint64([]byte{code, from}, arg)
	}
	f.Add([]byte("input"), append(op(0, 0, 10), op(6, 1, 3)...))
	f.Add([]byte{}, append(op(0, 0, 1<<63), op(8, 0, ^uint64(0))...))
	f.Add([]byte("x"), append(append(op(0, 0, 100), op(1, 1, 0)...), op(10, 1, 0)...))
	f.Fuzz(func(t *testing.T, input, program []byte) {
		const limit = 32 << 10
		mem := make([]byte, limit)
		asked := uint64(0)
		k := extism.New(mem, func(n uint64) bool {
			asked += n
			return asked <= limit
		})
		if k.Reset(input) != nil {
			return
		}
		last := k.InputOffset()
		for ; len(program) >= 10; program = program[10:] {
			arg := binary.LittleEndian.Uint64(program[2:])
			if program[1]&1 == 1 {
				arg += last // an address near a block, not one in a billion
			}
			if h := step(k, program[0], arg, last); h != 0 {
				last = h
			}
			if k.Used() > limit {
				t.Fatalf("%d bytes are used", k.Used())
			}
		}
		if err := k.Reset(nil); err != nil {
			t.Fatal(err)
		}
		for i, b := range mem {
			if b != 0 {
				t.Fatalf("byte %d is left", i)
			}
		}
	})
}

// step does one operation and returns a handle when it made one. The errors are what is
// expected of most arguments.
func step(k *extism.Kernel, op byte, arg, last uint64) uint64 {
	switch op % 16 {
	case 0:
		h, _ := k.Alloc(arg)
		return h
	case 1:
		k.Free(arg)
	case 2:
		k.Length(arg)
	case 3:
		_, _ = k.Load8(arg)
	case 4:
		_, _ = k.Load64(arg)
	case 5:
		_ = k.Store8(arg, 1)
	case 6:
		_ = k.Store64(arg, ^uint64(0))
	case 7:
		_ = k.SetOutput(arg, last)
	case 8:
		_ = k.SetOutput(last, arg)
	case 9:
		_ = k.SetInput(last, arg)
	case 10:
		_ = k.SetError(arg)
	case 11:
		k.LoadInput8(arg)
	case 12:
		k.LoadInput64(arg)
	case 13:
		_, _ = k.Bytes(arg)
	case 14:
		h, _ := k.Put(k.Output())
		return h
	case 15:
		k.Error()
		_ = k.Reset(k.Output())
	}
	return 0
}
