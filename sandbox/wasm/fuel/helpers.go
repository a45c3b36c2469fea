package fuel

// helperKey names a function that does one bulk operation in chunks. Two
// operations with the same immediates share a helper.
type helperKey struct {
	op   opcode
	a, b uint32 // immediates, in the order of the binary format
}

// opEnter stands for what happens when a function is entered with too little
// depth or fuel. No instruction has this number.
const opEnter = opLimit

// opExported stands for a function of the guest's that the host calls.
const opExported = opLimit + 1

// helperTable collects the helpers that function bodies call.
type helperTable struct {
	next  uint32
	list  []helperKey
	byKey map[helperKey]uint32
}

// index returns the function index of a helper, adding it when it is new.
func (t *helperTable) index(key helperKey) uint32 {
	if i, ok := t.byKey[key]; ok {
		return i
	}
	i := t.next
	t.next++
	t.list = append(t.list, key)
	t.byKey[key] = i
	return i
}

// needsHelper reports whether the instruction is replaced by a call of one.
func needsHelper(op opcode) bool {
	switch op {
	case opMemoryGrow, opMemoryInit, opMemoryCopy, opMemoryFill,
		opTableInit, opTableCopy, opTableFill, opTableGrow:
		return true
	default:
		return false
	}
}

// helperType is the type of the instruction that a helper stands for.
func helperType(m *module, k helperKey) FuncType {
	switch k.op {
	case opEnter:
		return FuncType{}
	case opExported:
		return m.typeOf(k.a)
	case opMemoryGrow:
		return FuncType{Params: []ValueType{I32}, Results: []ValueType{I32}}
	case opTableGrow:
		return FuncType{Params: []ValueType{m.tables[k.a].Type, I32}, Results: []ValueType{I32}}
	case opTableFill:
		return FuncType{Params: []ValueType{I32, m.tables[k.a].Type, I32}}
	default:
		return FuncType{Params: []ValueType{I32, I32, I32}}
	}
}

// helperName is what stack traces show.
func helperName(k helperKey) string {
	switch k.op {
	case opEnter:
		return "rhost.enter"
	case opExported:
		return "rhost.exported"
	default:
		return "rhost." + ops[k.op].name
	}
}
