package lua

import (
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// Prices in bytes. They are nominal: what the interpreter allocates for the
// thing, rounded so that a table that grows is charged about what it takes.
const (
	tableBytes   = 128
	slotBytes    = 32  // in the array part
	entryBytes   = 160 // in the hash part: gopher-lua keeps three structures
	closureBytes = 96
	upvalueBytes = 40
	textBytes    = 24 // besides its length
)

// regStep is how many registers the interpreter adds when they run out.
const regStep = 2048

// thread is the context of one Lua thread. The interpreter asks a context
// whether it is done before every instruction; this one takes that as the moment
// to charge for the instruction.
type thread struct {
	*guest
	l    *glua.LState
	cur  **frame
	reg  *registry
	mark int // registers charged for
}

// Done charges for the instruction that comes next. It always answers nil, which
// means that the thread may go on: when it may not, Done unwinds the thread
// itself, because the interpreter would write a trace of the whole stack into
// the error it raises.
func (t *thread) Done() <-chan struct{} {
	if !t.Step() {
		t.raise(t.l)
	}
	cf := *t.cur
	if cf == nil || cf.Fn.IsG {
		return nil // asked by a native, not by the loop
	}
	inst := cf.Fn.Proto.Code[cf.Pc-1]
	if dear[inst>>26<<1|zeroB(inst)] && !t.charge(cf, inst) {
		t.raise(t.l)
	}
	if (cf.LocalBase >= t.mark || cf.Idx >= t.maxFrames) && !t.deep(cf) {
		t.raise(t.l)
	}
	return nil
}

// Err belongs to the interface of a context, as do Deadline and Value.
func (t *thread) Err() error { return script.ErrStopped }

// Deadline gives none: the meter keeps it.
func (t *thread) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value knows nothing.
func (t *thread) Value(any) any { return nil }

// Fields of an instruction, and the bit that says a field names a constant.
func argA(inst uint32) int  { return int(inst >> 18 & 0xff) }
func argB(inst uint32) int  { return int(inst & 0x1ff) }
func argC(inst uint32) int  { return int(inst >> 9 & 0x1ff) }
func argBx(inst uint32) int { return int(inst & 0x3ffff) }

const constantBit = 1 << 8

func zeroB(inst uint32) uint32 {
	if inst&0x1ff == 0 {
		return 1
	}
	return 0
}

// dear marks the instructions whose cost depends on their operands, as
// opcode<<1, plus 1 for those with B = 0: a call or return of as many values as
// there are.
//
//nolint:gochecknoglobals // a constant table
var dear = func() (d [128]bool) {
	for _, op := range []int{
		glua.OP_CONCAT, glua.OP_NEWTABLE, glua.OP_CLOSURE, glua.OP_SETTABLE, glua.OP_SETTABLEKS,
		glua.OP_SETGLOBAL, glua.OP_SETLIST, glua.OP_VARARG, glua.OP_EQ, glua.OP_LT, glua.OP_LE, glua.OP_LEN,
	} {
		d[op<<1], d[op<<1|1] = true, true
	}
	for _, op := range []int{glua.OP_CALL, glua.OP_TAILCALL, glua.OP_RETURN} {
		d[op<<1|1] = true
	}
	return d
}()

// charge takes what a dear instruction costs beyond its one unit.
func (t *thread) charge(cf *frame, inst uint32) bool {
	a, b := cf.LocalBase+argA(inst), argB(inst)
	switch int(inst >> 26) {
	case glua.OP_CONCAT:
		return t.chargeConcat(t.reg.array[cf.LocalBase+b : cf.LocalBase+argC(inst)+1])
	case glua.OP_NEWTABLE:
		return t.Alloc(tableBytes + 16*int64(b) + 48*int64(argC(inst)))
	case glua.OP_CLOSURE:
		proto := cf.Fn.Proto.FunctionPrototypes[argBx(inst)]
		return t.Alloc(closureBytes + upvalueBytes*int64(proto.NumUpvalues))
	case glua.OP_SETTABLE, glua.OP_SETTABLEKS:
		return t.chargeSet(t.reg.array[a], t.rk(cf, b), t.rk(cf, argC(inst)))
	case glua.OP_SETGLOBAL:
		return t.chargeSet(cf.Fn.Env, cf.Fn.Proto.Constants[argBx(inst)], t.reg.array[a])
	case glua.OP_SETLIST:
		n := b
		if n == 0 {
			n = t.reg.top - a - 1
		}
		return t.Spend(int64(n)) && t.Alloc(slotBytes*int64(n))
	case glua.OP_VARARG:
		n := b - 1
		if b == 0 {
			n = max(cf.NArgs-int(cf.Fn.Proto.NumParameters), 0)
		}
		return t.Spend(int64(n)) && (a+n < t.mark || t.grow(a+n))
	case glua.OP_CALL, glua.OP_TAILCALL, glua.OP_RETURN:
		return t.Spend(int64(t.reg.top - a))
	case glua.OP_EQ, glua.OP_LT, glua.OP_LE:
		return t.chargeCompare(t.rk(cf, b), t.rk(cf, argC(inst)))
	case glua.OP_LEN:
		return t.chargeLen(t.rk(cf, b))
	}
	return true
}

// rk is an operand that is a register or a constant.
func (t *thread) rk(cf *frame, idx int) glua.LValue {
	if idx&constantBit != 0 {
		return cf.Fn.Proto.Constants[idx&^constantBit]
	}
	return t.reg.array[cf.LocalBase+idx]
}

// deep is the slow half of the check of the stack.
func (t *thread) deep(cf *frame) bool {
	if cf.Idx >= t.maxFrames {
		t.Fail(sandbox.FaultStack, fmt.Errorf("nests more than %d calls", t.maxFrames))
		return false
	}
	return t.grow(cf.LocalBase)
}

// grow charges for registers up to n, and ends the call when the stack is too
// deep.
func (t *thread) grow(n int) bool {
	if n > t.stackLimit {
		t.Fail(sandbox.FaultStack, fmt.Errorf("uses more than %d slots of stack", t.stackLimit))
		return false
	}
	more := (n-t.mark)/regStep*regStep + regStep
	t.mark += more
	return t.Alloc(16 * int64(more))
}

func (t *thread) chargeConcat(parts []glua.LValue) bool {
	n := 0
	for _, p := range parts {
		switch p := p.(type) {
		case glua.LString:
			n += len(p)
		case glua.LNumber:
			n += 24
		}
	}
	return t.text(n)
}

// fits ends the call when a string of n bytes would be too long.
func (g *guest) fits(n int) bool {
	if n > script.MaxText {
		g.Fail(sandbox.FaultMemory, fmt.Errorf("asked for a string of more than %d bytes", script.MaxText))
	}
	return g.Stopped() == nil
}

// text charges for a new string of n bytes.
func (g *guest) text(n int) bool {
	return g.fits(n) && g.Spend(int64(n)/16) && g.Alloc(int64(n)+textBytes)
}

// chargeSet charges for a key that is new to a table.
func (g *guest) chargeSet(target, key, value glua.LValue) bool {
	tb, ok := target.(*glua.LTable)
	if !ok || value == glua.LNil {
		return true
	}
	if n, ok := key.(glua.LNumber); ok {
		have := len(viewTable(tb).array)
		switch i := int(n); {
		case glua.LNumber(i) != n || i < 1 || i >= glua.MaxArrayIndex:
		case i <= have:
			return true
		default:
			// The interpreter fills the gap with nil.
			return g.Spend(int64(i-have)/8) && g.Alloc(slotBytes*int64(i-have))
		}
	}
	if tb.RawGet(key) != glua.LNil {
		return true
	}
	return g.Alloc(entryBytes)
}

// chargeCompare charges for two strings that are compared.
func (g *guest) chargeCompare(x, y glua.LValue) bool {
	s, ok := x.(glua.LString)
	if !ok || len(s) < 64 {
		return true
	}
	r, ok := y.(glua.LString)
	return !ok || g.Spend(int64(min(len(s), len(r)))/64)
}

// chargeLen charges for the search of a table's border, which runs over the nils
// at the end of its array.
func (g *guest) chargeLen(v glua.LValue) bool {
	tb, ok := v.(*glua.LTable)
	if !ok {
		return true
	}
	if arr := viewTable(tb).array; len(arr) > 64 && arr[len(arr)-1] == glua.LNil {
		return g.Spend(int64(len(arr)) / 16)
	}
	return true
}
