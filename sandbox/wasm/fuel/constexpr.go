package fuel

// constExpr reads a constant expression that must yield a value of type want,
// and notes the functions it refers to in sec.
func (m *module) constExpr(r *reader, want ValueType, sec *section) {
	start := r.pos
	var buf [8]ValueType
	stack := buf[:0]
	for r.err == nil {
		at := r.pos
		switch op := opcode(r.u8()); op {
		case opEnd:
			if r.err == nil && (len(stack) != 1 || stack[0] != want) {
				r.fail(start, "the constant expression yields %s instead of %s", list(stack), want)
			}
			return
		case opI32Const:
			r.signed(32)
			stack = append(stack, I32)
		case opI64Const:
			r.signed(64)
			stack = append(stack, I64)
		case opF32Const:
			r.skip(4)
			stack = append(stack, F32)
		case opF64Const:
			r.skip(8)
			stack = append(stack, F64)
		case opcode(simdPrefix):
			if sub := r.u32(); sub != uint32(opV128Const-opSIMD) {
				r.fail(at, "a constant expression has the vector opcode %d", sub)
			}
			r.skip(16)
			m.uses |= UsesSIMD
			stack = append(stack, V128)
		case opGlobalGet:
			stack = append(stack, m.constGlobal(r))
		case opRefNull:
			stack = append(stack, r.refType())
			m.uses |= UsesReferenceTypes
		case opRefFunc:
			at := r.pos
			fn := r.index("function", len(m.funcs))
			sec.refs = append(sec.refs, reference{span{at, r.pos}, fn})
			m.uses |= UsesReferenceTypes
			stack = append(stack, FuncRef)
		default:
			stack = m.constArithmetic(r, at, op, stack)
		}
		if len(stack) > m.bounds.Nesting {
			r.fail(start, "the constant expression holds more than %d values", m.bounds.Nesting)
		}
	}
}

// constGlobal reads which global a constant expression takes its value from:
// an imported one or, with extended constants, one defined before.
func (m *module) constGlobal(r *reader) ValueType {
	at := r.pos
	g := r.index("global", len(m.globals))
	if r.err != nil {
		return anyType
	}
	if m.globals[g].Mutable {
		r.fail(at, "a constant expression takes its value from the mutable global %d", g)
	}
	if int(g) >= m.importedGlobals {
		m.uses |= UsesExtendedConst
	}
	return m.globals[g].Type
}

func (m *module) constArithmetic(r *reader, at int, op opcode, stack []ValueType) []ValueType {
	t := anyType
	switch op {
	case opI32Add, opI32Sub, opI32Mul:
		t = I32
	case opI64Add, opI64Sub, opI64Mul:
		t = I64
	default: // refused below
	}
	n := len(stack)
	if t == anyType || n < 2 || stack[n-1] != t || stack[n-2] != t {
		r.fail(at, "a constant expression has the opcode 0x%02x", byte(op))
		return stack
	}
	m.uses |= UsesExtendedConst
	return stack[:n-1]
}
