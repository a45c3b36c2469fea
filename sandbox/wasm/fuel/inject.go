package fuel

// refuel calls the host when the fuel is below zero.
func (c *code) refuel(l *layout) {
	c.with(opGlobalGet, l.fuel)
	c.i64(0)
	c.opcode(opI64LtS)
	c.open(opIf)
	c.with(opCall, l.refuel)
	c.opcode(opEnd)
}

// take takes cost off the fuel.
func (c *code) take(l *layout, cost uint64) {
	c.with(opGlobalGet, l.fuel)
	c.i64(int64(cost))
	c.opcode(opI64Sub)
	c.with(opGlobalSet, l.fuel)
}

// charge takes cost off the fuel and asks the host when it is used up.
func (c *code) charge(l *layout, cost uint64) {
	c.take(l, cost)
	c.refuel(l)
}

// enter takes a function's width off the depth and its first charge off the
// fuel. One test serves both: their bits or-ed are negative when either is.
func (c *code) enter(l *layout, width int, cost uint64) {
	c.with(opGlobalGet, l.depth)
	c.i32(int32(width))
	c.opcode(opI32Sub)
	c.with(opGlobalSet, l.depth)
	c.with(opGlobalGet, l.fuel)
	c.i64(int64(cost))
	c.opcode(opI64Sub)
	c.with(opGlobalSet, l.fuel)
	c.with(opGlobalGet, l.depth)
	c.opcode(opI64FromS)
	c.with(opGlobalGet, l.fuel)
	c.opcode(opI64Or)
	c.i64(0)
	c.opcode(opI64LtS)
	c.open(opIf)
	c.with(opCall, l.helpers.index(helperKey{op: opEnter}))
	c.opcode(opEnd)
}

// leave gives a function's width back.
func (c *code) leave(l *layout, width int) {
	c.with(opGlobalGet, l.depth)
	c.i32(int32(width))
	c.opcode(opI32Add)
	c.with(opGlobalSet, l.depth)
}

// Parts of a function's width, in slots.
const (
	widthFrame  = 4 // return address, frame pointer and what the engine keeps
	valuesWidth = 8 // values and joins to one slot, see width
)

// width is the most slots that a frame of the function takes on the native
// stack. Its parameters, locals, results and operands may all be there at once.
// wazero's compiler moreover gives every value that is spilled, and every local
// that differs where control flow meets, a place of its own that it does not
// use twice, so that a frame grows with the length of the function.
func (f *function) width() int {
	w := widthFrame + f.localSlots + slotsOf(f.typ.Results) + f.height
	return w + (f.values+f.joins)/valuesWidth
}

// Registers that wazero passes parameters and results in on every
// architecture. A tail call with more of either takes stack and is made a call
// by its compiler.
const (
	intRegisters   = 6
	floatRegisters = 8
)

func inRegisters(types []ValueType) bool {
	ints, floats := 0, 0
	for _, t := range types {
		if t == F32 || t == F64 || t == V128 {
			floats++
		} else {
			ints++
		}
	}
	return ints <= intRegisters && floats <= floatRegisters
}

// bodyWriter writes function bodies.
type bodyWriter struct {
	m     *module
	l     *layout
	stats *Stats
	code
}

// function writes the body of f, from its declaration of locals to its end.
//
// The code is wrapped in a block that takes the place of the function: what
// returned leaves the block, behind which the depth is restored. Labels keep
// their numbers.
func (w *bodyWriter) function(f *function) {
	width := f.width()
	w.stats.Funcs++
	w.stats.Instrs += len(f.instrs)
	w.stats.Points += len(f.plan.regions)
	w.stats.MaxWidth = max(w.stats.MaxWidth, width)
	w.code = append(w.code[:0], w.m.src[f.decl.pos:f.decl.end]...)
	regions := f.plan.regions
	w.enter(w.l, width, regions[0].cost)
	regions = regions[1:]
	w.resultBlock(f.typ.Results)
	depth := uint32(0)
	unasked := false // a charge was taken without asking
	for i := range f.instrs {
		if len(regions) > 0 && regions[0].at == i {
			w.region(regions[0])
			unasked = unasked || !regions[0].asks
			regions = regions[1:]
		}
		in := &f.instrs[i]
		switch in.op {
		case opBlock, opLoop, opIf:
			depth++
		case opEnd:
			depth-- // below zero at the function's own end, which is the last
		}
		w.instruction(f, in, depth, width)
	}
	w.leave(w.l, width)
	if unasked {
		w.refuel(w.l)
	}
	w.opcode(opEnd)
}

func (w *bodyWriter) region(r region) {
	if r.asks {
		w.charge(w.l, r.cost)
	} else {
		w.take(w.l, r.cost)
	}
}

// resultBlock opens a block with the results of the function.
func (w *bodyWriter) resultBlock(results []ValueType) {
	w.opcode(opBlock)
	switch len(results) {
	case 0:
		w.op(emptyBlock)
	case 1:
		w.op(byte(results[0]))
	default:
		w.signed(int64(w.l.types.index(FuncType{Results: results})))
	}
}

func (w *bodyWriter) instruction(f *function, in *instr, depth uint32, width int) {
	switch {
	case in.op == opReturn:
		w.with(opBr, depth)
	case in.op == opCall:
		w.with(opCall, w.l.shift(in.arg))
	case in.op == opReturnCall:
		w.tailCall(in, w.m.typeOf(in.arg), depth, width)
	case in.op == opReturnCallIndirect:
		w.tailCall(in, w.m.types[in.arg], depth, width)
	case needsHelper(in.op):
		w.with(opCall, w.l.helpers.index(helperKey{in.op, in.arg, in.n}))
	default:
		w.op(w.m.src[in.at.pos:in.at.end]...)
	}
}

// tailCall gives the width back before the call, for the frame is gone by the
// time that the callee runs. A call that the engine does not make a tail call
// keeps its frame, and so its width.
func (w *bodyWriter) tailCall(in *instr, t FuncType, depth uint32, width int) {
	tail := inRegisters(t.Params) && inRegisters(t.Results)
	if tail {
		w.leave(w.l, width)
	}
	target, tailTarget := opCall, opReturnCall
	index := w.l.shift(in.arg)
	if in.op == opReturnCallIndirect {
		target, tailTarget, index = opCallIndirect, opReturnCallIndirect, in.arg
	}
	if tail {
		target = tailTarget
	}
	w.with(target, index)
	if in.op == opReturnCallIndirect {
		w.u32(in.n)
	}
	if !tail {
		w.with(opBr, depth)
	}
}
