package js

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/sandbox"
)

// arrayPatches are the functions of arrays. They work on true arrays, whose
// length cannot lie; for anything else with a length, the functions that only
// read work on a copy, and the others refuse.
func arrayPatches() []patch {
	var list []patch
	add := func(build func(g *guest, original native) native, names ...string) {
		for _, name := range names {
			list = append(list, patch{"Array", true, name, build})
		}
	}
	add(reading(0), "every", "find", "findIndex", "findLast", "findLastIndex", "forEach",
		"includes", "indexOf", "lastIndexOf", "reduce", "reduceRight", "some")
	add(reading(itemBytes), "entries", "filter", "flatMap", "keys", "map", "slice", "toReversed", "toSpliced", "values", "with")
	add(writing, "copyWithin", "fill", "reverse", "shift")
	add(adding, "push", "splice", "unshift")
	add(sorting, "sort", "toSorted")
	add(func(g *guest, _ native) native { return g.concat }, "concat")
	add(func(g *guest, _ native) native { return g.flat }, "flat")
	add(func(g *guest, _ native) native { return g.join }, "join")
	add(func(g *guest, _ native) native {
		return func(call goja.FunctionCall) goja.Value { return g.join(goja.FunctionCall{This: call.This}) }
	}, "toLocaleString")
	return append(list, patch{"Array", false, "from", arrayFrom})
}

// array is a function's this as a true array: itself, or a copy of it.
func (g *guest) array(this goja.Value) (*goja.Object, int64) {
	if n, ok := g.arrayLength(this); ok {
		return this.ToObject(g.vm), n
	}
	if goja.IsUndefined(this) || goja.IsNull(this) {
		g.throw("Cannot convert undefined or null to object")
	}
	o := this.ToObject(g.vm)
	n := max(o.Get("length").ToInteger(), 0)
	g.must(g.Spend(n) && g.Alloc(n*itemBytes))
	items := make([]any, n)
	for i := range items {
		items[i] = o.Get(strconv.Itoa(i))
	}
	return g.vm.NewArray(items...), n
}

// own is this as a true array that may be changed.
func (g *guest) own(this goja.Value) (*goja.Object, int64) {
	n, ok := g.arrayLength(this)
	if !ok {
		g.throw("this function changes arrays, and its object is none")
	}
	return this.ToObject(g.vm), n
}

// reading is for functions that go through the array once and keep perItem bytes
// of each item.
func reading(perItem int64) func(g *guest, original native) native {
	return func(g *guest, original native) native {
		return func(call goja.FunctionCall) goja.Value {
			o, n := g.array(call.This)
			g.must(g.Spend(n+1) && g.Alloc(n*perItem+int64(len(call.Arguments))*itemBytes+arrayBytes))
			return original(goja.FunctionCall{This: o, Arguments: call.Arguments})
		}
	}
}

// writing is for functions that move the items of an array.
func writing(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		_, n := g.own(call.This)
		g.must(g.Spend(n/4 + 1))
		return original(call)
	}
}

// adding is for functions that make an array longer.
func adding(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		o, n := g.own(call.This)
		more := int64(len(call.Arguments))
		g.must(g.Spend(more+1) && g.Alloc(more*2*itemBytes))
		v := original(call)
		// An array that was given its length ahead takes its items only now, all
		// at once; and splice gives those that it took away.
		if cut, ok := g.arrayLength(v); ok {
			g.must(g.Spend(n/4+cut) && g.Alloc(cut*itemBytes+arrayBytes))
		}
		if n > 0 && n < maxDense && more > 0 && goja.IsUndefined(o.Get(strconv.FormatInt(n-1, 10))) {
			g.must(g.Alloc(n * itemBytes))
		}
		return v
	}
}

// sorting is for functions that compare the items.
func sorting(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		o, n := g.own(call.This)
		log := int64(bits.Len64(uint64(n))) //nolint:gosec // a length is not negative
		cost := 2 * n * log
		if goja.IsUndefined(arg(call, 0)) && n > 1 {
			longest := int64(0)
			g.must(g.Spend(n))
			for i := range n {
				if s, ok := o.Get(strconv.FormatInt(i, 10)).(goja.String); ok {
					longest = max(longest, int64(s.Length()))
				}
			}
			cost += n * log * (longest / 16)
		}
		g.must(g.Spend(cost) && g.Alloc(n*itemBytes))
		return original(call)
	}
}

func (g *guest) concat(call goja.FunctionCall) goja.Value {
	var out []any
	take := func(v goja.Value) {
		n, ok := g.arrayLength(v)
		if !ok {
			out = append(out, v)
			return
		}
		g.must(g.Spend(n) && g.Alloc(n*itemBytes))
		o := v.ToObject(g.vm)
		for i := range n {
			out = append(out, o.Get(strconv.FormatInt(i, 10)))
		}
	}
	g.must(g.Spend(1) && g.Alloc(arrayBytes))
	take(call.This)
	for _, a := range call.Arguments {
		take(a)
	}
	return g.vm.NewArray(out...)
}

// maxFlat is how deep flat follows arrays, whatever it is asked for.
const maxFlat = 100

func (g *guest) flat(call goja.FunctionCall) goja.Value {
	depth := int64(1)
	if d := arg(call, 0); !goja.IsUndefined(d) {
		depth = min(d.ToInteger(), maxFlat)
	}
	o, _ := g.array(call.This)
	var out []any
	var add func(o *goja.Object, depth int64)
	add = func(o *goja.Object, depth int64) {
		n, _ := g.arrayLength(o)
		g.must(g.Spend(n+1) && g.Alloc(n*itemBytes))
		for i := range n {
			v := o.Get(strconv.FormatInt(i, 10))
			if _, nested := g.arrayLength(v); nested && depth > 0 {
				add(v.ToObject(g.vm), depth-1)
			} else if v != nil {
				out = append(out, v)
			}
		}
	}
	add(o, depth)
	return g.vm.NewArray(out...)
}

// maxJoin is how deep arrays may be nested to be turned into text.
const maxJoin = 200

// join is how arrays become text, asked for or not. An array inside itself
// becomes an empty text, as everywhere.
func (g *guest) join(call goja.FunctionCall) goja.Value {
	o, n := g.array(call.This)
	if slices.Contains(g.joining, o) {
		return g.vm.ToValue("")
	}
	if len(g.joining) >= maxJoin {
		g.Fail(sandbox.FaultStack, errNested)
		g.halt()
	}
	sep := asString(g.vm.ToValue(","))
	if s := arg(call, 0); !goja.IsUndefined(s) {
		sep = g.toString(s)
	}
	g.joining = append(g.joining, o)
	defer func() { g.joining = g.joining[:len(g.joining)-1] }()
	var b goja.StringBuilder
	total := int64(0)
	for i := range n {
		g.must(g.Spend(1))
		if i > 0 {
			total += int64(sep.Length())
			b.WriteString(sep)
		}
		v := o.Get(strconv.FormatInt(i, 10))
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			continue
		}
		s, ok := v.(goja.String)
		if !ok {
			s = g.toString(v)
		}
		if total += int64(s.Length()); total > 1<<16 {
			g.newText(total / 16) // so that the text is paid for as it grows
		}
		b.WriteString(s)
	}
	g.newText(total)
	return b.String()
}

func asString(v goja.Value) goja.String {
	s, ok := v.(goja.String)
	if !ok {
		panic("js: a string is none")
	}
	return s
}

// arrayFrom takes arrays, strings, maps, sets and other iterables as the
// language does, and anything else with a length by copying it.
func arrayFrom(g *guest, original native) native {
	return func(call goja.FunctionCall) goja.Value {
		v := arg(call, 0)
		if _, ok := goja.AssertConstructor(call.This); !ok {
			call.This = g.global("Array")
		}
		o, ok := v.(*goja.Object)
		if !ok || !goja.IsUndefined(valueOr(o.GetSymbol(goja.SymIterator))) {
			n := g.countItems(v)
			g.must(g.Spend(n+1) && g.Alloc(n*itemBytes+arrayBytes))
			out := original(call)
			n, _ = g.arrayLength(out)
			g.must(g.Alloc(n * itemBytes))
			return out
		}
		copied, _ := g.array(o)
		call.Arguments = append([]goja.Value{copied}, call.Arguments[1:]...)
		return original(call)
	}
}

func valueOr(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

// patchArrayConstructor puts a price on arrays that are given a length.
func (g *guest) patchArrayConstructor() {
	old, ok := goja.AssertConstructor(g.global("Array"))
	if !ok {
		panic("js: Array is no constructor")
	}
	g.replaceConstructor("Array", func(call goja.ConstructorCall) *goja.Object {
		n := int64(len(call.Arguments))
		if n == 1 {
			if size, isNumber := call.Arguments[0].Export().(int64); isNumber {
				n = max(min(size, maxDense), 0)
			}
		}
		g.must(g.Spend(1) && g.Alloc(arrayBytes+n*itemBytes))
		o, err := old(call.NewTarget, call.Arguments...)
		rethrow(err)
		return o
	}, "from", "isArray", "of")
}
