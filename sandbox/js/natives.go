package js

import (
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// The functions of the language that can do much work in one step are put in
// place again, with a price. Making all of them takes longer than a small call,
// so a call begins with those whose names stand in its script; the others follow
// when a computed name might lead to them (guest.key). A script that can rebind
// the globals that the functions are found through begins with all of them.

// maxNameLength is the length of the longest name in patches.
const maxNameLength = 32

// patch puts one function in place.
type patch struct {
	owner string // a global, such as Array
	proto bool   // the function belongs to its prototype
	name  string
	make  func(g *guest, original native) native
}

// patchTable lists the functions by the name that reaches them. An engine keeps
// one.
func patchTable() map[string][]patch {
	all := make(map[string][]patch)
	for _, list := range [][]patch{arrayPatches(), stringPatches(), objectPatches(), regexPatches()} {
		for _, p := range list {
			all[p.name] = append(all[p.name], p)
		}
	}
	return all
}

// always are the functions that a script reaches without a name.
func always() []string { return []string{"join"} }

// constructorName leads from any object to what made it.
const constructorName = "constructor"

// reflective are the names of functions that find others by any name.
func reflective() []string {
	return []string{
		"getOwnPropertyDescriptor", "getOwnPropertyDescriptors", "getOwnPropertyNames",
		"getOwnPropertySymbols", "ownKeys", "__lookupGetter__", "__lookupSetter__",
	}
}

// forbidden are the globals that a script does not get: those that make code out
// of text, those that the host cannot charge for, and those that would show it
// the inside of the interpreter.
func forbidden() []string {
	return []string{
		"eval", "Function", "GoError", "Proxy", "Reflect", "BigInt", "ArrayBuffer", "DataView",
		"Uint8Array", "Uint8ClampedArray", "Int8Array", "Uint16Array", "Int16Array", "Uint32Array", "Int32Array",
		"Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
	}
}

// owners are the globals that functions are found through.
func owners() []string {
	return []string{"Array", "String", "Object", "RegExp", "Map", "Set", "WeakMap", "WeakSet", "Promise", "JSON", "Date", "Symbol"}
}

// plan is what a script needs in place when it begins.
type plan struct {
	remove []string // globals
	reach  []string // names
	all    bool
	// symbols is set when the script can name the functions under symbols.
	symbols bool
	// rhost and console are set when the script can name those objects.
	rhost, console bool
}

// planFor works out the plan from the words of a script.
func planFor(f *facts, patches map[string][]patch) plan {
	var p plan
	for _, name := range owners() {
		p.all = p.all || f.bound[name]
	}
	p.all = p.all || f.idents["globalThis"] || slices.ContainsFunc(reflective(), func(n string) bool { return f.names[n] })
	for _, name := range forbidden() {
		if p.all || f.idents[name] {
			p.remove = append(p.remove, name)
		}
	}
	p.symbols = p.all || f.idents["Symbol"]
	p.rhost, p.console = p.all || f.idents["rhost"], p.all || f.idents["console"]
	p.reach = always()
	for _, name := range slices.Sorted(maps.Keys(f.names)) {
		if patches[name] != nil || name == constructorName {
			p.reach = append(p.reach, name)
		}
	}
	// The constructors take in what the functions would have to be paid for.
	for owner, name := range map[string]string{"Map": "set", "Set": "add", "WeakMap": "set", "WeakSet": "add"} {
		if f.idents[owner] {
			p.reach = append(p.reach, name)
		}
	}
	if f.idents["RegExp"] || f.idents["Array"] {
		p.reach = append(p.reach, constructorName)
	}
	return p
}

// prepare brings a fresh runtime into the state that a script begins in.
func (g *guest) prepare(p plan) {
	patches := g.module.engine.patches
	g.pending = make(map[string]bool, len(patches)+1)
	for name := range patches {
		g.pending[name] = true
	}
	g.pending[constructorName] = true
	if p.all {
		g.reachAll()
	}
	if p.symbols {
		g.patchSymbols()
	}
	for _, name := range p.reach {
		g.reach(name)
	}
	global := g.vm.GlobalObject()
	for _, name := range p.remove {
		if err := global.Delete(name); err != nil {
			panic(err)
		}
	}
}

// reach puts the functions of a name in place, once.
func (g *guest) reach(name string) {
	if !g.pending[name] {
		if slices.Contains(reflective(), name) {
			g.reachAll()
		}
		return
	}
	delete(g.pending, name)
	if name == constructorName {
		g.removeConstructors()
	}
	for _, p := range g.module.engine.patches[name] {
		g.patch(p)
	}
}

// reachAll puts every function in place.
func (g *guest) reachAll() {
	for _, name := range slices.Sorted(maps.Keys(g.pending)) {
		g.reach(name)
	}
}

func (g *guest) patch(p patch) {
	owner := g.global(p.owner)
	if p.proto {
		owner = member(owner, "prototype")
	}
	if owner == nil {
		return
	}
	old, ok := owner.Get(p.name).(*goja.Object)
	if !ok {
		return // this version of the interpreter does not have it
	}
	original, ok := old.Export().(native)
	if !ok {
		return
	}
	g.define(owner, p.name, p.make(g, original))
}

// define puts a function of the host into an object, looking like one of the
// language's own.
func (g *guest) define(owner *goja.Object, name string, f native) {
	fn, ok := g.vm.ToValue(f).(*goja.Object)
	if !ok {
		panic("js: a function is no object")
	}
	check(fn.DefineDataProperty("name", g.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	check(owner.DefineDataProperty(name, fn, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// check is for definitions that can only fail if this package is wrong about
// the interpreter.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// rethrow passes an exception of the script on to it.
func rethrow(err error) {
	if err != nil {
		panic(err)
	}
}

func (g *guest) global(name string) *goja.Object {
	o, _ := g.vm.GlobalObject().Get(name).(*goja.Object)
	return o
}

func member(o *goja.Object, name string) *goja.Object {
	if o == nil {
		return nil
	}
	m, _ := o.Get(name).(*goja.Object)
	return m
}

// removeConstructors takes away the ways from a function to the one that makes
// functions out of text, and puts a price on the constructors that objects lead
// to.
func (g *guest) removeConstructors() {
	const probe = `[(function () {}), (function* () {}), (async function () {}), (async () => {})]`
	v, err := g.vm.RunString(probe)
	check(err)
	functions, ok := v.(*goja.Object)
	if !ok {
		panic("js: the probe gave no array")
	}
	for i := range 4 {
		fn := member(functions, string(rune('0'+i)))
		for proto := fn.Prototype(); proto != nil; proto = proto.Prototype() {
			if proto.ClassName() == "Object" && proto.Prototype() == nil {
				break // Object.prototype: its constructor makes no code
			}
			check(proto.Delete("constructor"))
		}
	}
	g.patchArrayConstructor()
	g.patchRegExpConstructor()
}

// replaceConstructor puts a constructor in the place of a global one, with the
// same prototype and the functions named.
func (g *guest) replaceConstructor(name string, build func(goja.ConstructorCall) *goja.Object, statics ...string) {
	old := g.global(name)
	ctor, ok := g.vm.ToValue(build).(*goja.Object)
	if !ok || old == nil {
		panic("js: there is no constructor " + name)
	}
	proto := member(old, "prototype")
	check(ctor.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE))
	check(ctor.DefineDataProperty("name", g.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	for _, s := range statics {
		check(ctor.DefineDataProperty(s, old.Get(s), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
	check(proto.DefineDataProperty("constructor", ctor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	check(g.vm.GlobalObject().DefineDataProperty(name, ctor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// arg is argument i, or undefined.
func arg(call goja.FunctionCall, i int) goja.Value {
	if i < len(call.Arguments) {
		return call.Arguments[i]
	}
	return goja.Undefined()
}

// call calls a function of the script or of the language.
func (g *guest) call(fn goja.Value, this goja.Value, args ...goja.Value) goja.Value {
	f, ok := goja.AssertFunction(fn)
	if !ok {
		g.throw("%s is not a function", kindOf(fn))
	}
	v, err := f(this, args...)
	rethrow(err)
	return v
}

// kindOf names a value in the text of an error.
func kindOf(v goja.Value) string {
	switch v := v.(type) {
	case *goja.Object:
		return "an object"
	case *goja.Symbol:
		return "a symbol"
	default:
		if s := v.String(); len(s) <= 40 {
			return s
		}
		return "the value"
	}
}
