package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox"
)

// baseLib are the global functions. Absent on purpose: collectgarbage, dofile,
// getfenv, load, loadfile, loadstring, module, newproxy, require, setfenv, and
// the libraries channel, debug, io, os and package.
func (lib *library) baseLib() {
	for _, name := range []string{"assert", "error", "getmetatable", "rawequal", "rawget", "select", "type"} {
		lib.borrow("", name)
	}
	lib.add("", "ipairs", baseIpairs)
	lib.add("", "next", baseNext)
	lib.add("", "pairs", basePairs)
	lib.add("", "pcall", basePcall)
	lib.add("", "print", basePrint)
	lib.add("", "rawset", baseRawset)
	lib.add("", "setmetatable", baseSetmetatable)
	lib.add("", "tonumber", baseTonumber)
	lib.add("", "tostring", baseTostring)
	lib.add("", "unpack", baseUnpack)
	lib.add("", "xpcall", baseXpcall)
}

//nolint:gochecknoglobals // functions that every guest shares; never written to
var (
	nextFunc   = &glua.LFunction{IsG: true, GFunction: wrap(baseNext)}
	ipairsFunc = &glua.LFunction{IsG: true, GFunction: wrap(ipairsNext)}
)

func basePairs(_ *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	l.Push(nextFunc)
	l.Push(tb)
	l.Push(glua.LNil)
	return 3
}

// baseNext charges for the keys it has to skip: the interpreter keeps the keys
// of removed entries, so a table can hold many more than it shows.
func baseNext(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	key := glua.LNil
	if l.GetTop() >= 2 {
		key = l.Get(2)
	}
	k, v := tb.Next(key)
	if skipped := ordinal(tb, k) - ordinal(tb, key); skipped > 16 {
		g.must(l, g.Spend(int64(skipped)/8))
	}
	if k == glua.LNil {
		l.Push(glua.LNil)
		return 1
	}
	l.Push(k)
	l.Push(v)
	return 2
}

// ordinal is about where a key stands in the order of a table that is large
// enough for that to matter.
func ordinal(tb *glua.LTable, key glua.LValue) int {
	view := viewTable(tb)
	if len(view.array)+len(view.keys) <= 64 {
		return 0
	}
	if n, ok := key.(glua.LNumber); ok && n >= 1 && int(n) <= len(view.array) {
		return int(n)
	}
	if i, ok := view.k2i[key]; ok {
		return len(view.array) + i
	}
	return 0
}

func baseIpairs(_ *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	l.Push(ipairsFunc)
	l.Push(tb)
	l.Push(glua.LNumber(0))
	return 3
}

func ipairsNext(_ *guest, l *glua.LState) int {
	tb, i := l.CheckTable(1), l.CheckInt(2)+1
	v := tb.RawGet(glua.LNumber(i))
	if v == glua.LNil {
		l.Push(glua.LNil)
		return 1
	}
	l.Push(glua.LNumber(i))
	l.Push(v)
	return 2
}

func basePcall(g *guest, l *glua.LState) int {
	l.CheckAny(1)
	nargs := l.GetTop() - 1
	base := l.GetTop() - nargs - 1
	if err := g.protected(l, nargs); err != nil {
		l.Push(glua.LFalse)
		l.Push(g.caught(l, err))
		return 2
	}
	l.Insert(glua.LTrue, base+1)
	return l.GetTop() - base
}

// baseXpcall runs the handler when the stack is already unwound: without the
// library debug no script can tell, and the interpreter loses variables of the
// functions it unwinds when it does it itself.
func baseXpcall(g *guest, l *glua.LState) int {
	fn, handler := l.CheckAny(1), l.CheckFunction(2)
	l.SetTop(0)
	l.Push(fn)
	err := g.protected(l, 0)
	if err == nil {
		l.Insert(glua.LTrue, 1)
		return l.GetTop()
	}
	v := g.caught(l, err)
	l.SetTop(0)
	l.Push(glua.LFalse)
	l.Push(handler)
	l.Push(v)
	if err := g.protected(l, 1); err != nil {
		l.Push(g.caught(l, err))
	}
	return l.GetTop()
}

// protected calls the function under nargs arguments, and gives the error that
// it ended with. A stop goes on unwinding.
func (g *guest) protected(l *glua.LState, nargs int) error {
	g.into(l)
	defer g.out()
	err := l.PCall(nargs, glua.MultRet, nil)
	g.must(l, g.Stopped() == nil)
	if t, ok := l.Context().(*thread); ok && err != nil {
		// The interpreter has written a trace of the whole stack, with a line for
		// every tail call.
		n := 0
		for cf := *t.cur; cf != nil; cf = cf.Parent {
			n += 1 + cf.TailCall
		}
		g.must(l, g.Spend(int64(n)))
	}
	return err
}

// caught is the value of an error that a script catches. A panic of the
// interpreter is not caught: its state cannot be trusted after it.
func (g *guest) caught(l *glua.LState, err error) glua.LValue {
	apiErr, ok := err.(*glua.ApiError) //nolint:errorlint // PCall returns this type, unwrapped
	if !ok || apiErr.Type == glua.ApiErrorPanic {
		g.Fail(sandbox.FaultTrap, fmt.Errorf("the interpreter failed: %w", err))
		g.raise(l)
	}
	if s, ok := apiErr.Object.(glua.LString); ok {
		if overflow(string(s)) {
			g.Fail(sandbox.FaultStack, errStack)
			g.raise(l)
		}
		return glua.LString(scrub(string(s)))
	}
	return apiErr.Object
}

// basePrint writes a line to the host's log.
func basePrint(g *guest, l *glua.LState) int {
	parts := make([]string, l.GetTop())
	for i := range parts {
		parts[i] = g.tostring(l, l.Get(i+1))
	}
	g.must(l, g.Log(sandbox.LogInfo, strings.Join(parts, "\t")))
	return 0
}

func baseRawset(g *guest, l *glua.LState) int {
	tb, key, value := l.CheckTable(1), l.CheckAny(2), l.CheckAny(3)
	g.must(l, g.chargeSet(tb, key, value))
	l.RawSet(tb, key, value)
	l.SetTop(1)
	return 1
}

// baseSetmetatable works on tables alone: the metatables of other types are
// shared by all values of the type.
func baseSetmetatable(_ *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	l.CheckTypes(2, glua.LTNil, glua.LTTable)
	if mt, ok := tb.Metatable.(*glua.LTable); ok && mt.RawGetString("__metatable") != glua.LNil {
		l.RaiseError("cannot change a protected metatable")
	}
	tb.Metatable = l.Get(2)
	l.SetTop(1)
	return 1
}

//nolint:gochecknoglobals // a function of gopher-lua, found once
var tonumber = borrowed("", "tonumber")

func baseTonumber(g *guest, l *glua.LState) int {
	if s, ok := l.Get(1).(glua.LString); ok {
		g.must(l, g.Spend(int64(len(s))/8))
	}
	return tonumber(l)
}

func baseTostring(g *guest, l *glua.LState) int {
	l.CheckAny(1)
	l.Push(glua.LString(g.tostring(l, l.Get(1))))
	return 1
}

// tostring is the text of a value, by its __tostring if it has one.
func (g *guest) tostring(l *glua.LState, v glua.LValue) string {
	if fn, ok := l.GetMetaField(v, "__tostring").(*glua.LFunction); ok {
		l.Push(fn)
		l.Push(v)
		g.callBack(l, 1, 1)
		v = l.Get(-1)
		l.Pop(1)
		if v.Type() != glua.LTString && v.Type() != glua.LTNumber {
			l.RaiseError("'__tostring' must return a string")
		}
	}
	switch v.Type() {
	case glua.LTTable, glua.LTFunction, glua.LTThread, glua.LTUserData:
		g.must(l, g.Alloc(entryBytes))
		return g.name(v)
	default: // what it is is its text
	}
	s := v.String()
	if v.Type() == glua.LTNumber {
		g.must(l, g.text(len(s)))
	}
	return s
}

func baseUnpack(g *guest, l *glua.LState) int {
	tb := l.CheckTable(1)
	i := l.OptInt(2, 1)
	j := l.OptInt(3, tb.Len())
	if i > j {
		return 0
	}
	if j-i >= maxValues || j-i < 0 {
		l.RaiseError("too many results to unpack")
	}
	g.room(l, j-i+1)
	for n := i; n <= j; n++ {
		l.Push(tb.RawGet(glua.LNumber(n)))
	}
	return j - i + 1
}
