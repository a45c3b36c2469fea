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
var sigTypes = [128]ValueType{'i': I32, 'l': I64, 'f': F32, 'd': F64, 'v': V128}

// ops holds the instructions that are admitted; the others have no name.
var ops = [opLimit]opInfo{
	0x000: {name: "unreachable"},
	0x001: {name: "nop"},
	0x002: {name: "block"},
	0x003: {name: "loop"},
	0x004: {name: "if"},
	0x005: {name: "else"},
	0x00b: {name: "end"},
	0x00c: {name: "br"},
	0x00d: {name: "br_if"},
	0x00e: {name: "br_table"},
	0x00f: {name: "return"},
	0x010: {name: "call"},
	0x011: {name: "call_indirect"},
	0x012: {name: "return_call"},
	0x013: {name: "return_call_indirect"},
	0x01a: {name: "drop"},
	0x01b: {name: "select"},
	0x01c: {name: "select"},
	0x020: {name: "local.get"},
	0x021: {name: "local.set"},
	0x022: {name: "local.tee"},
	0x023: {name: "global.get"},
	0x024: {name: "global.set"},
	0x025: {name: "table.get"},
	0x026: {name: "table.set"},
	0x028: {name: "i32.load", sig: "i:i", imm: immMem, align: 2},
	0x029: {name: "i64.load", sig: "i:l", imm: immMem, align: 3},
	0x02a: {name: "f32.load", sig: "i:f", imm: immMem, align: 2},
	0x02b: {name: "f64.load", sig: "i:d", imm: immMem, align: 3},
	0x02c: {name: "i32.load8_s", sig: "i:i", imm: immMem},
	0x02d: {name: "i32.load8_u", sig: "i:i", imm: immMem},
	0x02e: {name: "i32.load16_s", sig: "i:i", imm: immMem, align: 1},
	0x02f: {name: "i32.load16_u", sig: "i:i", imm: immMem, align: 1},
	0x030: {name: "i64.load8_s", sig: "i:l", imm: immMem},
	0x031: {name: "i64.load8_u", sig: "i:l", imm: immMem},
	0x032: {name: "i64.load16_s", sig: "i:l", imm: immMem, align: 1},
	0x033: {name: "i64.load16_u", sig: "i:l", imm: immMem, align: 1},
	0x034: {name: "i64.load32_s", sig: "i:l", imm: immMem, align: 2},
	0x035: {name: "i64.load32_u", sig: "i:l", imm: immMem, align: 2},
	0x036: {name: "i32.store", sig: "ii:", imm: immMem, align: 2},
	0x037: {name: "i64.store", sig: "il:", imm: immMem, align: 3},
	0x038: {name: "f32.store", sig: "if:", imm: immMem, align: 2},
	0x039: {name: "f64.store", sig: "id:", imm: immMem, align: 3},
	0x03a: {name: "i32.store8", sig: "ii:", imm: immMem},
	0x03b: {name: "i32.store16", sig: "ii:", imm: immMem, align: 1},
	0x03c: {name: "i64.store8", sig: "il:", imm: immMem},
	0x03d: {name: "i64.store16", sig: "il:", imm: immMem, align: 1},
	0x03e: {name: "i64.store32", sig: "il:", imm: immMem, align: 2},
	0x03f: {name: "memory.size", sig: ":i", imm: immZero},
	0x040: {name: "memory.grow", sig: "i:i", imm: immZero},
	0x041: {name: "i32.const", sig: ":i", imm: immI32},
	0x042: {name: "i64.const", sig: ":l", imm: immI64},
	0x043: {name: "f32.const", sig: ":f", imm: immF32},
	0x044: {name: "f64.const", sig: ":d", imm: immF64},
	0x045: {name: "i32.eqz", sig: "i:i"},
	0x046: {name: "i32.eq", sig: "ii:i"},
	0x047: {name: "i32.ne", sig: "ii:i"},
	0x048: {name: "i32.lt_s", sig: "ii:i"},
	0x049: {name: "i32.lt_u", sig: "ii:i"},
	0x04a: {name: "i32.gt_s", sig: "ii:i"},
	0x04b: {name: "i32.gt_u", sig: "ii:i"},
	0x04c: {name: "i32.le_s", sig: "ii:i"},
	0x04d: {name: "i32.le_u", sig: "ii:i"},
	0x04e: {name: "i32.ge_s", sig: "ii:i"},
	0x04f: {name: "i32.ge_u", sig: "ii:i"},
	0x050: {name: "i64.eqz", sig: "l:i"},
	0x051: {name: "i64.eq", sig: "ll:i"},
	0x052: {name: "i64.ne", sig: "ll:i"},
	0x053: {name: "i64.lt_s", sig: "ll:i"},
	0x054: {name: "i64.lt_u", sig: "ll:i"},
	0x055: {name: "i64.gt_s", sig: "ll:i"},
	0x056: {name: "i64.gt_u", sig: "ll:i"},
	0x057: {name: "i64.le_s", sig: "ll:i"},
	0x058: {name: "i64.le_u", sig: "ll:i"},
	0x059: {name: "i64.ge_s", sig: "ll:i"},
	0x05a: {name: "i64.ge_u", sig: "ll:i"},
	0x05b: {name: "f32.eq", sig: "ff:i"},
	0x05c: {name: "f32.ne", sig: "ff:i"},
	0x05d: {name: "f32.lt", sig: "ff:i"},
	0x05e: {name: "f32.gt", sig: "ff:i"},
	0x05f: {name: "f32.le", sig: "ff:i"},
	0x060: {name: "f32.ge", sig: "ff:i"},
	0x061: {name: "f64.eq", sig: "dd:i"},
	0x062: {name: "f64.ne", sig: "dd:i"},
	0x063: {name: "f64.lt", sig: "dd:i"},
	0x064: {name: "f64.gt", sig: "dd:i"},
	0x065: {name: "f64.le", sig: "dd:i"},
	0x066: {name: "f64.ge", sig: "dd:i"},
	0x067: {name: "i32.clz", sig: "i:i"},
	0x068: {name: "i32.ctz", sig: "i:i"},
	0x069: {name: "i32.popcnt", sig: "i:i"},
	0x06a: {name: "i32.add", sig: "ii:i"},
	0x06b: {name: "i32.sub", sig: "ii:i"},
	0x06c: {name: "i32.mul", sig: "ii:i"},
	0x06d: {name: "i32.div_s", sig: "ii:i"},
	0x06e: {name: "i32.div_u", sig: "ii:i"},
	0x06f: {name: "i32.rem_s", sig: "ii:i"},
	0x070: {name: "i32.rem_u", sig: "ii:i"},
	0x071: {name: "i32.and", sig: "ii:i"},
	0x072: {name: "i32.or", sig: "ii:i"},
	0x073: {name: "i32.xor", sig: "ii:i"},
	0x074: {name: "i32.shl", sig: "ii:i"},
	0x075: {name: "i32.shr_s", sig: "ii:i"},
	0x076: {name: "i32.shr_u", sig: "ii:i"},
	0x077: {name: "i32.rotl", sig: "ii:i"},
	0x078: {name: "i32.rotr", sig: "ii:i"},
	0x079: {name: "i64.clz", sig: "l:l"},
	0x07a: {name: "i64.ctz", sig: "l:l"},
	0x07b: {name: "i64.popcnt", sig: "l:l"},
	0x07c: {name: "i64.add", sig: "ll:l"},
	0x07d: {name: "i64.sub", sig: "ll:l"},
	0x07e: {name: "i64.mul", sig: "ll:l"},
	0x07f: {name: "i64.div_s", sig: "ll:l"},
	0x080: {name: "i64.div_u", sig: "ll:l"},
	0x081: {name: "i64.rem_s", sig: "ll:l"},
	0x082: {name: "i64.rem_u", sig: "ll:l"},
	0x083: {name: "i64.and", sig: "ll:l"},
	0x084: {name: "i64.or", sig: "ll:l"},
	0x085: {name: "i64.xor", sig: "ll:l"},
	0x086: {name: "i64.shl", sig: "ll:l"},
	0x087: {name: "i64.shr_s", sig: "ll:l"},
	0x088: {name: "i64.shr_u", sig: "ll:l"},
	0x089: {name: "i64.rotl", sig: "ll:l"},
	0x08a: {name: "i64.rotr", sig: "ll:l"},
	0x08b: {name: "f32.abs", sig: "f:f"},
	0x08c: {name: "f32.neg", sig: "f:f"},
	0x08d: {name: "f32.ceil", sig: "f:f"},
	0x08e: {name: "f32.floor", sig: "f:f"},
	0x08f: {name: "f32.trunc", sig: "f:f"},
	0x090: {name: "f32.nearest", sig: "f:f"},
	0x091: {name: "f32.sqrt", sig: "f:f"},
	0x092: {name: "f32.add", sig: "ff:f"},
	0x093: {name: "f32.sub", sig: "ff:f"},
	0x094: {name: "f32.mul", sig: "ff:f"},
	0x095: {name: "f32.div", sig: "ff:f"},
	0x096: {name: "f32.min", sig: "ff:f"},
	0x097: {name: "f32.max", sig: "ff:f"},
	0x098: {name: "f32.copysign", sig: "ff:f"},
	0x099: {name: "f64.abs", sig: "d:d"},
	0x09a: {name: "f64.neg", sig: "d:d"},
	0x09b: {name: "f64.ceil", sig: "d:d"},
	0x09c: {name: "f64.floor", sig: "d:d"},
	0x09d: {name: "f64.trunc", sig: "d:d"},
	0x09e: {name: "f64.nearest", sig: "d:d"},
	0x09f: {name: "f64.sqrt", sig: "d:d"},
	0x0a0: {name: "f64.add", sig: "dd:d"},
	0x0a1: {name: "f64.sub", sig: "dd:d"},
	0x0a2: {name: "f64.mul", sig: "dd:d"},
	0x0a3: {name: "f64.div", sig: "dd:d"},
	0x0a4: {name: "f64.min", sig: "dd:d"},
	0x0a5: {name: "f64.max", sig: "dd:d"},
	0x0a6: {name: "f64.copysign", sig: "dd:d"},
	0x0a7: {name: "i32.wrap_i64", sig: "l:i"},
	0x0a8: {name: "i32.trunc_f32_s", sig: "f:i"},
	0x0a9: {name: "i32.trunc_f32_u", sig: "f:i"},
	0x0aa: {name: "i32.trunc_f64_s", sig: "d:i"},
	0x0ab: {name: "i32.trunc_f64_u", sig: "d:i"},
	0x0ac: {name: "i64.extend_i32_s", sig: "i:l"},
	0x0ad: {name: "i64.extend_i32_u", sig: "i:l"},
	0x0ae: {name: "i64.trunc_f32_s", sig: "f:l"},
	0x0af: {name: "i64.trunc_f32_u", sig: "f:l"},
	0x0b0: {name: "i64.trunc_f64_s", sig: "d:l"},
	0x0b1: {name: "i64.trunc_f64_u", sig: "d:l"},
	0x0b2: {name: "f32.convert_i32_s", sig: "i:f"},
	0x0b3: {name: "f32.convert_i32_u", sig: "i:f"},
	0x0b4: {name: "f32.convert_i64_s", sig: "l:f"},
	0x0b5: {name: "f32.convert_i64_u", sig: "l:f"},
	0x0b6: {name: "f32.demote_f64", sig: "d:f"},
	0x0b7: {name: "f64.convert_i32_s", sig: "i:d"},
	0x0b8: {name: "f64.convert_i32_u", sig: "i:d"},
	0x0b9: {name: "f64.convert_i64_s", sig: "l:d"},
	0x0ba: {name: "f64.convert_i64_u", sig: "l:d"},
	0x0bb: {name: "f64.promote_f32", sig: "f:d"},
	0x0bc: {name: "i32.reinterpret_f32", sig: "f:i"},
	0x0bd: {name: "i64.reinterpret_f64", sig: "d:l"},
	0x0be: {name: "f32.reinterpret_i32", sig: "i:f"},
	0x0bf: {name: "f64.reinterpret_i64", sig: "l:d"},
	0x0c0: {name: "i32.extend8_s", sig: "i:i"},
	0x0c1: {name: "i32.extend16_s", sig: "i:i"},
	0x0c2: {name: "i64.extend8_s", sig: "l:l"},
	0x0c3: {name: "i64.extend16_s", sig: "l:l"},
	0x0c4: {name: "i64.extend32_s", sig: "l:l"},
	0x0d0: {name: "ref.null"},
	0x0d1: {name: "ref.is_null"},
	0x0d2: {name: "ref.func"},

	0x100: {name: "i32.trunc_sat_f32_s", sig: "f:i"},
	0x101: {name: "i32.trunc_sat_f32_u", sig: "f:i"},
	0x102: {name: "i32.trunc_sat_f64_s", sig: "d:i"},
	0x103: {name: "i32.trunc_sat_f64_u", sig: "d:i"},
	0x104: {name: "i64.trunc_sat_f32_s", sig: "f:l"},
	0x105: {name: "i64.trunc_sat_f32_u", sig: "f:l"},
	0x106: {name: "i64.trunc_sat_f64_s", sig: "d:l"},
	0x107: {name: "i64.trunc_sat_f64_u", sig: "d:l"},
	0x108: {name: "memory.init", sig: "iii:", imm: immDataMem},
	0x109: {name: "data.drop", sig: ":", imm: immData},
	0x10a: {name: "memory.copy", sig: "iii:", imm: immZeroZero},
	0x10b: {name: "memory.fill", sig: "iii:", imm: immZero},
	0x10c: {name: "table.init", sig: "iii:", imm: immElemTable},
	0x10d: {name: "elem.drop", sig: ":", imm: immElem},
	0x10e: {name: "table.copy", sig: "iii:", imm: immTableTable},
	0x10f: {name: "table.grow"},
	0x110: {name: "table.size", sig: ":i", imm: immTable},
	0x111: {name: "table.fill"},

	0x200: {name: "v128.load", sig: "i:v", imm: immMem, align: 4},
	0x201: {name: "v128.load8x8_s", sig: "i:v", imm: immMem, align: 3},
	0x202: {name: "v128.load8x8_u", sig: "i:v", imm: immMem, align: 3},
	0x203: {name: "v128.load16x4_s", sig: "i:v", imm: immMem, align: 3},
	0x204: {name: "v128.load16x4_u", sig: "i:v", imm: immMem, align: 3},
	0x205: {name: "v128.load32x2_s", sig: "i:v", imm: immMem, align: 3},
	0x206: {name: "v128.load32x2_u", sig: "i:v", imm: immMem, align: 3},
	0x207: {name: "v128.load8_splat", sig: "i:v", imm: immMem},
	0x208: {name: "v128.load16_splat", sig: "i:v", imm: immMem, align: 1},
	0x209: {name: "v128.load32_splat", sig: "i:v", imm: immMem, align: 2},
	0x20a: {name: "v128.load64_splat", sig: "i:v", imm: immMem, align: 3},
	0x20b: {name: "v128.store", sig: "iv:", imm: immMem, align: 4},
	0x20c: {name: "v128.const", sig: ":v", imm: immV128},
	0x20d: {name: "i8x16.shuffle", sig: "vv:v", imm: immShuffle},
	0x20e: {name: "i8x16.swizzle", sig: "vv:v"},
	0x20f: {name: "i8x16.splat", sig: "i:v"},
	0x210: {name: "i16x8.splat", sig: "i:v"},
	0x211: {name: "i32x4.splat", sig: "i:v"},
	0x212: {name: "i64x2.splat", sig: "l:v"},
	0x213: {name: "f32x4.splat", sig: "f:v"},
	0x214: {name: "f64x2.splat", sig: "d:v"},
	0x215: {name: "i8x16.extract_lane_s", sig: "v:i", imm: immLane, lanes: 16},
	0x216: {name: "i8x16.extract_lane_u", sig: "v:i", imm: immLane, lanes: 16},
	0x217: {name: "i8x16.replace_lane", sig: "vi:v", imm: immLane, lanes: 16},
	0x218: {name: "i16x8.extract_lane_s", sig: "v:i", imm: immLane, lanes: 8},
	0x219: {name: "i16x8.extract_lane_u", sig: "v:i", imm: immLane, lanes: 8},
	0x21a: {name: "i16x8.replace_lane", sig: "vi:v", imm: immLane, lanes: 8},
	0x21b: {name: "i32x4.extract_lane", sig: "v:i", imm: immLane, lanes: 4},
	0x21c: {name: "i32x4.replace_lane", sig: "vi:v", imm: immLane, lanes: 4},
	0x21d: {name: "i64x2.extract_lane", sig: "v:l", imm: immLane, lanes: 2},
	0x21e: {name: "i64x2.replace_lane", sig: "vl:v", imm: immLane, lanes: 2},
	0x21f: {name: "f32x4.extract_lane", sig: "v:f", imm: immLane, lanes: 4},
	0x220: {name: "f32x4.replace_lane", sig: "vf:v", imm: immLane, lanes: 4},
	0x221: {name: "f64x2.extract_lane", sig: "v:d", imm: immLane, lanes: 2},
	0x222: {name: "f64x2.replace_lane", sig: "vd:v", imm: immLane, lanes: 2},
	0x223: {name: "i8x16.eq", sig: "vv:v"},
	0x224: {name: "i8x16.ne", sig: "vv:v"},
	0x225: {name: "i8x16.lt_s", sig: "vv:v"},
	0x226: {name: "i8x16.lt_u", sig: "vv:v"},
	0x227: {name: "i8x16.gt_s", sig: "vv:v"},
	0x228: {name: "i8x16.gt_u", sig: "vv:v"},
	0x229: {name: "i8x16.le_s", sig: "vv:v"},
	0x22a: {name: "i8x16.le_u", sig: "vv:v"},
	0x22b: {name: "i8x16.ge_s", sig: "vv:v"},
	0x22c: {name: "i8x16.ge_u", sig: "vv:v"},
	0x22d: {name: "i16x8.eq", sig: "vv:v"},
	0x22e: {name: "i16x8.ne", sig: "vv:v"},
	0x22f: {name: "i16x8.lt_s", sig: "vv:v"},
	0x230: {name: "i16x8.lt_u", sig: "vv:v"},
	0x231: {name: "i16x8.gt_s", sig: "vv:v"},
	0x232: {name: "i16x8.gt_u", sig: "vv:v"},
	0x233: {name: "i16x8.le_s", sig: "vv:v"},
	0x234: {name: "i16x8.le_u", sig: "vv:v"},
	0x235: {name: "i16x8.ge_s", sig: "vv:v"},
	0x236: {name: "i16x8.ge_u", sig: "vv:v"},
	0x237: {name: "i32x4.eq", sig: "vv:v"},
	0x238: {name: "i32x4.ne", sig: "vv:v"},
	0x239: {name: "i32x4.lt_s", sig: "vv:v"},
	0x23a: {name: "i32x4.lt_u", sig: "vv:v"},
	0x23b: {name: "i32x4.gt_s", sig: "vv:v"},
	0x23c: {name: "i32x4.gt_u", sig: "vv:v"},
	0x23d: {name: "i32x4.le_s", sig: "vv:v"},
	0x23e: {name: "i32x4.le_u", sig: "vv:v"},
	0x23f: {name: "i32x4.ge_s", sig: "vv:v"},
	0x240: {name: "i32x4.ge_u", sig: "vv:v"},
	0x241: {name: "f32x4.eq", sig: "vv:v"},
	0x242: {name: "f32x4.ne", sig: "vv:v"},
	0x243: {name: "f32x4.lt", sig: "vv:v"},
	0x244: {name: "f32x4.gt", sig: "vv:v"},
	0x245: {name: "f32x4.le", sig: "vv:v"},
	0x246: {name: "f32x4.ge", sig: "vv:v"},
	0x247: {name: "f64x2.eq", sig: "vv:v"},
	0x248: {name: "f64x2.ne", sig: "vv:v"},
	0x249: {name: "f64x2.lt", sig: "vv:v"},
	0x24a: {name: "f64x2.gt", sig: "vv:v"},
	0x24b: {name: "f64x2.le", sig: "vv:v"},
	0x24c: {name: "f64x2.ge", sig: "vv:v"},
	0x24d: {name: "v128.not", sig: "v:v"},
	0x24e: {name: "v128.and", sig: "vv:v"},
	0x24f: {name: "v128.andnot", sig: "vv:v"},
	0x250: {name: "v128.or", sig: "vv:v"},
	0x251: {name: "v128.xor", sig: "vv:v"},
	0x252: {name: "v128.bitselect", sig: "vvv:v"},
	0x253: {name: "v128.any_true", sig: "v:i"},
	0x254: {name: "v128.load8_lane", sig: "iv:v", imm: immMemLane, lanes: 16},
	0x255: {name: "v128.load16_lane", sig: "iv:v", imm: immMemLane, lanes: 8, align: 1},
	0x256: {name: "v128.load32_lane", sig: "iv:v", imm: immMemLane, lanes: 4, align: 2},
	0x257: {name: "v128.load64_lane", sig: "iv:v", imm: immMemLane, lanes: 2, align: 3},
	0x258: {name: "v128.store8_lane", sig: "iv:", imm: immMemLane, lanes: 16},
	0x259: {name: "v128.store16_lane", sig: "iv:", imm: immMemLane, lanes: 8, align: 1},
	0x25a: {name: "v128.store32_lane", sig: "iv:", imm: immMemLane, lanes: 4, align: 2},
	0x25b: {name: "v128.store64_lane", sig: "iv:", imm: immMemLane, lanes: 2, align: 3},
	0x25c: {name: "v128.load32_zero", sig: "i:v", imm: immMem, align: 2},
	0x25d: {name: "v128.load64_zero", sig: "i:v", imm: immMem, align: 3},
	0x25e: {name: "f32x4.demote_f64x2_zero", sig: "v:v"},
	0x25f: {name: "f64x2.promote_low_f32x4", sig: "v:v"},
	0x260: {name: "i8x16.abs", sig: "v:v"},
	0x261: {name: "i8x16.neg", sig: "v:v"},
	0x262: {name: "i8x16.popcnt", sig: "v:v"},
	0x263: {name: "i8x16.all_true", sig: "v:i"},
	0x264: {name: "i8x16.bitmask", sig: "v:i"},
	0x265: {name: "i8x16.narrow_i16x8_s", sig: "vv:v"},
	0x266: {name: "i8x16.narrow_i16x8_u", sig: "vv:v"},
	0x267: {name: "f32x4.ceil", sig: "v:v"},
	0x268: {name: "f32x4.floor", sig: "v:v"},
	0x269: {name: "f32x4.trunc", sig: "v:v"},
	0x26a: {name: "f32x4.nearest", sig: "v:v"},
	0x26b: {name: "i8x16.shl", sig: "vi:v"},
	0x26c: {name: "i8x16.shr_s", sig: "vi:v"},
	0x26d: {name: "i8x16.shr_u", sig: "vi:v"},
	0x26e: {name: "i8x16.add", sig: "vv:v"},
	0x26f: {name: "i8x16.add_sat_s", sig: "vv:v"},
	0x270: {name: "i8x16.add_sat_u", sig: "vv:v"},
	0x271: {name: "i8x16.sub", sig: "vv:v"},
	0x272: {name: "i8x16.sub_sat_s", sig: "vv:v"},
	0x273: {name: "i8x16.sub_sat_u", sig: "vv:v"},
	0x274: {name: "f64x2.ceil", sig: "v:v"},
	0x275: {name: "f64x2.floor", sig: "v:v"},
	0x276: {name: "i8x16.min_s", sig: "vv:v"},
	0x277: {name: "i8x16.min_u", sig: "vv:v"},
	0x278: {name: "i8x16.max_s", sig: "vv:v"},
	0x279: {name: "i8x16.max_u", sig: "vv:v"},
	0x27a: {name: "f64x2.trunc", sig: "v:v"},
	0x27b: {name: "i8x16.avgr_u", sig: "vv:v"},
	0x27c: {name: "i16x8.extadd_pairwise_i8x16_s", sig: "v:v"},
	0x27d: {name: "i16x8.extadd_pairwise_i8x16_u", sig: "v:v"},
	0x27e: {name: "i32x4.extadd_pairwise_i16x8_s", sig: "v:v"},
	0x27f: {name: "i32x4.extadd_pairwise_i16x8_u", sig: "v:v"},
	0x280: {name: "i16x8.abs", sig: "v:v"},
	0x281: {name: "i16x8.neg", sig: "v:v"},
	0x282: {name: "i16x8.q15mulr_sat_s", sig: "vv:v"},
	0x283: {name: "i16x8.all_true", sig: "v:i"},
	0x284: {name: "i16x8.bitmask", sig: "v:i"},
	0x285: {name: "i16x8.narrow_i32x4_s", sig: "vv:v"},
	0x286: {name: "i16x8.narrow_i32x4_u", sig: "vv:v"},
	0x287: {name: "i16x8.extend_low_i8x16_s", sig: "v:v"},
	0x288: {name: "i16x8.extend_high_i8x16_s", sig: "v:v"},
	0x289: {name: "i16x8.extend_low_i8x16_u", sig: "v:v"},
	0x28a: {name: "i16x8.extend_high_i8x16_u", sig: "v:v"},
	0x28b: {name: "i16x8.shl", sig: "vi:v"},
	0x28c: {name: "i16x8.shr_s", sig: "vi:v"},
	0x28d: {name: "i16x8.shr_u", sig: "vi:v"},
	0x28e: {name: "i16x8.add", sig: "vv:v"},
	0x28f: {name: "i16x8.add_sat_s", sig: "vv:v"},
	0x290: {name: "i16x8.add_sat_u", sig: "vv:v"},
	0x291: {name: "i16x8.sub", sig: "vv:v"},
	0x292: {name: "i16x8.sub_sat_s", sig: "vv:v"},
	0x293: {name: "i16x8.sub_sat_u", sig: "vv:v"},
	0x294: {name: "f64x2.nearest", sig: "v:v"},
	0x295: {name: "i16x8.mul", sig: "vv:v"},
	0x296: {name: "i16x8.min_s", sig: "vv:v"},
	0x297: {name: "i16x8.min_u", sig: "vv:v"},
	0x298: {name: "i16x8.max_s", sig: "vv:v"},
	0x299: {name: "i16x8.max_u", sig: "vv:v"},
	0x29b: {name: "i16x8.avgr_u", sig: "vv:v"},
	0x29c: {name: "i16x8.extmul_low_i8x16_s", sig: "vv:v"},
	0x29d: {name: "i16x8.extmul_high_i8x16_s", sig: "vv:v"},
	0x29e: {name: "i16x8.extmul_low_i8x16_u", sig: "vv:v"},
	0x29f: {name: "i16x8.extmul_high_i8x16_u", sig: "vv:v"},
	0x2a0: {name: "i32x4.abs", sig: "v:v"},
	0x2a1: {name: "i32x4.neg", sig: "v:v"},
	0x2a3: {name: "i32x4.all_true", sig: "v:i"},
	0x2a4: {name: "i32x4.bitmask", sig: "v:i"},
	0x2a7: {name: "i32x4.extend_low_i16x8_s", sig: "v:v"},
	0x2a8: {name: "i32x4.extend_high_i16x8_s", sig: "v:v"},
	0x2a9: {name: "i32x4.extend_low_i16x8_u", sig: "v:v"},
	0x2aa: {name: "i32x4.extend_high_i16x8_u", sig: "v:v"},
	0x2ab: {name: "i32x4.shl", sig: "vi:v"},
	0x2ac: {name: "i32x4.shr_s", sig: "vi:v"},
	0x2ad: {name: "i32x4.shr_u", sig: "vi:v"},
	0x2ae: {name: "i32x4.add", sig: "vv:v"},
	0x2b1: {name: "i32x4.sub", sig: "vv:v"},
	0x2b5: {name: "i32x4.mul", sig: "vv:v"},
	0x2b6: {name: "i32x4.min_s", sig: "vv:v"},
	0x2b7: {name: "i32x4.min_u", sig: "vv:v"},
	0x2b8: {name: "i32x4.max_s", sig: "vv:v"},
	0x2b9: {name: "i32x4.max_u", sig: "vv:v"},
	0x2ba: {name: "i32x4.dot_i16x8_s", sig: "vv:v"},
	0x2bc: {name: "i32x4.extmul_low_i16x8_s", sig: "vv:v"},
	0x2bd: {name: "i32x4.extmul_high_i16x8_s", sig: "vv:v"},
	0x2be: {name: "i32x4.extmul_low_i16x8_u", sig: "vv:v"},
	0x2bf: {name: "i32x4.extmul_high_i16x8_u", sig: "vv:v"},
	0x2c0: {name: "i64x2.abs", sig: "v:v"},
	0x2c1: {name: "i64x2.neg", sig: "v:v"},
	0x2c3: {name: "i64x2.all_true", sig: "v:i"},
	0x2c4: {name: "i64x2.bitmask", sig: "v:i"},
	0x2c7: {name: "i64x2.extend_low_i32x4_s", sig: "v:v"},
	0x2c8: {name: "i64x2.extend_high_i32x4_s", sig: "v:v"},
	0x2c9: {name: "i64x2.extend_low_i32x4_u", sig: "v:v"},
	0x2ca: {name: "i64x2.extend_high_i32x4_u", sig: "v:v"},
	0x2cb: {name: "i64x2.shl", sig: "vi:v"},
	0x2cc: {name: "i64x2.shr_s", sig: "vi:v"},
	0x2cd: {name: "i64x2.shr_u", sig: "vi:v"},
	0x2ce: {name: "i64x2.add", sig: "vv:v"},
	0x2d1: {name: "i64x2.sub", sig: "vv:v"},
	0x2d5: {name: "i64x2.mul", sig: "vv:v"},
	0x2d6: {name: "i64x2.eq", sig: "vv:v"},
	0x2d7: {name: "i64x2.ne", sig: "vv:v"},
	0x2d8: {name: "i64x2.lt_s", sig: "vv:v"},
	0x2d9: {name: "i64x2.gt_s", sig: "vv:v"},
	0x2da: {name: "i64x2.le_s", sig: "vv:v"},
	0x2db: {name: "i64x2.ge_s", sig: "vv:v"},
	0x2dc: {name: "i64x2.extmul_low_i32x4_s", sig: "vv:v"},
	0x2dd: {name: "i64x2.extmul_high_i32x4_s", sig: "vv:v"},
	0x2de: {name: "i64x2.extmul_low_i32x4_u", sig: "vv:v"},
	0x2df: {name: "i64x2.extmul_high_i32x4_u", sig: "vv:v"},
	0x2e0: {name: "f32x4.abs", sig: "v:v"},
	0x2e1: {name: "f32x4.neg", sig: "v:v"},
	0x2e3: {name: "f32x4.sqrt", sig: "v:v"},
	0x2e4: {name: "f32x4.add", sig: "vv:v"},
	0x2e5: {name: "f32x4.sub", sig: "vv:v"},
	0x2e6: {name: "f32x4.mul", sig: "vv:v"},
	0x2e7: {name: "f32x4.div", sig: "vv:v"},
	0x2e8: {name: "f32x4.min", sig: "vv:v"},
	0x2e9: {name: "f32x4.max", sig: "vv:v"},
	0x2ea: {name: "f32x4.pmin", sig: "vv:v"},
	0x2eb: {name: "f32x4.pmax", sig: "vv:v"},
	0x2ec: {name: "f64x2.abs", sig: "v:v"},
	0x2ed: {name: "f64x2.neg", sig: "v:v"},
	0x2ef: {name: "f64x2.sqrt", sig: "v:v"},
	0x2f0: {name: "f64x2.add", sig: "vv:v"},
	0x2f1: {name: "f64x2.sub", sig: "vv:v"},
	0x2f2: {name: "f64x2.mul", sig: "vv:v"},
	0x2f3: {name: "f64x2.div", sig: "vv:v"},
	0x2f4: {name: "f64x2.min", sig: "vv:v"},
	0x2f5: {name: "f64x2.max", sig: "vv:v"},
	0x2f6: {name: "f64x2.pmin", sig: "vv:v"},
	0x2f7: {name: "f64x2.pmax", sig: "vv:v"},
	0x2f8: {name: "i32x4.trunc_sat_f32x4_s", sig: "v:v"},
	0x2f9: {name: "i32x4.trunc_sat_f32x4_u", sig: "v:v"},
	0x2fa: {name: "f32x4.convert_i32x4_s", sig: "v:v"},
	0x2fb: {name: "f32x4.convert_i32x4_u", sig: "v:v"},
	0x2fc: {name: "i32x4.trunc_sat_f64x2_s_zero", sig: "v:v"},
	0x2fd: {name: "i32x4.trunc_sat_f64x2_u_zero", sig: "v:v"},
	0x2fe: {name: "f64x2.convert_low_i32x4_s", sig: "v:v"},
	0x2ff: {name: "f64x2.convert_low_i32x4_u", sig: "v:v"},
}

// proposalOf names the language proposal of an opcode that is not admitted.
func proposalOf(op byte) string {
	switch {
	case op >= 0x06 && op <= 0x0a, op == 0x18, op == 0x19, op == 0x1f:
		return "exception handling"
	case op == 0x14, op == 0x15, op >= 0xd3 && op <= 0xd6:
		return "typed function references"
	case op == 0xfb:
		return "garbage collection"
	case op == 0xfe:
		return "threads"
	}
	return ""
}
