package js

import (
	"math"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/sandbox/script"
)

// stringPatches are the functions of strings. Each first turns its object and
// the arguments that it charges for into strings and numbers, and passes those
// on: a value that answers differently when it is asked again gains nothing.
func stringPatches() []patch {
	var list []patch
	add := func(build func(g *guest, original native) native, names ...string) {
		for _, name := range names {
			list = append(list, patch{"String", true, name, build})
		}
	}
	add(searching, "endsWith", "includes", "indexOf", "lastIndexOf", "startsWith")
	add(mapping, "normalize", "toLocaleLowerCase", "toLocaleUpperCase", "toLowerCase", "toUpperCase")
	add(cutting, "slice", "substr", "substring", "trim", "trimEnd", "trimLeft", "trimRight", "trimStart")
	add(padding, "padEnd", "padStart")
	add(repeating, "repeat")
	add(collating, "localeCompare")
	add(func(g *guest, _ native) native { return g.concatText }, "concat")
	return append(list,
		patch{"String", false, "raw", func(g *guest, _ native) native {
			return func(goja.FunctionCall) goja.Value {
				g.throw("String.raw is not supported")
				return nil
			}
		}},
		patch{"String", false, "fromCharCode", fromCodes},
		patch{"String", false, "fromCodePoint", fromCodes},
	)
}

// this is a function's object as a string.
func (g *guest) this(call goja.FunctionCall) goja.String {
	if s, ok := call.This.(goja.String); ok {
		return s
	}
	if goja.IsUndefined(call.This) || goja.IsNull(call.This) {
		g.throw("a function of strings was called on %s", call.This.String())
	}
	return g.toString(call.This)
}

func searching(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s := g.this(call)
		g.must(g.Spend(int64(s.Length())/16 + 1))
		call.This = s
		return original(call)
	}
}

func collating(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s, t := g.this(call), g.toString(arg(call, 0))
		g.must(g.Spend(int64(s.Length()+t.Length()) + 1))
		return original(goja.FunctionCall{This: s, Arguments: []goja.Value{t}})
	}
}

func mapping(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s := g.this(call)
		g.newText(int64(s.Length()))
		call.This = s
		v := original(call)
		if t, ok := v.(goja.String); ok && t.Length() > s.Length() {
			g.newText(int64(t.Length()))
		}
		return v
	}
}

// cutting is for functions that give a part of a string, most often without
// copying it.
func cutting(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		call.This = g.this(call)
		v := original(call)
		if t, ok := v.(goja.String); ok {
			g.must(g.Spend(int64(t.Length())/64+1) && g.Alloc(textBytes+int64(t.Length())/8))
		}
		return v
	}
}

func padding(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s, n := g.this(call), arg(call, 0).ToInteger()
		args := []goja.Value{g.vm.ToValue(n)}
		if pad := arg(call, 1); !goja.IsUndefined(pad) {
			args = append(args, g.toString(pad))
		}
		if n > int64(s.Length()) {
			g.newText(n)
		}
		return original(goja.FunctionCall{This: s, Arguments: args})
	}
}

func repeating(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		s, n := g.this(call), arg(call, 0).ToNumber().ToFloat()
		if total := n * float64(s.Length()); total > 0 {
			g.newText(int64(math.Min(total, script.MaxText+1)))
		}
		return original(goja.FunctionCall{This: s, Arguments: []goja.Value{g.vm.ToValue(n)}})
	}
}

func (g *guest) concatText(call goja.FunctionCall) goja.Value {
	s := g.this(call)
	total := int64(s.Length())
	for _, a := range call.Arguments {
		t := g.toString(a)
		total += int64(t.Length())
		g.newText(total)
		s = s.Concat(t)
	}
	return s
}

func fromCodes(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		g.newText(int64(len(call.Arguments)))
		return original(call)
	}
}
