package wasm_test

import (
	"bytes"

	v1 "github.com/rhost/rhost/abi/v1"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// The guests of the shared suite that are small enough to assemble. Each uses
// memory as it likes; addresses are noted where they matter.

// i32s is n times the type, for locals and parameters.
func i32s(n int) []byte { return bytes.Repeat([]byte{TypeI32}, n) }

// put adds text to memory and returns code that pushes its address and length.
func put(m *Module, at int32, text string) Code {
	m.Data(at, text)
	return Seq(I32(at), I32(int32(len(text))))
}

// ask calls a service without room for an answer and drops the result.
func ask(f Func, request Code) Code { return Seq(request, I32(0), I32(0), Call(f), Drop()) }

// statusOf leaves the status of a service's result.
func statusOf() Code { return Seq(I64(32), Op(0x88), Wrap()) }

// message is the request of emit or notify.
func message(name, data string) string {
	return string(v1.AppendMessage(nil, name, []byte(data)))
}

// echo finds the arguments in the input frame and makes them the output.
func echo() []byte {
	const frame = 1024
	m := New()
	input, output := m.Core(v1.FuncInput), m.Core(v1.FuncOutput)
	next := Seq(Get(1), I32(4), Add(), Get(1), Load(0), Add(), Set(1)) // past the field at local 1
	m.Invoke(i32s(1),
		I32(frame), Get(0), Call(input), Drop(),
		I32(frame+20), Set(1), next, next, // key, match
		Get(1), I32(4), Add(), Get(1), Load(0), Call(output),
		I32(0))
	return m.Bytes()
}

func emitTwo() []byte {
	m := New()
	emit, notify := m.Service(v1.FuncEmit), m.Service(v1.FuncNotify)
	m.Invoke(nil,
		ask(emit, put(m, 100, message("test.one", `{"n":1}`))),
		ask(emit, put(m, 200, message("test.two", `{"n":2}`))),
		ask(notify, put(m, 300, message("ops", `{"ok":true}`))),
		I32(0))
	return m.Bytes()
}

// verdict emits an event, says msg, and ends with code.
func verdict(code int32, msg string) []byte {
	m := New()
	fail, emit := m.Core(v1.FuncFail), m.Service(v1.FuncEmit)
	m.Invoke(nil,
		ask(emit, put(m, 100, message("x", ""))),
		I32(code), put(m, 200, msg), Call(fail),
		I32(code))
	return m.Bytes()
}

// decimal adds a function (v i64, dst i32) → i32 that writes v in digits and
// returns the address after them.
func decimal(m *Module, self Func) {
	m.Func("", []byte{TypeI64, TypeI32}, []byte{TypeI32}, nil,
		Get(0), I64(10), Op(0x5a), If( // ≥
			Get(0), I64(10), Op(0x80), Get(1), Call(self), Set(1)),
		Get(1), Get(0), I64(10), Op(0x82), Wrap(), I32('0'), Add(), Op(0x3a, 0, 0),
		Get(1), I32(1), Add())
}

// leakCheck counts calls in a global and in memory.
func leakCheck() []byte {
	m := New()
	output := m.Core(v1.FuncOutput)
	dec := output + 1
	decimal(m, dec)
	n := m.Global(0)
	m.Data(100, `{"count":`)
	m.Invoke(i32s(1),
		GlobalGet(n), I32(1), Add(), GlobalSet(n),
		I32(50), I32(50), Load(0), I32(1), Add(), Store(0),
		GlobalGet(n), I32(50), Load(0), Op(0x47), If(Unreachable()), // both counted the same
		GlobalGet(n), Op(0xad), I32(109), Call(dec), Tee(1), I32('}'), Op(0x3a, 0, 0),
		I32(100), Get(1), I32(99), Sub(), Call(output),
		I32(0))
	return m.Bytes()
}

func logLines() []byte {
	m := New()
	log := m.Core(v1.FuncLog)
	var body Code
	for level, word := range []string{"one", "two", "three", "four"} {
		body = Seq(body, I32(int32(level)), put(m, int32(100+10*level), word), Call(log))
	}
	m.Invoke(nil, body, I32(0))
	return m.Bytes()
}

// stateCounter reads a number, and writes it back plus one.
func stateCounter() []byte {
	const answer, request, text = 256, 512, 768
	m := New()
	output, get, cas := m.Core(v1.FuncOutput), m.Service(v1.FuncStateGet), m.Service(v1.FuncStateCAS)
	dec := cas + 1
	decimal(m, dec)
	m.Data(request, string(v1.AppendStateCAS(nil, "count", 0, nil)))
	m.Data(text, `{"count":`)
	const result, n, at = 1, 2, 3
	m.Invoke([]byte{TypeI64, TypeI64, TypeI32},
		put(m, 100, "count"), I32(answer), I32(64), Call(get), Set(result),
		Get(result), statusOf(), Op(0x45), If( // status 0: version and digits
			I32(request), I32(answer), Op(0x29, 0, 0), Op(0x37, 0, 0),
			I32(answer+8), Set(at),
			Block(Loop(
				Get(at), I32(answer), Sub(), Get(result), Wrap(), Op(0x4e), BranchIf(1),
				Get(n), I64(10), Op(0x7e), Get(at), Op(0x2d, 0, 0), I32('0'), Sub(), Op(0xad), Op(0x7c), Set(n),
				Get(at), I32(1), Add(), Set(at), Branch(0)))),
		Get(n), I64(1), Op(0x7c), Set(n),
		I32(request), Get(n), I32(request+17), Call(dec), I32(request), Sub(),
		I32(0), I32(0), Call(cas), statusOf(), If(Unreachable()),
		Get(n), I32(text+9), Call(dec), Tee(at), I32('}'), Op(0x3a, 0, 0),
		I32(text), Get(at), I32(text-1), Sub(), Call(output),
		I32(0))
	return m.Bytes()
}

// nowRandom returns the time in milliseconds and random bytes in hexadecimal.
func nowRandom() []byte {
	const answer, digits, text = 256, 400, 512
	m := New()
	output, now, random := m.Core(v1.FuncOutput), m.Service(v1.FuncNow), m.Service(v1.FuncRandom)
	dec := random + 1
	decimal(m, dec)
	m.Data(digits, "0123456789abcdef")
	m.Data(text, `{"now":`)
	m.Data(300, `,"random":"`)
	const at, i = 1, 2
	digit := func(shift Code) Code { // of byte i of the answer, to local at
		return Seq(Get(at), Get(i), Op(0x2d, 0, answer), shift, I32(15), Op(0x71), Op(0x2d, 0, digits), Op(0x3a, 0, 0),
			Get(at), I32(1), Add(), Set(at))
	}
	write := func(c int32) Code { return Seq(Get(at), I32(c), Op(0x3a, 0, 0), Get(at), I32(1), Add(), Set(at)) }
	m.Invoke(i32s(2),
		I32(0), I32(0), I32(answer), I32(12), Call(now), statusOf(), If(Unreachable()),
		I32(0), Op(0x29, 0, answer), I64(1000), Op(0x7e), // seconds
		I32(0), Load(answer+8), I32(1_000_000), Op(0x6e), Op(0xad), Op(0x7c),
		I32(text+7), Call(dec), Set(at),
		Repeat(i, 11, Get(at), I32(311), Get(i), Sub(), Op(0x2d, 0, 0), Op(0x3a, 0, 0), Get(at), I32(1), Add(), Set(at)),
		put(m, 200, string(v1.AppendRandom(nil, 8))), I32(answer), I32(8), Call(random), statusOf(), If(Unreachable()),
		I32(0), Set(i),
		Loop(digit(Seq(I32(4), Op(0x76))), digit(nil), Get(i), I32(1), Add(), Tee(i), I32(8), Less(), BranchIf(0)),
		write('"'), write('}'),
		I32(text), Get(at), I32(text), Sub(), Call(output),
		I32(0))
	return m.Bytes()
}

// denied tells how an emit went.
func denied() []byte {
	m := New()
	output, emit := m.Core(v1.FuncOutput), m.Service(v1.FuncEmit)
	m.Invoke(i32s(1),
		put(m, 100, message("x", "")), I32(0), I32(0), Call(emit), statusOf(), Set(1),
		Get(1), Op(0x45), If(put(m, 200, `{"status":"ok"}`), Call(output), I32(0), Return()),
		Get(1), I32(int32(v1.StatusDenied)), Op(0x47), If(Unreachable()),
		put(m, 300, `{"status":"denied"}`), Call(output), I32(0))
	return m.Bytes()
}

// effectsBomb emits until it is told of the limit.
func effectsBomb() []byte {
	const text = 512
	m := New()
	output, emit := m.Core(v1.FuncOutput), m.Service(v1.FuncEmit)
	dec := emit + 1
	decimal(m, dec)
	m.Data(text, `{"accepted":`)
	m.Data(300, `,"status":"limit"}`)
	const n, at, i, status = 1, 2, 3, 4
	m.Invoke(i32s(4),
		Block(Loop(
			put(m, 100, message("x", "")), I32(0), I32(0), Call(emit), statusOf(), Tee(status), BranchIf(1),
			Get(n), I32(1), Add(), Set(n), Branch(0))),
		Get(status), I32(int32(v1.StatusLimit)), Op(0x47), If(Unreachable()),
		Get(n), Op(0xad), I32(text+12), Call(dec), Set(at),
		Repeat(i, 18, Get(at), I32(318), Get(i), Sub(), Op(0x2d, 0, 0), Op(0x3a, 0, 0), Get(at), I32(1), Add(), Set(at)),
		I32(text), Get(at), I32(text), Sub(), Call(output),
		I32(0))
	return m.Bytes()
}

func infiniteLoop() []byte {
	m := New()
	m.Invoke(nil, Forever(), Unreachable())
	return m.Bytes()
}

// memoryBomb takes pages until there are no more, and crashes.
func memoryBomb() []byte {
	m := New()
	m.Invoke(nil, Loop(Grow(1), I32(0), Op(0x4e), BranchIf(0)), Unreachable())
	return m.Bytes()
}

func stackBomb() []byte {
	m := New()
	self := m.Invoke(nil, Get(0), Call(0))
	m.Name(self, "dive")
	return m.Bytes()
}

func hostCallBomb() []byte {
	m := New()
	now := m.Service(v1.FuncNow)
	m.Invoke(nil, Forever(ask(now, Seq(I32(0), I32(0)))), Unreachable())
	return m.Bytes()
}

func outputBomb() []byte {
	m := New()
	output := m.Core(v1.FuncOutput)
	m.Invoke(nil, Grow(16), Drop(), I32(0), I32(512<<10), Call(output), I32(0))
	return m.Bytes()
}

func crash() []byte {
	m := New()
	m.Invoke(nil, Unreachable())
	return m.Bytes()
}
