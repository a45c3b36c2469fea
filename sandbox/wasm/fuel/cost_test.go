package fuel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tetratelabs/wazero"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// TestPrices holds the price list of cost model 1. A change of a price is a
// new cost model.
func TestPrices(t *testing.T) {
	assert.Equal(t, 1, fuel.CostModel)
	i32x2, i64x2 := seq(i32c(7), i32c(2)), seq(i64c(7), i64c(2))
	f32c, f64c := seq([]byte{0x43}, make([]byte, 4)), seq([]byte{0x44}, make([]byte, 8))
	hundred := bytesOf(100, i32)
	for _, c := range []struct {
		name   string
		locals []vt
		body   []byte
		want   int64
	}{
		{"entry", nil, nil, 1},
		{"three locals", locals(3), nil, 1},
		{"nine locals", locals(9), nil, 1 + 2},
		{"structure", nil, seq(op(1), block(void, op(1)), i32c(1), drop(), ret()), 1 + 1},
		{"if", nil, seq(i32c(1), when(void, op(1), op(1))), 1 + 2},
		{"loop", nil, loop(void), 1 + 1},
		{"br", nil, block(void, br(0)), 1 + 1},
		{"br_if", nil, block(void, i32c(0), brIf(0)), 1 + 2},
		{"br_table", nil, block(void, i32c(0), brTable(0, 0)), 1 + 2},
		{"call", nil, call(0), 1 + 5 + 1},
		{"call_indirect", nil, seq(i32c(0), op(0x11, 0, 0)), 1 + 1 + 8 + 1},
		{"local", locals(1), seq(get(0), tee(0), set(0)), 1 + 3},
		{"global", nil, seq(gget(0), gset(0)), 1 + 2},
		{"memory", nil, seq(i32c(0), i32c(0), load(0), op(0x36, 2, 0)), 1 + 4},
		{"add", nil, seq(i32x2, add(), drop()), 1 + 3},
		{"i32.div_s", nil, seq(i32x2, op(0x6d), drop()), 1 + 2 + 8},
		{"i32.rem_u", nil, seq(i32x2, op(0x70), drop()), 1 + 2 + 8},
		{"i64.div_u", nil, seq(i64x2, op(0x80), drop()), 1 + 2 + 12},
		{"i64.rem_s", nil, seq(i64x2, op(0x81), drop()), 1 + 2 + 12},
		{"f32.div", nil, seq(f32c, f32c, op(0x95), drop()), 1 + 2 + 6},
		{"f32.sqrt", nil, seq(f32c, op(0x91), drop()), 1 + 1 + 6},
		{"f64.div", nil, seq(f64c, f64c, op(0xa3), drop()), 1 + 2 + 6},
		{"f64.sqrt", nil, seq(f64c, op(0x9f), drop()), 1 + 1 + 6},
		{"SIMD", nil, seq(i32c(0), simd(17), simd(77), drop()), 1 + 1 + 2 + 2},
		{"memory.fill", nil, seq(i32c(0), i32c(0), i32c(17), misc(11, 0)), 1 + 3 + 50 + 17/8},
		{"memory.copy", nil, seq(i32c(0), i32c(0), i32c(80), misc(10, 0, 0)), 1 + 3 + 50 + 10},
		{"table.fill", nil, seq(i32c(0), []byte{0xd0, 0x70}, i32c(1), misc(17, 0)), 1 + 3 + 50 + 1},
		{"memory.grow", nil, seq(i32c(1), op(0x40, 0), drop()), 1 + 1 + 500 + 4096},
		{"table.grow", nil, seq([]byte{0xd0, 0x70}, i32c(8), misc(15, 0), drop()), 1 + 2 + 500 + 4},
		{"wide call", nil, seq(call(1), repeat(100, drop())), 1 + 5 + (100-64)/8 + 1 + 100},
		{"wide branch", nil, seq([]byte{2, 1}, call(1), br(0), []byte{0x0b}, repeat(100, drop())), 1 + 5 + 4 + 1 + 100 + 1 + 4 + 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := new(program)
			p.mem(1, 9)
			p.table(fnr, 1, 100)
			p.global(i32, true, i32c(0))
			p.fn("", nil, nil, nil)
			p.fn("", nil, hundred, nil, repeat(100, i32c(0)))
			p.elem(0, 0)
			p.fn("f", nil, nil, c.locals, c.body)
			g := newMachine(t, wazero.NewRuntimeConfigInterpreter()).load(t, p.bytes(), everything)
			_, used := g.uses(t, "f")
			assert.Equal(t, c.want, used)
		})
	}
}
