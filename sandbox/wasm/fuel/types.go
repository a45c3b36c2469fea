package fuel

import "strings"

// ValueType is the type of a value, as the binary format encodes it.
type ValueType byte

// The value types that are admitted.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f

	// anyType is what an operand is in code that is never reached.
	anyType ValueType = 0
)

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case anyType:
		return "any"
	}
	return "unknown"
}

func (t ValueType) valid() bool {
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return true
	default:
		return false
	}
}

func (t ValueType) reference() bool { return t == FuncRef || t == ExternRef }

// slots is how many 8-byte slots a value takes on the stack.
func (t ValueType) slots() int {
	if t == V128 {
		return 2
	}
	return 1
}

func slotsOf(types []ValueType) int {
	n := 0
	for _, t := range types {
		n += t.slots()
	}
	return n
}

// FuncType is the type of a function. Its slices are not changed.
type FuncType struct {
	Params  []ValueType
	Results []ValueType
}

// enterType is the type of EnterName.
var enterType = FuncType{Params: []ValueType{I32}} //nolint:gochecknoglobals // never changed

// String is the type as written in messages: "(i32, i32) → (i64)".
func (t FuncType) String() string { return list(t.Params) + " → " + list(t.Results) }

func list(types []ValueType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// Kind says what an import or export is.
type Kind byte

// The kinds of import and export.
const (
	KindFunc   Kind = 0
	KindTable  Kind = 1
	KindMemory Kind = 2
	KindGlobal Kind = 3
)

func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "function"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	}
	return "unknown"
}

// Memory is the size of a linear memory in pages of 64 KiB.
type Memory struct {
	Min, Max uint32 // Max is 65,536 when the module names none
	Imported bool
}

// Table is one table.
type Table struct {
	Type     ValueType
	Min, Max uint32 // elements; Max is 4,294,967,295 when the module names none
	Imported bool
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}
