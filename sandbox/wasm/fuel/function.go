package fuel

// function is what the checker found out about one function. Its buffers are
// used again for the next one.
type function struct {
	index      int // imports counted first
	typ        FuncType
	decl       span        // declaration of locals
	types      []ValueType // of parameters and locals
	localSlots int         // that they take
	instrs     []instr
	labels     []uint32 // of all br_table instructions
	plan       plan
	work       work
	temps      temps // locals that the pass adds

	height   int // greatest height of the operand stack, in slots
	operands int // greatest number of operands
	values   int // values pushed, in slots, and passed to labels
	joins    int // locals that may differ where control flow meets, in slots
	blocks   int
	loops    int // each counted with the loops around it
	calls    int // calls, and everything else that may change globals
}

// instr is one instruction.
type instr struct {
	op   opcode
	at   span
	arg  uint32 // label, function or the like; where the labels of a br_table begin
	n    uint32 // labels of a br_table; 1 when arg is the type of a block
	cost uint32
}

// callsOut reports whether the function calls any other.
func (f *function) callsOut() bool {
	for i := range f.instrs {
		switch f.instrs[i].op {
		case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
			return true
		default: // stays inside
		}
	}
	return false
}

// locals is the number of locals without parameters.
func (f *function) locals() int { return len(f.types) - len(f.typ.Params) }

func (f *function) reset(index int, t FuncType) {
	*f = function{
		index: index, typ: t,
		types: append(f.types[:0], t.Params...), instrs: f.instrs[:0], labels: f.labels[:0], plan: f.plan, work: f.work,
	}
}
