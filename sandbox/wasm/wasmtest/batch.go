package wasmtest

import (
	v1 "github.com/rhost/rhost/abi/v1"
)

// The bytes that Batching looks for in the frame of a call, anywhere in it. Whoever
// makes a call keeps them out of the rest of it.
const (
	BatchCounts = '#' // counted: the output is their number, modulo 10
	BatchFails  = '?' // the call fails
	BatchTraps  = '!' // the call traps
	BatchSpins  = '%' // the call does not end
	BatchWrites = '$' // the call writes the key "k" of the state, and the output says so
)

// Batching is a guest that takes batches. What it does is told by bytes of each call's
// own frame, so that an answer which belongs to another call is noticed. Its manifest,
// which says that it takes batches, is the caller's to add.
func Batching() []byte {
	const (
		frames = 1 << 16
		digit  = 64
		// locals after the parameter
		count, index, at, end, found = 1, 2, 3, 4, 5
	)
	m := New()
	m.Memory(20, 64)
	input, item, output, fail := m.Core(v1.FuncInput), m.Core(v1.FuncItem), m.Core(v1.FuncOutput), m.Core(v1.FuncFail)
	emit, set := m.Service(v1.FuncEmit), m.Service(v1.FuncStateSet)
	seen := v1.AppendMessage(nil, "seen", []byte(`1`))
	write := v1.AppendStateSet(nil, "k", []byte(`1`))
	m.Data(128, string(seen))
	m.Data(256, string(write))
	m.Data(384, "no")
	ask := func(service Func, at int32, request []byte) Code {
		return Seq(I32(at), I32(int32(len(request))), I32(0), I32(0), Call(service), Drop())
	}
	meets := func(b byte, do ...Code) Code { // the byte at the cursor
		return Seq(Get(at), Op(0x2d, 0, 0), I32(int32(b)), Op(0x46), If(do...))
	}
	// scan goes through the frame between the cursor and its end.
	scan := Seq(
		I32(0), Set(found),
		Loop(
			meets(BatchCounts, Get(found), I32(1), Add(), Set(found)),
			meets(BatchFails, I32(1), I32(384), I32(2), Call(fail)),
			meets(BatchTraps, Unreachable()),
			meets(BatchSpins, Forever()),
			meets(BatchWrites, ask(set, 256, write)),
			Get(at), I32(1), Add(), Tee(at), Get(end), Less(), BranchIf(0)),
		ask(emit, 128, seen),
		I32(digit), Get(found), I32(10), Op(0x70), I32('0'), Add(), Op(0x3a, 0, 0),
		I32(digit), I32(1), Call(output))
	fetch := Seq(I32(frames), I32(1<<20), Call(input), Drop())
	m.Func(v1.ExportBatch, []byte{TypeI32}, []byte{TypeI32}, i32s(5),
		fetch, I32(frames), Load(0), Set(count), I32(frames+4), Set(at),
		Loop(
			Get(index), Call(item),
			Get(at), I32(4), Add(), Get(at), Load(0), Add(), Set(end), // behind the length
			Get(at), I32(4), Add(), Set(at),
			scan,
			Get(index), I32(1), Add(), Tee(index), Get(count), Less(), BranchIf(0)),
		I32(0))
	m.Invoke(i32s(5), fetch, I32(frames), Set(at), I32(frames), Get(0), Add(), Set(end), scan, I32(0))
	return m.Bytes()
}
