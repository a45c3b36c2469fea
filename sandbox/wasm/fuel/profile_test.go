package fuel_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// recorder is the host's side of a profile build.
type recorder struct {
	stack []uint64
	last  int64            // consumed when the last function was entered or left
	flat  map[uint64]int64 // by function
	calls map[uint64]int
}

func (r *recorder) reset() { *r = recorder{flat: make(map[uint64]int64), calls: make(map[uint64]int)} }

// spend gives what was consumed since the last event to the function that ran.
func (r *recorder) spend(consumed int64) {
	if n := len(r.stack); n > 0 {
		r.flat[r.stack[n-1]] += consumed - r.last
	}
	r.last = consumed
}

func (r *recorder) enter(fn uint64, consumed int64) {
	r.spend(consumed)
	r.calls[fn]++
	r.stack = append(r.stack, fn)
}

func (r *recorder) leave(consumed int64) {
	r.spend(consumed)
	r.stack = r.stack[:len(r.stack)-1]
}

// TestProfile: a profile build gives the same results for the same fuel, and
// tells by its calls where every unit of it went.
func TestProfile(t *testing.T) {
	profiled := everything
	profiled.Profile = true
	for _, c := range []struct {
		name   string
		wasm   []byte
		export string
		args   []uint64
	}{
		{"fib", fib(), "fib", []uint64{10}},
		{"loops", loops(), "sieve", []uint64{300}},
		{"multi-value", control(), "swap", []uint64{3, 4}},
		{"returns", control(), "returns", []uint64{1}},
		{"indirect", control(), "indirect", []uint64{1}},
		{"tail calls", control(), "count", []uint64{100}},
		{"bulk", bulk(), "fill", []uint64{0, 1, 3 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for engine, m := range machines(t) {
				want, fuelWanted := m.load(t, c.wasm, everything).uses(t, c.export, c.args...)
				g := m.load(t, c.wasm, profiled)
				m.recorder.reset()
				got, used := g.uses(t, c.export, c.args...)
				assert.Equal(t, want, got, engine)
				assert.Equal(t, fuelWanted, used, engine)
				assert.Empty(t, m.recorder.stack, "every function entered was left")
				var sum int64
				for _, n := range m.recorder.flat {
					sum += n
				}
				assert.Equal(t, used, sum)
			}
		})
	}
}

func TestProfileNamesFunctions(t *testing.T) {
	p := new(program)
	p.importFunc("env", "log", nil, nil)
	inner := p.fn("", nil, nil, nil, op(1), i32c(1), drop())
	p.fn("outer", nil, nil, nil, call(inner), call(inner), i32c(1), drop())
	p.fn("", nil, nil, nil)
	p.custom("name", seq([]byte{1}, leb(8), leb(1), leb(inner), text("inner")))
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	_, err := m.rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("log").Instantiate(m.ctx)
	require.NoError(t, err)
	c := everything
	c.Profile = true
	g := m.load(t, p.bytes(), c)
	assert.Equal(t, []string{"env.log", "inner", "outer", "function 3"}, g.res.Names)
	m.recorder.reset()
	_, used := g.uses(t, "outer")
	assert.Equal(t, int64(2*(1+1)+1+2*5+1), used)
	assert.Equal(t, map[uint64]int64{1: 2 * (1 + 1), 2: 1 + 2*5 + 1}, m.recorder.flat)
	assert.Equal(t, map[uint64]int{1: 2, 2: 1}, m.recorder.calls)
	assert.Nil(t, must(fuel.Instrument(p.bytes(), everything)).Names)
}

// TestProfileAfterATrap: what a trap leaves on the stack is known.
func TestProfileAfterATrap(t *testing.T) {
	p := new(program)
	inner := p.fn("", nil, nil, nil, i32c(1), drop(), op(0x00))
	p.fn("outer", nil, nil, nil, call(inner))
	c := everything
	c.Profile = true
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	g := m.load(t, p.bytes(), c)
	m.recorder.reset()
	_, used, err := g.call("outer", plenty, 0)
	require.ErrorContains(t, err, "unreachable")
	assert.Equal(t, []uint64{1, 0}, m.recorder.stack)
	m.recorder.spend(used)
	assert.Equal(t, map[uint64]int64{1: 1 + 5, 0: 1 + 1}, m.recorder.flat)
	require.NoError(t, g.mod.Close(context.WithoutCancel(m.ctx)))
}
