package fuel

// special checks the instructions whose operands depend on their immediate.
func (c *checker) special(in *instr) {
	switch in.op {
	case opNop:
	case opUnreachable:
		c.unreachable()
	case opBlock, opLoop, opIf:
		c.open(in)
	case opElse:
		c.otherwise(in)
	case opEnd:
		c.end(in)
	case opBr, opBrIf:
		c.branch(in)
	case opBrTable:
		c.branchTable(in)
	case opReturn:
		c.wantAll(c.frames[0].results)
		in.cost += moves(len(c.frames[0].results))
		c.count(len(c.frames[0].results))
		c.unreachable()
	case opCall, opReturnCall:
		in.arg = c.r.index("function", len(c.m.funcs))
		if c.r.err == nil {
			c.call(in, c.m.typeOf(in.arg))
		}
	case opCallIndirect, opReturnCallIndirect:
		c.callIndirect(in)
	case opRefFunc:
		c.r.fail(in.at.pos, "is not admitted inside functions: each one leaks memory of the host")
		c.r.err.Fix = "take the function from a table, with table.get"
	default:
		c.value(in)
	}
}

// value checks the instructions that move single values.
func (c *checker) value(in *instr) {
	switch in.op {
	case opDrop:
		c.pop()
	case opSelect:
		c.selectAny()
	case opSelectTyped:
		c.selectTyped()
	case opLocalGet, opLocalSet, opLocalTee:
		c.local(in)
	case opGlobalGet, opGlobalSet:
		c.global(in)
	case opTableGet, opTableSet, opTableGrow, opTableFill:
		c.table(in)
	case opRefNull:
		c.m.uses |= UsesReferenceTypes
		c.push(c.r.refType())
	case opRefIsNull:
		c.m.uses |= UsesReferenceTypes
		if t := c.pop(); t != anyType && !t.reference() {
			c.r.fail(c.r.pos, "an operand is %s instead of a reference", t)
		}
		c.push(I32)
	default:
		c.r.fail(in.at.pos, "is not admitted")
	}
}

// blockType reads the type of a block: nothing, one result or a function type.
func (c *checker) blockType(in *instr) FuncType {
	r := &c.r
	if r.done() {
		r.u8()
		return FuncType{}
	}
	b := r.src[r.pos]
	if b == 0x40 {
		r.pos++
		return FuncType{}
	}
	if b&0xc0 == 0x40 {
		t := r.valueType()
		c.m.usesType(t)
		return FuncType{Results: singles[t]}
	}
	at := r.pos
	t := r.signed(33)
	if r.err == nil && (t < 0 || t >= int64(len(c.m.types))) {
		r.fail(at, "type %d does not exist; there are %d", t, len(c.m.types))
	}
	if r.err != nil {
		return FuncType{}
	}
	c.m.uses |= UsesMultiValue
	in.arg, in.n = uint32(t), 1
	return c.m.types[t]
}

// singles holds one list for each value type, so that the type of a block with
// one result needs no memory of its own.
var singles = map[ValueType][]ValueType{ //nolint:gochecknoglobals // a constant table
	I32: {I32}, I64: {I64}, F32: {F32}, F64: {F64}, V128: {V128}, FuncRef: {FuncRef}, ExternRef: {ExternRef},
}

func (c *checker) open(in *instr) {
	t := c.blockType(in)
	if in.op == opIf {
		c.want(I32)
	}
	c.wantAll(t.Params)
	if c.r.err != nil {
		return
	}
	c.f.blocks++
	if in.op == opLoop {
		c.loops++
		c.f.loops += c.loops
	}
	b := c.m.bounds
	if c.f.blocks > b.Blocks {
		c.r.fail(in.at.pos, "more than %d blocks in one function", b.Blocks)
	}
	if len(c.frames) > b.Nesting {
		c.r.fail(in.at.pos, "blocks are nested more than %d deep", b.Nesting)
	}
	c.frames = append(c.frames, frame{
		op: in.op, params: t.Params, results: t.Results,
		base: len(c.stack), start: len(c.f.instrs),
	})
	c.pushAll(t.Params)
}

func (c *checker) otherwise(in *instr) {
	f := c.top()
	if f.op != opIf {
		c.r.fail(in.at.pos, "no if is open")
		return
	}
	c.close(f)
	f.op, f.dead = opElse, false
	c.pushAll(f.params)
}

// close checks that a block ends with its results and nothing else.
func (c *checker) close(f *frame) {
	c.wantAll(f.results)
	if len(c.stack) != f.base {
		c.r.fail(c.r.pos, "%d operands are left over", len(c.stack)-f.base)
	}
}

func (c *checker) end(in *instr) {
	f := *c.top()
	c.close(&f)
	if f.op == opIf && !sameTypes(f.params, f.results) {
		c.r.fail(in.at.pos, "an if without else passes its parameters on, and their types differ")
	}
	if c.r.err != nil {
		return
	}
	c.frames = c.frames[:len(c.frames)-1]
	differ := min(f.sets, c.f.localSlots)
	c.f.joins += differ + len(f.results)
	in.cost += moves(differ + len(f.results))
	if f.op == opLoop {
		c.loops--
		c.f.joins += differ + len(f.params)
		c.f.instrs[f.start].cost += moves(differ + len(f.params))
	}
	if len(c.frames) > 0 {
		c.top().sets += f.sets
		c.pushAll(f.results)
	}
}

func sameTypes(a, b []ValueType) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// label reads a label and returns what a branch to it carries.
func (c *checker) label() (uint32, []ValueType) {
	depth := c.r.index("label", len(c.frames))
	if c.r.err != nil {
		return 0, nil
	}
	return depth, c.frames[len(c.frames)-1-int(depth)].label()
}

func (c *checker) branch(in *instr) {
	depth, types := c.label()
	in.arg = depth
	if in.op == opBrIf {
		c.want(I32)
	}
	c.count(len(types))
	c.wantAll(types)
	in.cost += moves(len(types))
	if in.op == opBr {
		c.unreachable()
	} else {
		c.pushAll(types)
	}
}

func (c *checker) branchTable(in *instr) {
	r := &c.r
	n := r.count("labels", 1, c.m.bounds.Targets)
	c.want(I32)
	in.arg, in.n = uint32(len(c.f.labels)), uint32(n+1)
	for range n + 1 {
		depth, _ := c.label()
		c.f.labels = append(c.f.labels, depth)
	}
	if len(c.f.labels) > c.m.bounds.Labels {
		r.fail(in.at.pos, "more than %d labels in one function", c.m.bounds.Labels)
	}
	if r.err != nil {
		return
	}
	last := c.frames[len(c.frames)-1-int(c.f.labels[len(c.f.labels)-1])].label()
	c.count(len(last) * (n + 1))
	for _, depth := range c.f.labels[in.arg:] {
		if r.err != nil {
			return
		}
		c.fits(c.frames[len(c.frames)-1-int(depth)].label(), len(last))
	}
	c.wantAll(last)
	in.cost += moves(len(last))
	c.unreachable()
}

// fits checks that the operands on the stack are what a label of arity n wants,
// and leaves them there.
func (c *checker) fits(types []ValueType, n int) {
	if len(types) != n {
		c.r.fail(c.r.pos, "labels carry %d and %d values", len(types), n)
		return
	}
	f := c.top()
	for i := range types {
		at := len(c.stack) - 1 - i
		if at < f.base {
			if !f.dead {
				c.r.fail(c.r.pos, "an operand is missing")
			}
			return
		}
		want := types[len(types)-1-i]
		if got := c.stack[at]; got != want && got != anyType {
			c.r.fail(c.r.pos, "an operand is %s instead of %s", got, want)
		}
	}
}

func (c *checker) call(in *instr, t FuncType) {
	c.wantAll(t.Params)
	c.count(len(t.Params))
	c.f.calls++
	in.cost += moves(len(t.Params) + len(t.Results))
	if in.op == opCall || in.op == opCallIndirect {
		c.pushAll(t.Results)
		return
	}
	c.m.uses |= UsesTailCalls
	if !sameTypes(t.Results, c.frames[0].results) {
		c.r.fail(in.at.pos, "the function called returns %s, this one %s", list(t.Results), list(c.frames[0].results))
	}
	c.unreachable()
}

func (c *checker) callIndirect(in *instr) {
	r := &c.r
	in.arg = r.index("type", len(c.m.types))
	in.n = r.index("table", len(c.m.tables))
	if r.err != nil {
		return
	}
	if t := c.m.tables[in.n].Type; t != FuncRef {
		r.fail(r.pos, "table %d holds %s", in.n, t)
		return
	}
	if in.n != 0 {
		c.m.uses |= UsesReferenceTypes
	}
	c.want(I32)
	c.call(in, c.m.types[in.arg])
}
