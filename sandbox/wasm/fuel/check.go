package fuel

import "slices"

// checker validates function bodies, one after the other, by the algorithm of
// the WebAssembly specification's appendix: a stack of operand types and a
// stack of control frames.
type checker struct {
	m      *module
	f      function
	r      reader
	stack  []ValueType
	slots  int // slots that the stack takes
	frames []frame
	loops  int    // among frames
	total  [8]int // sums over functions, in the order of checkWork
	known  *facts // nil while the functions are read for the first time
}

// frame is one block that surrounds the instruction at hand.
type frame struct {
	op      opcode // opBlock, opLoop, opIf, opElse; opBlock for the function itself
	params  []ValueType
	results []ValueType
	base    int  // operands below belong to the surrounding block
	dead    bool // the rest is never reached, operands are whatever is wanted
	sets    int  // slots of locals assigned to inside
	start   int  // index of the instruction that opens it
}

// label is what a branch to the frame carries.
func (f *frame) label() []ValueType {
	if f.op == opLoop {
		return f.params
	}
	return f.results
}

// checkBodies validates every function and calls visit with each. The function
// is visit's only until it returns. What is known of the functions is nil the
// first time.
func (m *module) checkBodies(known *facts, visit func(*function)) *Error {
	c := &checker{m: m, known: known}
	m.instrs = 0
	for i, body := range m.bodies {
		c.r = reader{src: m.src, pos: body.pos, end: body.end}
		c.function(m.importedFuncs + i)
		m.instrs += len(c.f.instrs)
		if c.r.err != nil {
			return m.inFunction(i, c.r.err)
		}
		visit(&c.f)
	}
	return nil
}

func (c *checker) function(index int) {
	t := c.m.typeOf(uint32(index))
	c.f.reset(index, t)
	c.stack, c.frames, c.slots, c.loops = c.stack[:0], c.frames[:0], 0, 0
	c.readLocals()
	c.frames = append(c.frames, frame{op: opBlock, results: t.Results, start: -1})
	for c.r.err == nil && len(c.frames) > 0 {
		c.instruction()
	}
	if c.r.err == nil && !c.r.done() {
		c.r.fail(c.r.pos, "%d bytes are left over after the function's end", c.r.left())
	}
	if c.r.err == nil {
		c.checkWork()
	}
}

func (c *checker) readLocals() {
	r, limit := &c.r, c.m.bounds.Locals
	c.f.decl.pos = r.pos
	groups := r.count("groups of locals", 2, r.left())
	for range groups {
		at := r.pos
		n := int(r.u32())
		if n > limit-c.f.locals() {
			r.fail(at, "%d locals; at most %d are admitted", c.f.locals()+n, limit)
			return
		}
		t := r.valueType()
		c.m.usesType(t)
		for range n {
			c.f.types = append(c.f.types, t)
		}
	}
	c.f.decl.end = r.pos
	c.f.localSlots = slotsOf(c.f.types)
}

// checkWork bounds what the function costs the compiler, alone and with the
// functions before it.
func (c *checker) checkWork() {
	f, b := &c.f, c.m.bounds
	f.plan.build(f, c.known)
	if c.known != nil {
		return // admitted before
	}
	f.work.measure(f)
	charges := len(f.plan.points)
	for i, w := range [...]struct {
		what  string
		n     int
		limit int
	}{
		{"values pushed and passed on", f.values, b.Values},
		{"(locals + parameters + operands) × (blocks + charges)", (len(f.types) + f.temps.count() + f.operands) * (f.blocks + charges), b.LocalBlocks},
		{"locals that differ where control flow meets", f.joins, b.Joins},
		{"(locals + parameters)² × loops and the loops around them", len(f.types) * len(f.types) * f.loops, b.Phis},
		{"basic blocks and the blocks that each depends on", f.work.chains, b.Chains},
		{"basic blocks and the memory accesses before each", f.work.lists, b.Lists},
		{"(calls + charges) × mutable globals", (f.calls + charges) * c.m.mutableGlobals(), b.Reloads},
		{"calls × imports", f.calls * len(c.m.imports), b.Lookups},
	} {
		c.total[i] += w.n
		switch {
		case w.n > w.limit:
			c.r.fail(f.decl.pos, "%s: %d; at most %d are admitted in one function", w.what, w.n, w.limit)
			c.r.err.Fix = "split the function"
		case c.total[i] > moduleFactor*w.limit:
			c.r.fail(f.decl.pos, "%s: %d in the functions up to this one; at most %d are admitted in a module", w.what, c.total[i], moduleFactor*w.limit)
			c.r.err.Fix = "split the module"
		}
	}
}

func (c *checker) top() *frame { return &c.frames[len(c.frames)-1] }

func (c *checker) push(t ValueType) {
	c.stack = append(c.stack, t)
	c.slots += t.slots()
	c.f.height = max(c.f.height, c.slots)
	c.f.operands = max(c.f.operands, len(c.stack))
	c.count(t.slots())
	if len(c.stack) > c.m.bounds.Operands {
		c.r.fail(c.r.pos, "more than %d operands on the stack", c.m.bounds.Operands)
	}
}

// count adds to the values that the function's code pushes or passes on.
func (c *checker) count(n int) {
	c.f.values += n
	if c.f.values > c.m.bounds.Values {
		c.r.fail(c.r.pos, "the code pushes more than %d values", c.m.bounds.Values)
	}
}

func (c *checker) pushAll(types []ValueType) {
	for _, t := range types {
		c.push(t)
	}
}

// pop takes one operand of any type.
func (c *checker) pop() ValueType {
	f := c.top()
	if len(c.stack) == f.base {
		if !f.dead {
			c.r.fail(c.r.pos, "an operand is missing")
		}
		return anyType
	}
	t := c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
	c.slots -= t.slots()
	return t
}

// want takes one operand that must be of type t.
func (c *checker) want(t ValueType) {
	if got := c.pop(); got != t && got != anyType && t != anyType {
		c.r.fail(c.r.pos, "an operand is %s instead of %s", got, t)
	}
}

func (c *checker) wantAll(types []ValueType) {
	for _, t := range slices.Backward(types) {
		c.want(t)
	}
}

// unreachable marks the rest of the block as never reached.
func (c *checker) unreachable() {
	f := c.top()
	c.drop(f.base)
	f.dead = true
}

// drop takes operands off down to a height.
func (c *checker) drop(height int) {
	for _, t := range c.stack[height:] {
		c.slots -= t.slots()
	}
	c.stack = c.stack[:height]
}

// instruction reads one instruction, checks it and keeps it.
func (c *checker) instruction() {
	r := &c.r
	in := instr{at: span{pos: r.pos}}
	in.op = c.opcode()
	if r.err != nil {
		return
	}
	in.cost = prices[in.op]
	info := &ops[in.op]
	if info.sig != "" {
		c.immediate(&in, info)
		c.apply(info.sig)
	} else {
		c.special(&in)
	}
	if r.err != nil {
		r.err.Offset = in.at.pos
		r.err.What = info.name + ": " + r.err.What
		return
	}
	in.at.end = r.pos
	c.f.instrs = append(c.f.instrs, in)
	c.canonical(in.op)
}

// opcode reads an opcode and refuses those that are not admitted.
func (c *checker) opcode() opcode {
	r := &c.r
	at := r.pos
	b := r.u8()
	op := opcode(b)
	switch b {
	case miscPrefix, simdPrefix:
		sub := r.u32()
		op = opMisc + opcode(sub)
		if b == simdPrefix {
			op = opSIMD + opcode(sub)
			c.m.uses |= UsesSIMD
		}
		if r.err == nil && (sub > 0xff || ops[op].name == "") {
			r.fail(at, "opcode 0x%02x %d is not admitted%s", b, sub, relaxed(b, sub))
			return 0
		}
	}
	if r.err == nil && ops[op].name == "" {
		r.fail(at, "opcode 0x%02x is unknown", b)
		if p := proposalOf(b); p != "" {
			r.err.What = errorf(at, "opcode 0x%02x is not admitted (%s)", b, p).What
		}
		return 0
	}
	return op
}

func relaxed(prefix byte, sub uint32) string {
	if prefix == simdPrefix && sub > 0xff {
		return " (relaxed SIMD)"
	}
	return ""
}

// apply checks an instruction whose operands its signature tells.
func (c *checker) apply(sig string) {
	colon := len(sig) - 1
	for sig[colon] != ':' {
		colon--
	}
	for i := colon - 1; i >= 0; i-- {
		c.want(sigTypes[sig[i]])
	}
	for _, letter := range []byte(sig[colon+1:]) {
		c.push(sigTypes[letter])
	}
}
