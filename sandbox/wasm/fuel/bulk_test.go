package fuel_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// bulk has one export for each bulk operation, with its operands.
func bulk() []byte {
	p := new(program)
	p.mem(80, 80) // 5 MiB
	p.export("memory", 2, 0)
	three := types(i32, i32, i32)
	args := seq(get(0), get(1), get(2))
	p.table(fnr, 300_000, 300_000)
	p.table(fnr, 300_000, 300_000)
	p.export("table", 1, 0)
	f := p.fn("", nil, types(i32), nil, i32c(7))
	p.passive(bytes.Repeat([]byte("0123456789abcdef"), 160<<10)) // 2.5 MiB
	p.passive(nil)
	p.elems = append(p.elems, seq([]byte{1, 0}, leb(4), leb(f), leb(f), leb(f), leb(f)))
	p.fn("fill", three, nil, nil, args, misc(11, 0))
	p.fn("copy", three, nil, nil, args, misc(10, 0, 0))
	p.fn("init", three, nil, nil, args, misc(8, 0, 0))
	p.fn("none", three, nil, nil, args, misc(8, 1, 0))
	p.fn("dropData", nil, nil, nil, misc(9, 0))
	p.fn("tfill", three, nil, nil, get(0), get(1), op(0x25, 1), get(2), misc(17, 0))
	p.fn("tcopy", three, nil, nil, args, misc(14, 0, 0))
	p.fn("tcopy01", three, nil, nil, args, misc(14, 0, 1))
	p.fn("tinit", three, nil, nil, args, misc(12, 0, 0))
	p.fn("tinit1", three, nil, nil, args, misc(12, 0, 1))
	p.fn("dropElem", nil, nil, nil, misc(13, 0))
	p.fn("null", types(i32), types(i32), nil, get(0), op(0x25, 0), op(0xd1))
	return p.bytes()
}

const mib = 1 << 20

// TestBulkOperations compares memory after each operation, trapping ones
// included, with what the plain module does.
func TestBulkOperations(t *testing.T) {
	wasm := bulk()
	m := machines(t)["compiler"]
	plain, g := m.plain(t, wasm), m.load(t, wasm, everything)
	// What memory.copy moves is told apart by its bytes.
	for _, mod := range []api.Module{plain, g.mod} {
		buf, ok := mod.ExportedMemory("memory").Read(0, 5*mib)
		require.True(t, ok)
		for i := range buf {
			buf[i] = byte(i * i >> 7)
		}
	}
	const big = 1<<32 - 1
	for _, c := range []struct {
		op   string
		args [3]uint64
		trap bool
	}{
		{op: "fill", args: [3]uint64{10, 0xab, 0}},
		{op: "fill", args: [3]uint64{10, 0xab, 100}},
		{op: "fill", args: [3]uint64{5 * mib, 0, 0}},
		{op: "fill", args: [3]uint64{5*mib + 1, 0, 0}, trap: true},
		{op: "fill", args: [3]uint64{5*mib - 10, 1, 11}, trap: true},
		{op: "fill", args: [3]uint64{1, 1, big}, trap: true},
		{op: "fill", args: [3]uint64{big, 1, big}, trap: true},
		{op: "fill", args: [3]uint64{3, 0x5a, 2*mib + 5}},
		{op: "copy", args: [3]uint64{0, 2 * mib, 3 * mib}},
		{op: "copy", args: [3]uint64{mib / 2, 0, 3 * mib}},   // overlapping, backwards
		{op: "copy", args: [3]uint64{0, mib / 2, 3*mib + 7}}, // overlapping, forwards
		{op: "copy", args: [3]uint64{3, 1, 4*mib + 1}},       // overlapping by less than a word
		{op: "copy", args: [3]uint64{1, 3, 4*mib + 1}},       //
		{op: "copy", args: [3]uint64{mib, 0, 2 * mib}},       // apart by exactly a chunk
		{op: "copy", args: [3]uint64{7, 7, 3 * mib}},         // onto itself
		{op: "copy", args: [3]uint64{0, 5*mib - 4, 5}, trap: true},
		{op: "copy", args: [3]uint64{5*mib - 4, 0, 5}, trap: true},
		{op: "copy", args: [3]uint64{3 * mib, 0, 2*mib + 1}, trap: true},
		{op: "copy", args: [3]uint64{0, big, 0}, trap: true},
		{op: "init", args: [3]uint64{0, 0, 100}},
		{op: "init", args: [3]uint64{17, 3, 2*mib + 100}},
		{op: "init", args: [3]uint64{0, 2*mib + mib/2, 0}},
		{op: "init", args: [3]uint64{0, 2*mib + mib/2 - 1, 2}, trap: true},
		{op: "init", args: [3]uint64{3 * mib, 0, 2*mib + 100}, trap: true},
		{op: "init", args: [3]uint64{0, 0, big}, trap: true},
		{op: "none", args: [3]uint64{9, 0, 0}},
		{op: "none", args: [3]uint64{9, 0, 1}, trap: true},
	} {
		_, wantErr := plain.ExportedFunction(c.op).Call(m.ctx, c.args[:]...)
		_, used, err := g.call(c.op, plenty, 0, c.args[:]...)
		assert.Equal(t, c.trap, wantErr != nil, "%s%v as it is", c.op, c.args)
		require.Equal(t, c.trap, err != nil, "%s%v: %v", c.op, c.args, err)
		want, _ := plain.ExportedMemory("memory").Read(0, 5*mib)
		got, _ := g.mod.ExportedMemory("memory").Read(0, 5*mib)
		require.True(t, bytes.Equal(want, got), "%s%v leaves other memory", c.op, c.args)
		length := int64(c.args[2]) / 8
		if c.trap {
			length = 0
		}
		assert.Equal(t, int64(1+3+50)+length, used, "fuel of %s%v", c.op, c.args)
	}
	g.uses(t, "dropData")
	_, _, err := g.call("init", plenty, 0, 0, 0, 2*mib)
	require.Error(t, err, "the segment was dropped")
}

func TestTableOperations(t *testing.T) {
	wasm := bulk()
	m := machines(t)["compiler"]
	plain, g := m.plain(t, wasm), m.load(t, wasm, everything)
	null := func(mod api.Module, i uint64) uint64 {
		if mod == g.mod {
			res, _ := g.uses(t, "null", i)
			return res[0]
		}
		res, err := mod.ExportedFunction("null").Call(m.ctx, i)
		require.NoError(t, err)
		return res[0]
	}
	for _, c := range []struct {
		op   string
		args [3]uint64
		trap bool
	}{
		{op: "tinit", args: [3]uint64{10, 0, 4}},
		{op: "tinit1", args: [3]uint64{0, 0, 4}},
		{op: "tinit", args: [3]uint64{10, 1, 4}, trap: true},
		{op: "tinit", args: [3]uint64{299_998, 0, 4}, trap: true},
		{op: "tcopy", args: [3]uint64{200_000, 0, 100_000}},
		{op: "tcopy", args: [3]uint64{5, 0, 290_000}},
		{op: "tcopy", args: [3]uint64{0, 3, 290_000}},
		{op: "tcopy", args: [3]uint64{0, 10_000, 290_001}, trap: true},
		{op: "tcopy01", args: [3]uint64{100, 0, 200_000}},
		{op: "tfill", args: [3]uint64{50, 1, 200_000}},
		{op: "tfill", args: [3]uint64{150_001, 1, 150_000}, trap: true},
		{op: "tfill", args: [3]uint64{0, 200_000, 10}},
	} {
		_, wantErr := plain.ExportedFunction(c.op).Call(m.ctx, c.args[:]...)
		_, used, err := g.call(c.op, plenty, 0, c.args[:]...)
		assert.Equal(t, c.trap, wantErr != nil, "%s%v as it is", c.op, c.args)
		require.Equal(t, c.trap, err != nil, "%s%v: %v", c.op, c.args, err)
		for _, i := range []uint64{0, 7, 9, 10, 13, 14, 15, 18, 19, 100, 103, 104, 131_072, 200_007, 200_010, 200_049, 250_000, 299_999} {
			require.Equal(t, null(plain, i), null(g.mod, i), "element %d after %s%v", i, c.op, c.args)
		}
		want := int64(1 + 3 + 50)
		if c.op == "tfill" {
			want++ // table.get
		}
		if !c.trap {
			want += int64(c.args[2])
		}
		assert.Equal(t, want, used, "fuel of %s%v", c.op, c.args)
	}
	g.uses(t, "dropElem")
	_, _, err := g.call("tinit", plenty, 0, 0, 0, 1)
	require.Error(t, err, "the segment was dropped")
}

// TestLargeFill fills 255 MiB, which is a tenth of a second in one piece: the
// host is heard at each MiB, and can stop it at any.
func TestLargeFill(t *testing.T) {
	const size = 255 * mib
	p := new(program)
	p.mem(size/65536, size/65536)
	p.fn("fill", nil, nil, nil, i32c(0), i32c(1), i32c(size), misc(11, 0))
	g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
	_, used, err := g.call("fill", plenty, mib/8)
	require.NoError(t, err)
	assert.Equal(t, int64(54+size/8), used)
	assert.GreaterOrEqual(t, g.meter.refuels, 255)
	_, used, err = g.call("fill", 3*mib/8, 1000)
	require.ErrorIs(t, err, errFuel)
	assert.Less(t, used, int64(4*mib/8), "no more than a chunk was charged on")
}

// TestHugeTable asks for 50 million elements, 381 MiB that no allocator sees.
func TestHugeTable(t *testing.T) {
	p := new(program)
	p.tables = [][]byte{{byte(fnr), 0, 1}} // without a maximum
	p.fn("grow", nil, types(i32), nil, []byte{0xd0, 0x70}, i32c(50_000_000), misc(15, 0))
	g := newMachine(t, wazero.NewRuntimeConfigCompiler()).load(t, p.bytes(), everything)
	res, used := g.uses(t, "grow")
	assert.Equal(t, []uint64{1<<32 - 1}, res)
	assert.Equal(t, int64(1+2+500), used)
}

// TestLongOperationsAreHeard: a host that refuels in slices is asked again
// within a large operation, and one that stops leaves the rest undone.
func TestLongOperationsAreHeard(t *testing.T) {
	m := machines(t)["compiler"]
	g := m.load(t, bulk(), everything)
	_, used, err := g.call("fill", plenty, 100_000, 0, 1, 5*mib)
	require.NoError(t, err)
	assert.Equal(t, int64(54+5*mib/8), used)
	assert.GreaterOrEqual(t, g.meter.refuels, 5)

	_, _, err = g.call("fill", 300_000, 0, 0, 2, 5*mib)
	require.ErrorIs(t, err, errFuel)
	memory := g.mod.ExportedMemory("memory")
	first, _ := memory.ReadByte(2*mib - 1)
	last, _ := memory.ReadByte(2 * mib)
	assert.Equal(t, []byte{2, 1}, []byte{first, last}, "two chunks were paid for")
}
