package wasm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

const preview1 = "wasi_snapshot_preview1"

// wasiGuest builds a guest that imports a WASI function of that many i32, calls
// it as body says, and fails unless each piece of body leaves 0.
func wasiGuest(name string, params []byte, checks func(m *Module, f Func) []Code) []byte {
	m := New()
	f := m.Import(preview1, name, params, []byte{TypeI32})
	var body Code
	for _, c := range checks(m, f) {
		body = Seq(body, c, If(Unreachable()))
	}
	m.Invoke(nil, body, I32(0))
	return m.Bytes()
}

// is leaves 0 when code leaves want.
func is(want int32, code ...Code) Code { return Seq(Seq(code...), I32(want), Op(0x47)) }

func TestWASI(t *testing.T) {
	const (
		badf, fault, inval, nosys = 8, 21, 28, 52
		far                       = 65533 // no room for 4 bytes
	)
	e := newEngine(t)
	clock := []byte{TypeI32, TypeI64, TypeI32}
	load := func(at int32) Code { return Seq(I32(at), Load(0)) }
	for _, tt := range []struct {
		name   string
		params []byte
		checks func(m *Module, f Func) []Code
	}{
		{"args_sizes_get", i32s(2), func(m *Module, f Func) []Code {
			m.Data(16, "\xff\xff\xff\xff\xff\xff\xff\xff")
			return []Code{
				is(0, I32(16), I32(20), Call(f)), is(0, load(16)), is(0, load(20)),
				is(fault, I32(far), I32(20), Call(f)), is(fault, I32(16), I32(-4), Call(f)),
			}
		}},
		{"environ_get", i32s(2), func(_ *Module, f Func) []Code { return []Code{is(0, I32(16), I32(20), Call(f))} }},
		{"clock_time_get", clock, func(_ *Module, f Func) []Code {
			return []Code{
				is(0, I32(1), I64(0), I32(16), Call(f)), is(0, I32(1), I64(0), I32(24), Call(f)),
				is(1000, load(24), load(16), Sub()), // a microsecond later
				is(inval, I32(9), I64(0), I32(16), Call(f)), is(fault, I32(1), I64(0), I32(far), Call(f)),
			}
		}},
		{"clock_res_get", i32s(2), func(_ *Module, f Func) []Code {
			return []Code{is(0, I32(0), I32(16), Call(f)), is(1000, load(16)), is(inval, I32(4), I32(16), Call(f)), is(fault, I32(0), I32(far), Call(f))}
		}},
		{"fd_write", i32s(4), func(m *Module, f Func) []Code {
			m.Data(8, "\x20\x00\x00\x00\x01\x00\x00\x00\xf0\xff\xff\xff\x20\x00\x00\x00")
			return []Code{
				is(0, I32(1), I32(8), I32(1), I32(64), Call(f)), is(1, load(64)),
				is(badf, I32(0), I32(8), I32(1), I32(64), Call(f)), is(badf, I32(3), I32(8), I32(1), I32(64), Call(f)),
				is(fault, I32(1), I32(8), I32(2), I32(64), Call(f)), // the second range is bad
				is(fault, I32(1), I32(8), I32(0x2000_0001), I32(64), Call(f)),
				is(fault, I32(1), I32(8), I32(-1), I32(64), Call(f)),
				is(fault, I32(1), I32(8), I32(1), I32(far), Call(f)),
			}
		}},
		{"fd_read", i32s(4), func(_ *Module, f Func) []Code {
			return []Code{is(0, I32(0), I32(8), I32(1), I32(64), Call(f)), is(badf, I32(1), I32(8), I32(1), I32(64), Call(f)), is(fault, I32(0), I32(8), I32(1), I32(far), Call(f))}
		}},
		{"fd_fdstat_get", i32s(2), func(_ *Module, f Func) []Code {
			return []Code{is(0, I32(1), I32(16), Call(f)), is(2, load(16)), is(64, load(24)), is(badf, I32(3), I32(16), Call(f)), is(fault, I32(1), I32(65520), Call(f))}
		}},
		{"fd_close", i32s(1), func(_ *Module, f Func) []Code { return []Code{is(0, I32(1), Call(f)), is(badf, I32(3), Call(f))} }},
		{"fd_prestat_get", i32s(2), func(_ *Module, f Func) []Code { return []Code{is(badf, I32(3), I32(16), Call(f))} }},
		{"path_unlink_file", i32s(3), func(_ *Module, f Func) []Code { return []Code{is(nosys, I32(3), I32(16), I32(1), Call(f))} }},
		{"sched_yield", nil, func(_ *Module, f Func) []Code { return []Code{Call(f)} }},
		{"random_get", i32s(2), func(_ *Module, f Func) []Code {
			return []Code{is(0, I32(16), I32(8), Call(f)), Seq(load(16), Op(0x45)), is(fault, I32(16), I32(-1), Call(f))}
		}},
		{"poll_oneoff", i32s(4), func(m *Module, f Func) []Code {
			timer := func(userdata, ms byte) string {
				b := make([]byte, 48)
				b[0], b[16] = userdata, 1
				ns := uint32(ms) * 1_000_000
				b[24], b[25], b[26], b[27] = byte(ns), byte(ns>>8), byte(ns>>16), byte(ns>>24)
				return string(b)
			}
			descriptor := func(userdata byte) string {
				b := make([]byte, 48)
				b[0], b[8], b[16] = userdata, 1, 1
				return string(b)
			}
			m.Data(1024, timer(7, 20)+timer(8, 10)+timer(9, 10)+descriptor(5))
			return []Code{
				is(0, I32(1024), I32(2048), I32(3), I32(64), Call(f)), // the two of 10 ms
				is(2, load(64)), is(8, load(2048)), is(9, load(2048+32)), is(0, load(2056)),
				is(0, I32(1024), I32(2048), I32(4), I32(64), Call(f)), // the descriptor answers first
				is(1, load(64)), is(5, load(2048)), is(badf, load(2056), I32(0xffff), Op(0x71)),
				is(inval, I32(1024), I32(2048), I32(0), I32(64), Call(f)),
				is(fault, I32(1024), I32(2048), I32(0x0555_5556), I32(64), Call(f)),
				is(fault, I32(65500), I32(2048), I32(1), I32(64), Call(f)),
				is(fault, I32(1024), I32(65520), I32(1), I32(64), Call(f)),
				is(fault, I32(1024), I32(2048), I32(1), I32(far), Call(f)),
			}
		}},
	} {
		m := compile(t, e, tt.name, wasiGuest(tt.name, tt.params, tt.checks))
		reply, _, err := once(t, m, newWorld(), callWith(""))
		assert.NoError(t, err, tt.name)
		assert.Equal(t, abi.ResultOK, reply.Result, tt.name)
	}
}

// TestClosedOutputIsOpenInTheNextCall closes standard output after writing.
func TestClosedOutputIsOpenInTheNextCall(t *testing.T) {
	m := New()
	write := m.Import(preview1, "fd_write", i32s(4), []byte{TypeI32})
	closeFD := m.Import(preview1, "fd_close", []byte{TypeI32}, []byte{TypeI32})
	m.Data(8, "\x20\x00\x00\x00\x02\x00\x00\x00")
	m.Data(32, "x\n")
	m.Invoke(nil, I32(1), I32(8), I32(1), I32(64), Call(write), I32(1), Call(closeFD), Op(0x72))
	i := instance(t, compile(t, newEngine(t), "p", m.Bytes()), patient())
	for range 2 {
		w := newWorld()
		reply, _, err := i.Invoke(t.Context(), callWith(""), w.session())
		require.NoError(t, err)
		assert.Equal(t, abi.ResultOK, reply.Result)
		assert.Equal(t, []string{"info x"}, w.lines)
	}
}

// TestWASIRandom checks what the random bytes depend on.
func TestWASIRandom(t *testing.T) {
	g := New()
	random := g.Import(preview1, "random_get", i32s(2), []byte{TypeI32})
	output := g.Core(v1.FuncOutput)
	dec := output + 1
	decimal(g, dec)
	g.Invoke(nil, I32(16), I32(8), Call(random), Drop(), I32(100), I32(16), Op(0x29, 0, 0), I32(100), Call(dec), I32(100), Sub(), Call(output), I32(0))
	read := func(e *wasm.Engine, key string, grant abi.Grant) string {
		w := newWorld()
		w.grant = grant
		c := callWith("")
		c.Key = key
		reply, _, err := once(t, compile(t, e, "p", g.Bytes()), w, c)
		require.NoError(t, err)
		return string(reply.Output)
	}
	engine := func(seed string) *wasm.Engine {
		e, err := wasm.New(wasm.Options{Seed: []byte(seed)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, e.Close(t.Context())) })
		return e
	}
	a, b := engine("a"), engine("b")
	first := read(a, "k1", nil)
	assert.Equal(t, first, read(a, "k1", nil), "the same call")
	assert.Equal(t, first, read(engine("a"), "k1", nil), "after a restart")
	assert.NotEqual(t, first, read(a, "k2", nil), "another call")
	assert.NotEqual(t, first, read(b, "k1", nil), "another host")
	host := read(a, "k1", abi.Grant{abi.CapRandom})
	assert.NotEqual(t, first, host, "the host's bytes, where they are granted")
	assert.Equal(t, host, read(b, "k2", abi.Grant{abi.CapRandom}), "which the session decides")
}

// TestStartupSeesNothingOfTheWorld compares what the start-up of two instances
// makes of clock and random bytes.
func TestStartupSeesNothingOfTheWorld(t *testing.T) {
	g := New()
	random := g.Import(preview1, "random_get", i32s(2), []byte{TypeI32})
	clock := g.Import(preview1, "clock_time_get", []byte{TypeI32, TypeI64, TypeI32}, []byte{TypeI32})
	output := g.Core(v1.FuncOutput)
	dec := output + 1
	decimal(g, dec)
	g.Table(1, 1) // written to, so that every instance has to start up by itself
	g.Func(v1.ExportInitialize, nil, nil, nil, I32(0), Code{0xd0, 0x70}, Op(0x26, 0),
		I32(16), I32(8), Call(random), Drop(), I32(0), I64(0), I32(24), Call(clock), Drop())
	g.Invoke(nil, I32(100), I32(16), Op(0x29, 0, 0), I32(100), Call(dec), I32(100), Sub(), Call(output),
		I32(24), Load(0), I32(1000), Op(0x47)) // one microsecond after zero
	m := compile(t, newEngine(t), "p", g.Bytes())
	var seen []string
	for range 2 {
		reply, _, err := once(t, m, newWorld(), callWith(""))
		require.NoError(t, err)
		assert.Equal(t, abi.ResultOK, reply.Result, "the clock starts at zero")
		seen = append(seen, string(reply.Output))
	}
	assert.NotEqual(t, "0", seen[0])
	assert.Equal(t, seen[0], seen[1])
}
