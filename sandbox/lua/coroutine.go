package lua

import (
	glua "github.com/yuin/gopher-lua"
)

func (lib *library) coroutineLib() {
	lib.open("coroutine")
	lib.add("coroutine", "create", coCreate)
	lib.add("coroutine", "resume", coResume)
	lib.add("coroutine", "wrap", coWrap)
	lib.add("coroutine", "yield", coYield)
	lib.borrow("coroutine", "status")
	lib.borrow("coroutine", "running")
}

// coroutineBytes is what a thread takes before it has called anything.
const coroutineBytes = 24 << 10

//nolint:gochecknoglobals // functions of gopher-lua, found once
var (
	create = borrowed("coroutine", "create")
	resume = borrowed("coroutine", "resume")
	wrapCo = borrowed("coroutine", "wrap")
	yield  = borrowed("coroutine", "yield")
)

func coCreate(g *guest, l *glua.LState) int {
	l.CheckFunction(1)
	g.must(l, g.Alloc(coroutineBytes))
	n := create(l)
	g.adopt(l.ToThread(-1))
	return n
}

// adopt puts a new thread under the meter of its guest. The interpreter has
// wrapped the parent's context for it, which would run unmetered.
func (g *guest) adopt(l *glua.LState) {
	t := &thread{guest: g, l: l, mark: regInitial}
	t.cur, t.reg = g.offsets.viewThread(l)
	l.SetContext(t)
}

// coYield refuses to leave a native that called back into the script: nothing
// could go on inside it later.
func coYield(_ *guest, l *glua.LState) int {
	if t, ok := l.Context().(*thread); ok {
		for cf := (*t.cur).Parent; cf != nil; cf = cf.Parent {
			if cf.Fn.IsG {
				l.RaiseError("attempt to yield across a C-call boundary")
			}
		}
	}
	return yield(l)
}

// coResume runs a thread inside this one: on the stack of the process, which is
// why they cannot be nested as deep as calls.
func coResume(g *guest, l *glua.LState) int {
	l.CheckThread(1)
	return g.enter(l, resume)
}

func (g *guest) enter(l *glua.LState, f glua.LGFunction) int {
	if g.nesting >= maxCoroutines {
		l.RaiseError("coroutines are nested deeper than %d", maxCoroutines)
	}
	g.nesting++
	defer func() { g.nesting-- }()
	n := f(l)
	g.must(l, g.Stopped() == nil)
	return n
}

// coWrap gives a function that resumes a thread. gopher-lua's own wrapper is
// kept as the inner one: it knows that errors go on to the caller.
func coWrap(g *guest, l *glua.LState) int {
	l.CheckFunction(1)
	g.must(l, g.Alloc(coroutineBytes))
	wrapCo(l)
	inner, ok := l.Get(-1).(*glua.LFunction)
	if !ok {
		panic("lua: coroutine.wrap gave no function")
	}
	th := inner.Upvalues[0].Value()
	g.adopt(th.(*glua.LState)) //nolint:errcheck,forcetypeassert // as gopher-lua made it
	l.Push(l.NewClosure(wrap(func(g *guest, l *glua.LState) int { return g.enter(l, inner.GFunction) }), th))
	return 1
}
