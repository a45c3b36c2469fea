package fuel

// opcode is an instruction's number. The prefixed ones follow the plain ones:
// 0x1NN stands for 0xfc NN and 0x2NN for 0xfd NN.
type opcode uint16

const (
	opUnreachable        opcode = 0x00
	opNop                opcode = 0x01
	opBlock              opcode = 0x02
	opLoop               opcode = 0x03
	opIf                 opcode = 0x04
	opElse               opcode = 0x05
	opEnd                opcode = 0x0b
	opBr                 opcode = 0x0c
	opBrIf               opcode = 0x0d
	opBrTable            opcode = 0x0e
	opReturn             opcode = 0x0f
	opCall               opcode = 0x10
	opCallIndirect       opcode = 0x11
	opReturnCall         opcode = 0x12
	opReturnCallIndirect opcode = 0x13
	opDrop               opcode = 0x1a
	opSelect             opcode = 0x1b
	opSelectTyped        opcode = 0x1c
	opLocalGet           opcode = 0x20
	opLocalSet           opcode = 0x21
	opLocalTee           opcode = 0x22
	opGlobalGet          opcode = 0x23
	opGlobalSet          opcode = 0x24
	opTableGet           opcode = 0x25
	opTableSet           opcode = 0x26
	opMemorySize         opcode = 0x3f
	opMemoryGrow         opcode = 0x40
	opI32Const           opcode = 0x41
	opI64Const           opcode = 0x42
	opF32Const           opcode = 0x43
	opF64Const           opcode = 0x44
	opI32Extend8S        opcode = 0xc0
	opI64Extend32S       opcode = 0xc4
	opRefNull            opcode = 0xd0
	opRefIsNull          opcode = 0xd1
	opRefFunc            opcode = 0xd2

	// Arithmetic of constant expressions, of charges and of prices.
	opI32Eqz   opcode = 0x45
	opI32LtS   opcode = 0x48
	opI32LtU   opcode = 0x49
	opI32LeU   opcode = 0x4d
	opI64LtS   opcode = 0x53
	opI64GtU   opcode = 0x56
	opI64GeS   opcode = 0x59
	opF32Eq    opcode = 0x5b
	opF64Eq    opcode = 0x61
	opI32Add   opcode = 0x6a
	opI32Sub   opcode = 0x6b
	opI32Mul   opcode = 0x6c
	opI32DivS  opcode = 0x6d
	opI32DivU  opcode = 0x6e
	opI32RemS  opcode = 0x6f
	opI32RemU  opcode = 0x70
	opI32Or    opcode = 0x72
	opI64Add   opcode = 0x7c
	opI64Sub   opcode = 0x7d
	opI64Mul   opcode = 0x7e
	opI64DivS  opcode = 0x7f
	opI64DivU  opcode = 0x80
	opI64RemS  opcode = 0x81
	opI64RemU  opcode = 0x82
	opI64Or    opcode = 0x84
	opI64Shl   opcode = 0x86
	opI64ShrU  opcode = 0x88
	opF32Sqrt  opcode = 0x91
	opF32Div   opcode = 0x95
	opF64Sqrt  opcode = 0x9f
	opF64Div   opcode = 0xa3
	opI64FromS opcode = 0xac // i64.extend_i32_s
	opI64FromU opcode = 0xad // i64.extend_i32_u

	opMisc       opcode = 0x100 // first of the 0xfc opcodes
	opMemoryInit opcode = 0x108
	opDataDrop   opcode = 0x109
	opMemoryCopy opcode = 0x10a
	opMemoryFill opcode = 0x10b
	opTableInit  opcode = 0x10c
	opElemDrop   opcode = 0x10d
	opTableCopy  opcode = 0x10e
	opTableGrow  opcode = 0x10f
	opTableSize  opcode = 0x110
	opTableFill  opcode = 0x111

	opSIMD      opcode = 0x200 // first of the 0xfd opcodes
	opV128Const opcode = 0x20c
	opF32x4Eq   opcode = 0x241
	opF64x2Eq   opcode = 0x247
	opBitselect opcode = 0x252

	opLimit opcode = 0x300
)

const (
	miscPrefix byte = 0xfc
	simdPrefix byte = 0xfd
)

// immediate says what follows an opcode in the binary format.
type immediate uint8

const (
	immNone       immediate = iota
	immTable                // table
	immTableTable           // table, table
	immElem                 // element segment
	immElemTable            // element segment, table
	immData                 // data segment
	immDataMem              // data segment, memory
	immZero                 // memory
	immZeroZero             // memory, memory
	immMem                  // alignment, offset
	immMemLane              // alignment, offset, lane
	immLane                 // lane
	immShuffle              // sixteen lanes
	immI32                  // signed number
	immI64                  // signed number
	immF32                  // four bytes
	immF64                  // eight bytes
	immV128                 // sixteen bytes
)

// opInfo describes an instruction. Instructions without sig take operands that
// depend on their immediate.
type opInfo struct {
	name  string
	sig   string // operands ':' results; i, l, f, d, v for i32, i64, f32, f64, v128
	imm   immediate
	align uint8 // log2 of the natural alignment of a memory access
	lanes uint8 // lanes to choose from
}

// sigTypes maps the letters of a signature to types.
var sigTypes = [128]ValueType{'i': I32, 'l': I64, 'f': F32, 'd': F64, 'v': V128} //nolint:gochecknoglobals // a constant table
