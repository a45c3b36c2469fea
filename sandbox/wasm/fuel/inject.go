package fuel

// solvent leaves 0 when the fuel is below zero, else 1.
func (c *code) solvent(l *layout) {
	c.with(opGlobalGet, l.fuel)
	c.i64(0)
	c.opcode(opI64GeS)
}

// refuel calls the host when the fuel is below zero. The call stands in the
// else arm: wazero gives what follows the registers as the first of two paths
// leaves them, and here that is the path without a call.
func (c *code) refuel(l *layout) {
	c.solvent(l)
	c.open(opIf)
	c.opcode(opElse)
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

// round charges one round of a loop, at its head. When the fuel is used up the
// charge is undone after the host was asked, and the round begins again: by
// that way back the call needs no part in the registers of the loop.
func (c *code) round(l *layout, cost uint64, params []ValueType) {
	c.take(l, cost)
	c.solvent(l)
	if len(params) == 0 {
		c.open(opIf)
	} else {
		c.opcode(opIf)
		c.signed(int64(l.types.index(FuncType{Params: params, Results: params})))
	}
	c.opcode(opElse)
	c.with(opCall, l.refuel)
	c.with(opGlobalGet, l.fuel)
	c.i64(int64(cost))
	c.opcode(opI64Add)
	c.with(opGlobalSet, l.fuel)
	c.with(opBr, 1)
	c.opcode(opEnd)
}

// enter takes a function's width off the depth and its first charge off the
// fuel. One test serves both: their bits or-ed are negative when either is.
func (c *code) enter(l *layout, width int, cost uint64) {
	c.with(opGlobalGet, l.depth)
	c.i32(int32(width))
	c.opcode(opI32Sub)
	c.with(opGlobalSet, l.depth)
	c.take(l, cost)
	c.with(opGlobalGet, l.depth)
	c.opcode(opI64FromS)
	c.with(opGlobalGet, l.fuel)
	c.opcode(opI64Or)
	c.i64(0)
	c.opcode(opI64GeS)
	c.open(opIf)
	c.opcode(opElse)
	c.with(opCall, l.helpers.index(helperKey{op: opEnter}))
	c.opcode(opEnd)
}

// leave gives a function's width back.
func (c *code) leave(l *layout, width int) {
	if width == 0 {
		return
	}
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
	w := widthFrame + f.localSlots + f.temps.slots() + slotsOf(f.typ.Results) + f.height
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
	known *facts
	stats *Stats
	// profile tells the host when a function is entered and left.
	profile bool
	code
	width int // taken off the depth by the function at hand; 0 when it is a leaf
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
	w.stats.Points += len(f.plan.points)
	w.stats.MaxWidth = max(w.stats.MaxWidth, width)
	w.code = w.code[:0]
	w.locals(f)
	w.width = width
	if w.known.isLeaf(f.index) {
		w.width = 0
	}
	if w.profile {
		w.i32(int32(f.index))
		w.with(opCall, w.l.enter)
	}
	points := f.plan.points
	w.entry(points[0])
	points = points[1:]
	w.resultBlock(f.typ.Results)
	depth := uint32(0)
	for i := range f.instrs {
		for len(points) > 0 && points[0].at == i {
			w.point(f, points[0])
			points = points[1:]
		}
		in := &f.instrs[i]
		switch in.op {
		case opBlock, opLoop, opIf:
			depth++
		case opEnd:
			depth-- // below zero at the function's own end, which is the last
		default: // opens and closes nothing
		}
		w.instruction(in, depth)
		w.replaceNaN(f, i)
	}
	w.leave(w.l, w.width)
	if f.plan.askAtEnd {
		w.refuel(w.l)
	}
	w.left()
	w.opcode(opEnd)
}

// left tells the host that the function is left.
func (w *bodyWriter) left() {
	if w.profile {
		w.with(opCall, w.l.leave)
	}
}

func (w *bodyWriter) entry(p point) {
	if w.width > 0 {
		w.enter(w.l, w.width, p.cost)
		return
	}
	w.take(w.l, p.cost)
	if p.asks {
		w.refuel(w.l)
	}
}

func (w *bodyWriter) point(f *function, p point) {
	if p.loop {
		var params []ValueType
		if in := &f.instrs[p.at-1]; in.n == 1 {
			params = w.m.types[in.arg].Params
		}
		w.round(w.l, p.cost, params)
		return
	}
	if p.cost > 0 {
		w.take(w.l, p.cost)
	}
	if p.asks {
		w.refuel(w.l)
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

func (w *bodyWriter) instruction(in *instr, depth uint32) {
	switch {
	case in.op == opReturn:
		w.with(opBr, depth)
	case in.op == opCall:
		w.with(opCall, w.l.shift(in.arg))
	case in.op == opReturnCall:
		w.tailCall(in, w.m.typeOf(in.arg), depth)
	case in.op == opReturnCallIndirect:
		w.tailCall(in, w.m.types[in.arg], depth)
	case needsHelper(in.op):
		w.with(opCall, w.l.helpers.index(helperKey{in.op, in.arg, in.n}))
	default:
		w.op(w.m.src[in.at.pos:in.at.end]...)
	}
}

// tailCall gives the width back before the call, for the frame is gone by the
// time that the callee runs. A call that the engine does not make a tail call
// keeps its frame, and so its width.
func (w *bodyWriter) tailCall(in *instr, t FuncType, depth uint32) {
	tail := inRegisters(t.Params) && inRegisters(t.Results)
	if tail {
		w.leave(w.l, w.width)
		w.left()
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
