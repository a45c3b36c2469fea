package js

import (
	"strconv"

	"github.com/dop251/goja"
)

// objectPatches are the functions of objects, functions, collections and
// promises.
func objectPatches() []patch {
	var list []patch
	add := func(owner string, proto bool, build func(g *guest, original native) native, names ...string) {
		for _, name := range names {
			list = append(list, patch{owner, proto, name, build})
		}
	}
	add("Object", false, listing, "keys", "values", "entries", "getOwnPropertyNames", "getOwnPropertyDescriptors",
		"getOwnPropertySymbols", "freeze", "seal", "isFrozen", "isSealed", "preventExtensions")
	add("Object", false, assigning, "assign", "defineProperties", "defineProperty", "create")
	add("Object", false, gathering, "fromEntries", "groupBy")
	add("Function", true, func(g *guest, original native) native { return g.bind(original) }, "bind")
	add("Function", true, func(g *guest, _ native) native { return g.apply }, "apply")
	add("Map", true, collecting, "set")
	add("WeakMap", true, collecting, "set")
	add("Set", true, collecting, "add")
	add("WeakSet", true, collecting, "add")
	add("Map", true, going, "forEach", "entries", "keys", "values")
	add("Set", true, going, "forEach", "entries", "keys", "values", "union", "intersection", "difference",
		"symmetricDifference", "isDisjointFrom", "isSubsetOf", "isSupersetOf")
	add("Map", false, gathering, "groupBy")
	add("Promise", false, awaiting, "all", "allSettled", "any", "race", "resolve", "reject")
	add("Promise", true, awaiting, "then", "catch", "finally")
	add("JSON", false, func(g *guest, original native) native { return g.jsonParse(original) }, "parse")
	add("JSON", false, func(g *guest, _ native) native { return g.stringify }, "stringify")
	return list
}

// listing is for functions that go through the keys of one object.
func listing(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		g.payFields(arg(call, 0))
		return original(call)
	}
}

// assigning is for functions that copy keys into an object.
func assigning(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		g.must(g.Spend(2) && g.Alloc(objectBytes))
		if _, ok := g.arrayLength(arg(call, 0)); ok {
			g.must(g.Alloc(maxDense * itemBytes)) // a far index fills the array
		}
		for _, a := range call.Arguments[min(1, len(call.Arguments)):] {
			g.payFields(a)
		}
		return original(call)
	}
}

// gathering is for functions that make an object of the items of another.
func gathering(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		n := g.countItems(arg(call, 0))
		g.must(g.Spend(n+1) && g.Alloc(objectBytes+n*propertyBytes))
		v := original(call)
		g.payFields(v)
		return v
	}
}

// entryBytes is the price of an entry of a map or set.
const entryBytes = 96

func collecting(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		g.must(g.Spend(1) && g.Alloc(entryBytes))
		g.added++
		return original(call)
	}
}

// going is for functions that go through a collection.
func going(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		g.must(g.Spend(g.added+1) && g.Alloc(objectBytes))
		v := original(call)
		if o, ok := v.(*goja.Object); ok && o.ClassName() == "Set" {
			g.must(g.Alloc(g.added * entryBytes))
			g.added += g.added
		}
		return v
	}
}

func awaiting(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		n := 1 + g.countItems(arg(call, 0))
		g.must(g.Spend(n*promiseFuel) && g.Alloc(n*promiseBytes))
		return original(call)
	}
}

// maxArgs is how many arguments apply and bind pass on.
const maxArgs = 10_000

func (g *guest) apply(call goja.FunctionCall) goja.Value {
	var args []goja.Value
	if list := arg(call, 1); !goja.IsUndefined(list) && !goja.IsNull(list) {
		if _, ok := list.(*goja.Object); !ok {
			g.throw("the arguments of apply are a list")
		}
		o, n := g.array(list)
		if n > maxArgs {
			g.throw("too many arguments")
		}
		g.must(g.Spend(n) && g.Alloc(n*itemBytes))
		args = make([]goja.Value, n)
		for i := range args {
			args[i] = valueOr(o.Get(strconv.Itoa(i)))
		}
	}
	return g.call(call.This, arg(call, 0), args...)
}

// maxBound is how many arguments bind keeps. They are passed with every call of
// the function, which nobody is asked to pay for then.
const maxBound = 16

// boundBytes is the price of a bound function. It is far more than one takes:
// functions bound to bound functions are called inside one another, on a stack
// that nobody sees.
const boundBytes = 4 << 10

func (g *guest) bind(original native) native {
	return func(call goja.FunctionCall) goja.Value {
		if len(call.Arguments) > maxBound+1 {
			g.throw("at most %d arguments can be bound", maxBound)
		}
		g.must(g.Spend(4) && g.Alloc(boundBytes))
		return original(call)
	}
}
