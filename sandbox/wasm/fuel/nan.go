package fuel

import "encoding/binary"

// The bits of a NaN that arithmetic makes are left to the processor by the
// specification: its sign and the rest of it differ between architectures, and between
// wazero's compiler and interpreter. A guest sees them when it stores a number, takes
// its bits or copies its sign, and from there on anything may differ.
//
// With Config.CanonicalNaN every NaN that arithmetic makes is replaced by the canonical
// one, which the specification always allows. abs, neg, copysign, loads, constants and
// what is passed on are left alone: their bits are given. Where the next instruction
// takes the result and only asks whether it is a NaN, nothing is done: arithmetic on a
// NaN makes one, which is replaced then.

// shape is how the bits of an operand are read as numbers.
type shape uint8

const (
	noShape shape = iota
	scalar32
	scalar64
	lanes32 // four in a vector
	lanes64 // two in a vector
)

// makesNaN says of which shape the NaN is that an instruction may make, and asksNaN of
// which shape a last operand is of which an instruction sees no more than that it is
// one.
var makesNaN, asksNaN = nanShapes() //nolint:gochecknoglobals // a constant table

func nanShapes() (makes, asks [opLimit]shape) {
	set := func(table *[opLimit]shape, s shape, ranges ...[2]opcode) {
		for _, r := range ranges {
			for op := r[0]; op <= r[1]; op++ {
				table[op] = s
			}
		}
	}
	// ceil to max, without abs, neg and copysign.
	arithmetic := map[shape][][2]opcode{
		scalar32: {{0x08d, 0x097}},
		scalar64: {{0x09b, 0x0a5}},
		lanes32:  {{0x267, 0x26a}, {0x2e3, 0x2e9}},
		lanes64:  {{0x274, 0x275}, {0x27a, 0x27a}, {0x294, 0x294}, {0x2ef, 0x2f5}},
	}
	for s, ranges := range arithmetic {
		set(&makes, s, ranges...)
		set(&asks, s, ranges...)
	}
	// demote and promote.
	set(&makes, scalar32, [2]opcode{0x0b6, 0x0b6})
	set(&makes, scalar64, [2]opcode{0x0bb, 0x0bb})
	set(&makes, lanes32, [2]opcode{0x25e, 0x25e})
	set(&makes, lanes64, [2]opcode{0x25f, 0x25f})
	set(&asks, scalar64, [2]opcode{0x0b6, 0x0b6})
	set(&asks, scalar32, [2]opcode{0x0bb, 0x0bb})
	set(&asks, lanes64, [2]opcode{0x25e, 0x25e})
	set(&asks, lanes32, [2]opcode{0x25f, 0x25f})
	// Comparisons, and conversions to integers.
	set(&asks, scalar32, [][2]opcode{{0x05b, 0x060}, {0x0a8, 0x0a9}, {0x0ae, 0x0af}, {0x100, 0x101}, {0x104, 0x105}}...)
	set(&asks, scalar64, [][2]opcode{{0x061, 0x066}, {0x0aa, 0x0ab}, {0x0b0, 0x0b1}, {0x102, 0x103}, {0x106, 0x107}}...)
	set(&asks, lanes32, [][2]opcode{{0x241, 0x246}, {0x2f8, 0x2f9}}...)
	set(&asks, lanes64, [][2]opcode{{0x247, 0x24c}, {0x2fc, 0x2fd}}...)
	return makes, asks
}

// typ is the type of an operand of the shape.
func (s shape) typ() ValueType {
	switch s {
	case scalar32:
		return F32
	case scalar64:
		return F64
	case noShape, lanes32, lanes64:
	}
	return V128
}

// valuesNaN is how many values replacing a NaN pushes.
const valuesNaN = 5

// temps are the locals that a function has beside its own to replace NaNs: one for
// each of these types that it needs.
type temps [3]bool

var tempTypes = [3]ValueType{F32, F64, V128} //nolint:gochecknoglobals // a constant table

func (t *temps) need(typ ValueType) {
	for i, have := range tempTypes {
		t[i] = t[i] || have == typ
	}
}

// count is how many there are.
func (t *temps) count() (n int) {
	for _, used := range t {
		if used {
			n++
		}
	}
	return n
}

func (t *temps) slots() (n int) {
	for i, used := range t {
		if used {
			n += tempTypes[i].slots()
		}
	}
	return n
}

// index is that of the temp of a type, among the locals of a function that has so many
// of its own.
func (t *temps) index(typ ValueType, own int) uint32 {
	for i, used := range t {
		if tempTypes[i] == typ {
			break
		}
		if used {
			own++
		}
	}
	return uint32(own)
}

// canonical notes that a NaN which the instruction makes will be replaced.
func (c *checker) canonical(op opcode) {
	if s := makesNaN[op]; s != noShape && (c.m.canonicalNaN || c.m.noise != 0) {
		c.f.temps.need(s.typ())
		c.count(valuesNaN * s.typ().slots())
	}
}

// locals writes the declaration of a function's locals, with its temps at the end.
func (w *bodyWriter) locals(f *function) {
	src := w.m.src[f.decl.pos:f.decl.end]
	more := f.temps.count()
	if more == 0 {
		w.op(src...)
		return
	}
	r := reader{src: src, end: len(src)}
	w.u32(r.u32() + uint32(more))
	w.op(src[r.pos:]...)
	for i, used := range f.temps {
		if used {
			w.u32(1)
			w.op(byte(tempTypes[i]))
		}
	}
}

// The bits of the canonical NaN.
const (
	canonical32 = 0x7fc00000
	canonical64 = 0x7ff8000000000000
)

// replaceNaN replaces what the instruction with that index has left, if it is a NaN that
// somebody might see.
func (w *bodyWriter) replaceNaN(f *function, i int) {
	s := makesNaN[f.instrs[i].op]
	if s == noShape {
		return
	}
	if w.m.noise != 0 {
		w.insteadOfNaN(f, s, canonical32|uint32(w.m.noise), canonical64|w.m.noise)
	}
	unseen := i+1 < len(f.instrs) && asksNaN[f.instrs[i+1].op] == s
	if w.m.canonicalNaN && !unseen {
		w.insteadOfNaN(f, s, canonical32, canonical64)
	}
}

// insteadOfNaN replaces the operand, or each of its lanes, if it is a NaN, by one of
// those bits.
func (w *bodyWriter) insteadOfNaN(f *function, s shape, nan32 uint32, nan64 uint64) {
	temp := f.temps.index(s.typ(), len(f.types))
	w.with(opLocalTee, temp)
	choose := opSelect
	switch s {
	case scalar32:
		w.opcode(opF32Const)
	case scalar64:
		w.opcode(opF64Const)
	case lanes32, lanes64:
		w.opcode(opV128Const)
		choose = opBitselect
	case noShape:
	}
	equal := [...]opcode{scalar32: opF32Eq, scalar64: opF64Eq, lanes32: opF32x4Eq, lanes64: opF64x2Eq}[s]
	for range [...]int{scalar32: 1, scalar64: 1, lanes32: 4, lanes64: 2}[s] {
		if s == scalar32 || s == lanes32 {
			w.code = binary.LittleEndian.AppendUint32(w.code, nan32)
		} else {
			w.code = binary.LittleEndian.AppendUint64(w.code, nan64)
		}
	}
	w.with(opLocalGet, temp)
	w.with(opLocalGet, temp)
	w.ops(equal, choose)
}
