package fuel

// helperWriter writes the body of one helper.
type helperWriter struct {
	m *module
	l *layout
	c Config
	k helperKey
	code
}

// helperBody is the body of a helper, with its declaration of locals.
func helperBody(m *module, l *layout, c Config, k helperKey) []byte {
	w := &helperWriter{m: m, l: l, c: c, k: k}
	switch k.op {
	case opEnter:
		w.enterSlow()
	case opExported:
		w.exported()
	case opMemoryGrow, opTableGrow:
		w.grow()
	case opMemoryCopy, opTableCopy:
		w.copy()
	default:
		w.forward()
	}
	w.opcode(opEnd)
	return w.code
}

// enterSlow asks the host, first about the stack.
func (w *helperWriter) enterSlow() {
	w.op(0) // no locals
	w.with(opGlobalGet, w.l.depth)
	w.i32(0)
	w.opcode(opI32LtS)
	w.open(opIf)
	w.with(opCall, w.l.overflow)
	w.ops(opUnreachable, opEnd)
	w.refuel(w.l)
}

// exported calls a function of the guest's and asks for what it still owes.
func (w *helperWriter) exported() {
	w.op(0) // no locals
	for i := range w.m.typeOf(w.k.a).Params {
		w.with(opLocalGet, uint32(i))
	}
	w.with(opCall, w.l.shift(w.k.a))
	w.refuel(w.l)
}

// chunkBytes is the most that one step of a bulk operation moves; a table
// element counts as slotBytes.
const (
	chunkBytes = 1 << 20
	slotBytes  = 8
)

// Locals of the helpers for operations with three operands: destination,
// source or value, length; then the length of the step at hand.
const (
	argDst = iota
	argSrc
	argLen
	stepLen
)

// forward writes an operation that goes from low to high addresses.
func (w *helperWriter) forward() {
	w.op(1, 1, byte(I32)) // stepLen
	w.checkBounds()
	w.forwardLoop()
}

func (w *helperWriter) forwardLoop() {
	w.open(opLoop)
	w.takeStep()
	w.get(argDst, argSrc, stepLen)
	w.original()
	w.advance(argDst)
	if w.k.op != opMemoryFill && w.k.op != opTableFill {
		w.advance(argSrc)
	}
	w.with(opLocalGet, argLen)
	w.op(byte(opBrIf), 0, byte(opEnd))
}

// copy writes an operation whose source and destination may overlap: it goes
// from high to low addresses when the destination lies behind the source.
func (w *helperWriter) copy() {
	w.op(1, 1, byte(I32)) // stepLen
	w.checkBounds()
	w.get(argDst, argSrc)
	w.opcode(opI32LeU)
	w.open(opIf)
	w.forwardLoop()
	w.opcode(opElse)
	w.open(opLoop)
	w.takeStep()
	for _, arg := range []uint32{argDst, argSrc} {
		w.get(arg, argLen)
		w.opcode(opI32Add)
	}
	w.get(stepLen)
	w.original()
	w.get(argLen)
	w.op(byte(opBrIf), 0, byte(opEnd), byte(opEnd))
}

// takeStep cuts a chunk off the length and charges it.
func (w *helperWriter) takeStep() {
	chunk, shift := int32(chunkBytes), int64(bulkShift)
	if w.table() {
		chunk, shift = chunkBytes/slotBytes, 0
	}
	w.get(argLen)
	w.i32(chunk)
	w.get(argLen)
	w.i32(chunk)
	w.ops(opI32LtU, opSelect)
	w.with(opLocalSet, stepLen)
	w.get(argLen, stepLen)
	w.opcode(opI32Sub)
	w.with(opLocalSet, argLen)
	w.charge(func() {
		w.get(stepLen)
		w.opcode(opI64FromU)
		if shift > 0 {
			w.i64(shift)
			w.opcode(opI64ShrU)
		}
	})
}

// charge takes what amount leaves on the stack off the fuel.
func (w *helperWriter) charge(amount func()) {
	w.with(opGlobalGet, w.l.fuel)
	amount()
	w.opcode(opI64Sub)
	w.with(opGlobalSet, w.l.fuel)
	w.refuel(w.l)
}

// checkBounds lets the operation itself trap when it does not fit, before
// anything is written.
func (w *helperWriter) checkBounds() {
	w.exceeds(argDst, w.size)
	switch w.k.op {
	case opMemoryCopy:
		w.exceeds(argSrc, w.size)
		w.opcode(opI32Or)
	case opTableCopy:
		w.exceeds(argSrc, func() { w.tableSize(w.k.b) })
		w.opcode(opI32Or)
	case opMemoryInit:
		w.exceeds(argSrc, func() { w.i64(int64(w.m.data[w.k.a].bytes)) })
		w.opcode(opI32Or)
	case opTableInit:
		w.exceeds(argSrc, func() { w.i64(int64(w.m.elems[w.k.a].items)) })
		w.opcode(opI32Or)
	default: // a fill has no source
	}
	w.open(opIf)
	w.get(argDst, argSrc, argLen)
	w.original()
	w.ops(opUnreachable, opEnd)
}

// exceeds leaves 1 when start + length is beyond size, else 0.
func (w *helperWriter) exceeds(start uint32, size func()) {
	w.get(start)
	w.opcode(opI64FromU)
	w.get(argLen)
	w.ops(opI64FromU, opI64Add)
	size()
	w.opcode(opI64GtU)
}

// size leaves the size of what the operation writes to: bytes of memory or
// elements of a table.
func (w *helperWriter) size() {
	switch w.k.op {
	case opTableInit:
		w.tableSize(w.k.b)
	case opTableCopy, opTableFill:
		w.tableSize(w.k.a)
	default:
		w.op(byte(opMemorySize), 0)
		w.opcode(opI64FromU)
		w.i64(16)
		w.opcode(opI64Shl)
	}
}

func (w *helperWriter) tableSize(table uint32) {
	w.with(opTableSize, table)
	w.opcode(opI64FromU)
}

func (w *helperWriter) table() bool { return w.k.op >= opTableInit }

// original writes the instruction that the helper stands for.
func (w *helperWriter) original() {
	switch w.k.op {
	case opMemoryGrow:
		w.op(byte(opMemoryGrow), 0)
	case opMemoryFill:
		w.with(opMemoryFill, 0)
	case opTableFill, opTableGrow:
		w.with(w.k.op, w.k.a)
	default:
		w.with(w.k.op, w.k.a)
		w.u32(w.k.b)
	}
}

func (w *helperWriter) get(locals ...uint32) {
	for _, i := range locals {
		w.with(opLocalGet, i)
	}
}

// advance moves a position by the step.
func (w *helperWriter) advance(arg uint32) {
	w.get(arg, stepLen)
	w.opcode(opI32Add)
	w.with(opLocalSet, arg)
}

// grow writes memory.grow and table.grow. Growth that cannot succeed fails
// without a charge for its length.
func (w *helperWriter) grow() {
	w.op(0) // no locals
	var amount, limit uint32
	if w.k.op == opTableGrow {
		amount = 1
		limit = clampTable(w.m.tables[w.k.a], w.c).Max
	} else {
		limit = clampMemory(*w.m.memory, w.c).Max
	}
	w.exceedsGrowth(amount, limit)
	w.ops(opI32Eqz)
	w.open(opIf)
	w.charge(func() {
		w.get(amount)
		w.opcode(opI64FromU)
		if w.k.op == opTableGrow {
			// A page is 8,192 elements.
			w.i64(1)
			w.opcode(opI64ShrU)
			return
		}
		w.i64(costPage)
		w.opcode(opI64Mul)
	})
	w.opcode(opEnd)
	w.get(0)
	if w.k.op == opTableGrow {
		w.get(1)
	}
	w.original()
}

// exceedsGrowth leaves 1 when size + amount is beyond limit, else 0.
func (w *helperWriter) exceedsGrowth(amount, limit uint32) {
	if w.k.op == opTableGrow {
		w.with(opTableSize, w.k.a)
	} else {
		w.op(byte(opMemorySize), 0)
	}
	w.opcode(opI64FromU)
	w.get(amount)
	w.ops(opI64FromU, opI64Add)
	w.i64(int64(limit))
	w.opcode(opI64GtU)
}
