package wasmtest

import v1 "github.com/rhost/rhost/abi/v1"

// Attack is a guest that is admitted and misbehaves in every call.
type Attack struct {
	Name string
	Wasm []byte
}

// Attacks are guests that try to take what is not theirs: time, memory, stack, the
// attention of the host.
func Attacks() []Attack {
	body := func(code ...Code) []byte {
		m := New()
		m.Invoke(nil, code...)
		return m.Bytes()
	}
	ask := func(service string, request []byte) []byte {
		m := New()
		f := m.Service(service)
		m.Data(100, string(request))
		m.Invoke(nil, Forever(I32(100), I32(int32(len(request))), I32(0), I32(0), Call(f), Drop()), Unreachable())
		return m.Bytes()
	}
	core := func(name string, args ...Code) []byte {
		m := New()
		f := m.Core(name)
		m.Invoke(nil, Forever(Seq(args...), Call(f)), Unreachable())
		return m.Bytes()
	}
	return []Attack{
		{"loop", body(Forever(), Unreachable())},
		{"recursion", recursion()},
		{"memory, page by page", body(Forever(Grow(1), I32(-1), Op(0x46), If(Unreachable())), Unreachable())},
		{"memory, touched", touches()},
		{"fills of a megabyte", fills()},
		{"writes without end", body(Forever(I32(64), I32(7), Store(0)), Unreachable())},
		{"trap", body(Unreachable())},
		{"address outside", body(I32(-8), Load(0))},
		{"division by zero", body(I32(1), I32(0), Op(0x6d))},
		{"host calls", ask(v1.FuncNow, nil)},
		{"emits", ask(v1.FuncEmit, v1.AppendMessage(nil, "x", []byte(`{"a":1}`)))},
		{"state", ask(v1.FuncStateGet, []byte("key"))},
		{"log lines", core(v1.FuncLog, I32(1), I32(0), I32(8192))},
		{"pointer outside", core(v1.FuncOutput, I32(-1), I32(64))},
		{"output that is not JSON", core(v1.FuncOutput, I32(0), I32(64))},
	}
}

// recursion calls itself without an end.
func recursion() []byte {
	m := New()
	f := m.Func("", []byte{TypeI32}, []byte{TypeI32}, nil, Get(0), I32(1), Add(), Call(Func(0)))
	m.Invoke(nil, I32(0), Call(f))
	return m.Bytes()
}

// touches takes all the memory it gets, a megabyte at a time, and writes to every
// page of it.
func touches() []byte {
	m := New()
	const address = 1
	m.Invoke([]byte{TypeI32},
		Forever(
			Grow(16), I32(-1), Op(0x46), If(Unreachable()),
			Loop(
				Get(address), I32(1), Store(0),
				Get(address), I32(4096), Add(), Tee(address),
				Op(0x3f, 0), I32(65536), Op(0x6c), Less(), BranchIf(0),
			),
		), Unreachable())
	return m.Bytes()
}

// fills writes a megabyte in one instruction, again and again.
func fills() []byte {
	m := New()
	m.Invoke(nil, Grow(32), Drop(), Forever(I32(0), I32(7), I32(1<<20), Code{0xfc, 11, 0}), Unreachable())
	return m.Bytes()
}
