package js

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// guest is the state of one call.
type guest struct {
	*script.Host
	vm      *goja.Runtime
	module  *module
	where   string
	frames  []goja.StackFrame // scratch
	joining []*goja.Object    // arrays being turned into text
	inside  int               // generators that go on inside one another
	rng     *rand.Rand

	pending  map[string]bool // names whose functions are still the interpreter's own
	added    int64           // entries ever put into maps and sets
	rx       *matcher        // nil until it is needed
	weight   int64           // of the heaviest regular expression so far
	callback time.Duration   // spent in functions of the script inside the regular expression that runs
}

// halted is what a native panics with to end a call. The interpreter lets a
// panic it does not know run through every catch and finally.
type halted struct{}

// halt ends the call at once.
func (g *guest) halt() {
	g.noteWhere()
	panic(halted{})
}

// must ends the call when a charge was refused.
func (g *guest) must(ok bool) {
	if !ok {
		g.halt()
	}
}

// noteWhere remembers the innermost function of the script that is running.
func (g *guest) noteWhere() {
	if g.where != "" {
		return
	}
	g.where = placeIn(g.vm.CaptureCallStack(0, nil), g.module.file)
}

// placeIn gives the first place of a stack that lies in the script.
func placeIn(stack []goja.StackFrame, file string) string {
	for i := range stack {
		f := &stack[i]
		if f.SrcName() != file {
			continue
		}
		place := fmt.Sprintf("%s:%d", file, f.Position().Line)
		if name := f.FuncName(); name != "" && name != "<anonymous>" {
			return name + " (" + place + ")"
		}
		return place
	}
	return ""
}

// native is a function for scripts.
type native = func(goja.FunctionCall) goja.Value

// hiddenFunctions are the arguments of a rewritten script, in the order of
// hidden.
func (g *guest) hiddenFunctions() []goja.Value {
	fns := []native{g.charge, g.text, g.str, g.key, g.write, g.length, g.items, g.fields, g.rest, g.inner}
	out := make([]goja.Value, len(fns))
	for i, f := range fns {
		out[i] = g.vm.ToValue(f)
	}
	return out
}

func (g *guest) charge(call goja.FunctionCall) goja.Value {
	reg := &g.module.regions[call.Arguments[0].ToInteger()]
	if !g.Spend(reg.fuel) || !g.Alloc(reg.bytes) {
		g.halt()
	}
	if reg.deep {
		g.frames = g.vm.CaptureCallStack(0, g.frames[:0])
		n := int64(len(g.frames))
		g.must(g.Spend(n/4) && g.Alloc(n*frameBytes))
	}
	return nil
}

// newText pays for a string of n characters that is there or about to be.
func (g *guest) newText(n int64) {
	if n > script.MaxText {
		g.Fail(sandbox.FaultMemory, fmt.Errorf("asked for a string of more than %d characters", script.MaxText))
		g.halt()
	}
	g.must(g.Spend(n/16) && g.Alloc(n+textBytes))
}

func (g *guest) text(call goja.FunctionCall) goja.Value {
	v := call.Arguments[0]
	if s, ok := v.(goja.String); ok {
		g.newText(int64(s.Length()))
	}
	return v
}

func (g *guest) str(call goja.FunctionCall) goja.Value { return g.toString(call.Arguments[0]) }

// toString is the text of a value, paid for.
func (g *guest) toString(v goja.Value) goja.String {
	if o, ok := v.(*goja.Object); ok {
		v = o.ToString() // a primitive value, not always a string
	}
	if sym, ok := v.(*goja.Symbol); ok {
		g.throw("Cannot convert a Symbol value to a string: %s", sym.String())
	}
	s, ok := v.(goja.String)
	if !ok {
		s = asString(g.vm.ToValue(v.String()))
	}
	g.newText(int64(s.Length()))
	return s
}

// key sees the names of properties that are computed. The charged versions of
// the functions that a script does not name are put in place when a computed
// name might lead to them.
func (g *guest) key(call goja.FunctionCall) goja.Value {
	v := call.Arguments[0]
	if len(g.pending) == 0 {
		return v
	}
	switch k := v.(type) {
	case goja.String:
		if k.Length() <= maxNameLength {
			g.reach(k.String())
		}
	case *goja.Symbol:
		if k != goja.SymIterator {
			g.reachAll()
		}
	case *goja.Object:
		g.reachAll() // its text is computed when it is used
	}
	return v
}

func (g *guest) write(call goja.FunctionCall) goja.Value {
	k := call.Arguments[1]
	switch k.(type) {
	case goja.String, *goja.Symbol, *goja.Object:
		g.must(g.Alloc(propertyBytes))
		return g.key(goja.FunctionCall{Arguments: call.Arguments[1:]})
	}
	i := k.ToInteger()
	if i < 0 {
		g.must(g.Alloc(propertyBytes))
		return k
	}
	have, known := g.arrayLength(call.Arguments[0])
	switch {
	case !known && call.Arguments[0] != goja.Null():
		g.must(g.Alloc(propertyBytes)) // an object
	case !known && i > itemBytes:
		g.must(g.Alloc(itemBytes * min(i, maxDense)))
	case i >= have:
		g.must(g.Alloc(2 * itemBytes * min(i-have+1, maxDense)))
	}
	return k
}

// arrayLength is the length of a true array, which no script can make lie.
func (g *guest) arrayLength(v goja.Value) (int64, bool) {
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() != "Array" {
		return 0, false
	}
	return o.Get("length").ToInteger(), true
}

func (g *guest) length(call goja.FunctionCall) goja.Value {
	v := call.Arguments[0]
	switch v.(type) {
	case *goja.Object, *goja.Symbol:
		g.must(g.Alloc(itemBytes * maxDense)) // its number is computed when it is used
	default:
		if f := v.ToFloat(); f > 0 && f <= math.MaxUint32 {
			g.must(g.Alloc(itemBytes * min(int64(f), maxDense)))
		}
	}
	return v
}

// items pays for what a value gives when it is gone through natively.
func (g *guest) items(call goja.FunctionCall) goja.Value {
	n := g.countItems(call.Arguments[0])
	g.must(g.Spend(n/2) && g.Alloc(n*itemBytes))
	return call.Arguments[0]
}

// countItems is how many items the interpreter takes from a value without
// running any of the script. Iterators of the script are paid for as they run.
func (g *guest) countItems(v goja.Value) int64 {
	switch v := v.(type) {
	case goja.String:
		return int64(v.Length())
	case *goja.Object:
		switch v.ClassName() {
		case "Array", "String":
			return v.Get("length").ToInteger()
		case "Arguments":
			return int64(len(v.Keys()))
		case "Map", "Set", "Map Iterator", "Set Iterator", "Array Iterator":
			return g.added
		}
	}
	return 0
}

func (g *guest) fields(call goja.FunctionCall) goja.Value {
	g.payFields(call.Arguments[0])
	return call.Arguments[0]
}

// payFields pays for a copy of the keys of a value.
func (g *guest) payFields(v goja.Value) {
	switch v := v.(type) {
	case goja.String:
		g.must(g.Spend(int64(v.Length())) && g.Alloc(propertyBytes*int64(v.Length())))
	case *goja.Object:
		if n, ok := g.arrayLength(v); ok {
			g.must(g.Spend(n))
		}
		n := int64(len(v.GetOwnPropertyNames()))
		g.must(g.Spend(n) && g.Alloc(propertyBytes*n))
	}
}

func (g *guest) rest(call goja.FunctionCall) goja.Value {
	for _, v := range call.Arguments {
		if n, ok := g.arrayLength(v); ok {
			g.must(g.Spend(n/4) && g.Alloc(n*itemBytes))
		} else {
			g.payFields(v)
		}
	}
	return call.Arguments[0]
}

// maxInside is how many generators may delegate to one another with yield*. The
// interpreter runs each inside the one before it, on the stack of the process
// and without counting.
const maxInside = 100

// inner stands between a generator and what it delegates to.
func (g *guest) inner(call goja.FunctionCall) goja.Value {
	from := call.Arguments[0]
	if goja.IsUndefined(from) || goja.IsNull(from) {
		g.throw("yield* needs something to go through")
	}
	source := g.call(valueOr(from.ToObject(g.vm).GetSymbol(goja.SymIterator)), from).ToObject(g.vm)
	it := g.vm.NewObject()
	for _, name := range []string{"next", "return", "throw"} {
		method := valueOr(source.Get(name))
		if _, ok := goja.AssertFunction(method); !ok {
			continue
		}
		check(it.Set(name, func(c goja.FunctionCall) goja.Value {
			if g.inside >= maxInside {
				g.Fail(sandbox.FaultStack, fmt.Errorf("generators delegate to one another deeper than %d levels", maxInside))
				g.halt()
			}
			g.inside++
			defer func() { g.inside-- }()
			g.must(g.Spend(4))
			return g.call(method, source, c.Arguments...)
		}))
	}
	check(it.SetSymbol(goja.SymIterator, func(c goja.FunctionCall) goja.Value { return c.This }))
	return it
}

// throw raises an error that the script can catch.
func (g *guest) throw(format string, args ...any) {
	panic(g.vm.NewTypeError(append([]any{format}, args...)...))
}

// random is the source of Math.random.
func (g *guest) random() float64 {
	if g.rng == nil {
		g.rng = rand.New(rand.NewPCG(g.Seed()))
	}
	return g.rng.Float64()
}

// placeInText is placeIn for the text of a stack.
func placeInText(stack goja.Value, file string) string {
	for line := range strings.SplitSeq(stack.String(), "\n") {
		name, at, ok := strings.Cut(strings.TrimSpace(line), file+":")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(at, ":")
		name = strings.Trim(strings.TrimPrefix(name, "at "), " (")
		if name == "" {
			return file + ":" + number
		}
		return name + " (" + file + ":" + number + ")"
	}
	return ""
}
