package lua

import (
	"regexp"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

const (
	maxCoroutines = 64   // nested inside one another
	maxInside     = 200  // natives that call back, inside one another, as in Lua 5.1
	maxValues     = 8000 // values that one native pushes
	nativeFuel    = 4    // every native costs this much at least
)

// guest is the state of one call, shared by all its threads.
type guest struct {
	*script.Host
	offsets    offsets
	main       *glua.LState
	stackLimit int // slots
	maxFrames  int
	nesting    int                 // coroutines resumed inside one another
	inside     int                 // natives that called back into the script, inside one another
	invoking   bool                // the main chunk has run
	where      string              // function and line at which the call was stopped or failed
	place      string              // the line alone
	names      map[glua.LValue]int // numbers that stand in for addresses
	arrays     *glua.LTable        // metatable of values that are JSON arrays
	null       *glua.LUserData     // JSON null inside an array
	rng        *rng
}

// native is a function of the standard library, written for a metered guest.
type native func(g *guest, l *glua.LState) int

// wrap makes a function that the interpreter can call. Every entry is charged
// and checked: nothing runs once a call has been stopped.
func wrap(f native) glua.LGFunction {
	return func(l *glua.LState) int {
		t, ok := l.Context().(*thread)
		if !ok {
			panic("lua: a native runs outside a metered thread")
		}
		g := t.guest
		ok = g.Spend(nativeFuel)
		if cf := *t.cur; ok && (cf.LocalBase >= t.mark || cf.Idx >= t.maxFrames) {
			ok = t.deep(cf)
		}
		if !ok {
			g.raise(l)
		}
		return f(g, l)
	}
}

// plain adapts a function of gopher-lua that needs no more than the flat price.
func plain(f glua.LGFunction) native {
	return func(_ *guest, l *glua.LState) int { return f(l) }
}

// raise unwinds a thread after its call was stopped. Whatever catches the error
// runs into the stop again at its next instruction. The error is made by hand:
// the interpreter would write a trace of the stack into it, for every function
// that catches it.
func (g *guest) raise(l *glua.LState) {
	g.noteWhere(l)
	panic(&glua.ApiError{Type: glua.ApiErrorRun, Object: glua.LString(script.ErrStopped.Error()), StackTrace: "none"})
}

// callBack calls the function under nargs arguments from a native. Such calls
// nest on the stack of the process, so they are bounded more closely than
// others.
func (g *guest) callBack(l *glua.LState, nargs, nret int) {
	g.into(l)
	defer g.out()
	l.Call(nargs, nret)
}

func (g *guest) into(l *glua.LState) {
	if g.inside >= maxInside {
		g.Fail(sandbox.FaultStack, textError("functions of the library call back into the script, deeper than 200 levels"))
		g.raise(l)
	}
	g.inside++
}

func (g *guest) out() { g.inside-- }

// must unwinds the thread when a charge was refused.
func (g *guest) must(l *glua.LState, ok bool) {
	if !ok {
		g.raise(l)
	}
}

// room makes sure that n more values may be pushed.
func (g *guest) room(l *glua.LState, n int) {
	if n > maxValues {
		l.RaiseError("too many values: %d, and a function gives at most %d", n, maxValues)
	}
	t, ok := l.Context().(*thread)
	if need := t.reg.top + n; ok && need >= t.mark {
		ok = t.grow(need)
	}
	g.must(l, ok && g.Spend(int64(n)))
}

// noteWhere remembers the innermost Lua function that is running.
func (g *guest) noteWhere(l *glua.LState) {
	if g.where != "" {
		return
	}
	for level := range 16 {
		dbg, ok := l.GetStack(level)
		if !ok {
			return
		}
		if _, err := l.GetInfo("nSl", dbg, glua.LNil); err != nil || dbg.CurrentLine <= 0 {
			continue
		}
		g.place = dbg.Source + ":" + strconv.Itoa(dbg.CurrentLine)
		g.where = g.place
		switch name := dbg.Name; {
		case name == "main chunk" && g.invoking:
			g.where = "invoke (" + g.place + ")"
		case isName(name):
			g.where = name + " (" + g.place + ")"
		}
		return
	}
}

// traceLine is a Lua function in the trace that the interpreter writes for an
// error: file, line and, unless it has none, name.
var traceLine = regexp.MustCompile(`(?m)^\s+([^\[\s][^:]*:\d+): in (?:function '([^']*)')?`)

// readTrace is noteWhere for an error whose stack is gone.
func (g *guest) readTrace(trace string) {
	found := traceLine.FindStringSubmatch(trace)
	if g.where != "" || found == nil {
		return
	}
	g.place = found[1]
	g.where = g.place
	switch {
	case isName(found[2]):
		g.where = found[2] + " (" + g.place + ")"
	case g.invoking && found[2] == "":
		g.where = "invoke (" + g.place + ")"
	}
}

// isName tells the names that a script gives to functions from what the
// interpreter calls those without one.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && !isDigit(c) && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return s != "" && s != "corountine" // as gopher-lua spells it
}

// address matches what gopher-lua prints for a value that has no text.
var address = regexp.MustCompile(`\b(table|function|thread|userdata): 0x[0-9a-f]+`)

// scrub removes addresses from the text of an error: they would differ from run
// to run, and tell a guest where the host keeps things.
func scrub(msg string) string {
	if !strings.Contains(msg, ": 0x") {
		return msg
	}
	return address.ReplaceAllString(msg, "$1")
}

// name is what tostring shows for a value that has no text: its kind and a
// number that counts such values in the order they were first shown.
func (g *guest) name(v glua.LValue) string {
	if v == glua.LValue(g.null) {
		return "null"
	}
	n, ok := g.names[v]
	if !ok {
		if g.names == nil {
			g.names = make(map[glua.LValue]int)
		}
		n = len(g.names) + 1
		g.names[v] = n
	}
	return v.Type().String() + ": " + strconv.Itoa(n)
}

// errorText is the text of an error that nothing caught.
func (g *guest) errorText(v glua.LValue) string {
	switch v := v.(type) {
	case glua.LString:
		return scrub(string(v))
	case glua.LNumber, glua.LBool:
		return v.String()
	case *glua.LTable:
		if msg, ok := v.RawGetString("message").(glua.LString); ok {
			return scrub(string(msg))
		}
	}
	return "an error value of type " + v.Type().String()
}

// overflow reports whether an error is the interpreter's own word for a stack
// that is full, which a native can run into between two looks of the meter.
func overflow(msg string) bool {
	return strings.HasSuffix(msg, "stack overflow") || strings.HasSuffix(msg, "registry overflow")
}

// trap turns an error that nothing caught into what the call ends with.
func (g *guest) trap(err error) error {
	apiErr, ok := err.(*glua.ApiError) //nolint:errorlint // PCall returns this type, unwrapped
	if !ok {
		return err
	}
	g.readTrace(apiErr.StackTrace)
	msg := g.errorText(apiErr.Object)
	if overflow(msg) {
		g.Fail(sandbox.FaultStack, errStack)
	}
	return textError(strings.TrimPrefix(msg, g.place+": ")) // where says it already
}

// textError is an error that is its own text.
type textError string

func (e textError) Error() string { return string(e) }

const errStack = textError("calls are nested too deep")
