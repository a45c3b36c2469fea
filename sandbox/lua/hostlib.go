package lua

import (
	"errors"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// hostLib are the services of the ABI. A service answers true, or what was asked
// for; when the host refuses, nil and the name of the status.
func (lib *library) hostLib() {
	lib.open("rhost")
	lib.open("rhost.state")
	lib.add("rhost", "emit", hostEmit)
	lib.add("rhost", "notify", hostNotify)
	lib.add("rhost", "now", hostNow)
	lib.add("rhost", "random", hostRandom)
	lib.add("rhost", "array", hostArray)
	lib.add("rhost", "log", hostLog)
	for _, level := range []sandbox.LogLevel{sandbox.LogDebug, sandbox.LogInfo, sandbox.LogWarn, sandbox.LogError} {
		lib.add("rhost", level.String(), func(g *guest, l *glua.LState) int { return g.log(l, level, 1) })
	}
	lib.add("rhost", "fail", ending(abi.ResultFail))
	lib.add("rhost", "retry", ending(abi.ResultRetry))
	lib.add("rhost", "drop", ending(abi.ResultDrop))
	lib.add("rhost.state", "get", stateGet)
	lib.add("rhost.state", "set", stateSet)
	lib.add("rhost.state", "cas", stateCAS)
	lib.add("rhost.state", "delete", stateDelete)
}

// cutName splits the name of a table inside another.
func cutName(name string) (parent, child string, ok bool) { return strings.Cut(name, ".") }

// answer pushes the result of a service that gives nothing but a status.
func (g *guest) answer(l *glua.LState, st abi.Status, ok bool) int {
	g.must(l, ok)
	if st == abi.StatusOK {
		l.Push(glua.LTrue)
		return 1
	}
	return refuse(l, st)
}

func refuse(l *glua.LState, st abi.Status) int {
	l.Push(glua.LNil)
	l.Push(glua.LString(script.StatusName(st)))
	return 2
}

// argument is argument n as JSON; nil when it is absent. A value that has no JSON
// form is an error in the script, and raised as one.
func (g *guest) argument(l *glua.LState, n int) []byte {
	v := l.Get(n)
	if v == glua.LNil {
		return nil
	}
	p, err := g.encode(v, g.Session.Limits().EffectBytes)
	g.must(l, g.Stopped() == nil)
	if errors.Is(err, errTooLong) {
		l.ArgError(n, "is longer than the limit of effects")
	}
	if err != nil {
		l.ArgError(n, err.Error())
	}
	return p
}

func hostEmit(g *guest, l *glua.LState) int {
	st, ok := g.Emit(l.CheckString(1), g.argument(l, 2))
	return g.answer(l, st, ok)
}

func hostNotify(g *guest, l *glua.LState) int {
	topic := l.CheckString(1)
	data := g.argument(l, 2)
	if data == nil {
		data = []byte("null")
	}
	st, ok := g.Notify(topic, data)
	return g.answer(l, st, ok)
}

func hostNow(g *guest, l *glua.LState) int {
	t, st, ok := g.Now()
	g.must(l, ok)
	if st != abi.StatusOK {
		return refuse(l, st)
	}
	l.Push(glua.LNumber(t.UnixMilli()))
	return 1
}

func hostRandom(g *guest, l *glua.LState) int {
	p, st, ok := g.Random(l.CheckInt(1))
	g.must(l, ok)
	if st != abi.StatusOK {
		return refuse(l, st)
	}
	g.must(l, g.text(len(p)))
	l.Push(glua.LString(p))
	return 1
}

// hostArray marks a table as a list, for the JSON of an empty one.
func hostArray(g *guest, l *glua.LState) int {
	tb := l.OptTable(1, nil)
	if tb == nil {
		g.must(l, g.Alloc(tableBytes))
		tb = &glua.LTable{}
	}
	tb.Metatable = g.arrays
	l.Push(tb)
	return 1
}

// hostLog takes a message, or a level and a message.
func hostLog(g *guest, l *glua.LState) int {
	if l.GetTop() < 2 {
		return g.log(l, sandbox.LogInfo, 1)
	}
	level, ok := script.ParseLevel(l.CheckString(1))
	if !ok {
		l.ArgError(1, "the level is debug, info, warn or error")
	}
	return g.log(l, level, 2)
}

func (g *guest) log(l *glua.LState, level sandbox.LogLevel, n int) int {
	l.CheckAny(n)
	g.must(l, g.Log(level, g.tostring(l, l.Get(n))))
	return 0
}

// ending makes rhost.fail and its like, which end the call at once: neither
// pcall nor a coroutine keeps it running.
func ending(result abi.Result) native {
	return func(g *guest, l *glua.LState) int {
		msg := ""
		if l.GetTop() > 0 {
			msg = g.tostring(l, l.Get(1))
		}
		g.End(result, msg)
		g.raise(l)
		return 0
	}
}

func stateGet(g *guest, l *glua.LState) int {
	raw, version, st, ok := g.StateGet(l.CheckString(1))
	g.must(l, ok)
	if st != abi.StatusOK {
		return refuse(l, st)
	}
	v, err := g.decode(raw)
	g.must(l, g.Stopped() == nil)
	if err != nil {
		l.RaiseError("the value of %s: %s", l.CheckString(1), err.Error())
	}
	l.Push(v)
	l.Push(glua.LNumber(version))
	return 2
}

func stateSet(g *guest, l *glua.LState) int {
	st, ok := g.StateSet(l.CheckString(1), g.argument(l, 2))
	return g.answer(l, st, ok)
}

func stateCAS(g *guest, l *glua.LState) int {
	key, version := l.CheckString(1), l.CheckNumber(2)
	if version < 0 {
		l.ArgError(2, "a version is not negative")
	}
	st, ok := g.StateCAS(key, uint64(version), g.argument(l, 3))
	return g.answer(l, st, ok)
}

func stateDelete(g *guest, l *glua.LState) int {
	st, ok := g.StateSet(l.CheckString(1), nil)
	return g.answer(l, st, ok)
}
