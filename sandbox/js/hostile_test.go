package js_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
)

const (
	fuel     = sandbox.FaultFuel
	memory   = sandbox.FaultMemory
	stack    = sandbox.FaultStack
	trap     = sandbox.FaultTrap
	deadline = sandbox.FaultDeadline
	limit    = sandbox.FaultLimit
)

// attack is one line of the tables below: the body of invoke, and how its call
// ends.
type attack struct {
	name, body string
	kind       sandbox.FaultKind
}

// Little fuel keeps the tests short; no attack depends on how much there is.
func run(t *testing.T, list []attack) {
	t.Helper()
	runWith(t, sandbox.Limits{Fuel: 1_000_000, Memory: 4 << 20}, list)
}

func runWith(t *testing.T, lim sandbox.Limits, list []attack) {
	t.Helper()
	e := newEngine(t)
	t.Cleanup(func() { require.NoError(t, e.Close(t.Context())) })
	attacks := make([]sandboxtest.Attack, len(list))
	for i, a := range list {
		attacks[i] = sandboxtest.Attack{Name: a.name, Source: source(a.body)}
		if a.kind != "" {
			attacks[i].Kinds = []sandbox.FaultKind{a.kind}
		}
		if a.kind == deadline {
			attacks[i].Deadline = 50 * time.Millisecond
		}
	}
	sandboxtest.RunAttacks(t, e, lim, attacks)
}

func source(body string) sandbox.Source {
	return sandbox.Source{Name: "p", Bytes: []byte("export function invoke(call) {\n" + body + "\n}\n")}
}

func TestLoops(t *testing.T) {
	lim := sandbox.Limits{Fuel: 1_000_000, Memory: 4 << 20}
	if sandboxtest.Race {
		lim = sandbox.Limits{Fuel: 150_000, Memory: 512 << 10}
	}
	runWith(t, lim, []attack{
		{"in try and finally", `try { for (;;) {} } catch (e) { for (;;) {} } finally { for (;;) {} }`, fuel},
		{"without a block", `for (;;);`, fuel},
		{"while and do", `do while (true); while (true)`, fuel},
		{"in the head of a loop", `for (let i = 0; i >= 0; i = (() => { for (;;); })()) {}`, fuel},
		{"labelled", `a: for (;;) { for (;;) continue a }`, fuel},
		{"in a generator", `function* g() { for (;;) yield 1 } for (const x of g()) {}`, memory},
		{"in a generator that is spread", `function* g() { for (;;) yield 1 } return [...g()]`, memory},
		{"of promises", `const p = () => Promise.resolve().then(p); return p()`, memory},
		{"of async functions", `let f = async () => { await null; return f() }; return f()`, memory},
		{"in a getter", `const o = {get x() { for (;;); }}; return o.x`, fuel},
		{"in a class field", `class A { x = (() => { for (;;); })() } new A()`, fuel},
		{"in a static block", `class A { static { for (;;); } }`, fuel},
		{"in a default value", `const f = (a = (() => { for (;;); })()) => a; return f()`, fuel},
		{"in valueOf", `return +{valueOf() { for (;;); }}`, fuel},
		{"in toString of what is thrown", `throw {toString() { for (;;); }}`, fuel},
		{"in toJSON of what is returned", `return {toJSON() { for (;;); }}`, fuel},
		{"in an iterator", `for (const x of {[Symbol.iterator]() { return {next: () => ({done: false, value: "x".repeat(1000)})} }}) {}`, memory},
		{"in a comparison", `return [1, 2, 3].sort(() => { for (;;); })`, fuel},
		{"in a replacement", `return "x".replace("x", () => { for (;;); })`, fuel},
		{"outside invoke", `return 1 } for (;;) {} function f() {`, fuel},
		{"of functions that call each other", `const f = (n) => n ? f(n - 1) + f(n - 1) : 0; return f(60)`, fuel},
	})
	e := newEngine(t)
	sandboxtest.RunAttacks(t, e, sandbox.Limits{Fuel: 1 << 50, Memory: 1 << 40}, []sandboxtest.Attack{{
		Name: "until the time is up", Source: source(`try { for (;;) {} } finally { for (;;) {} }`),
		Kinds: []sandbox.FaultKind{deadline}, Deadline: 20 * time.Millisecond,
	}})
}

func TestRecursion(t *testing.T) {
	run(t, []attack{
		{"plain", `const f = (n) => 1 + f(n + 1); return f(1)`, stack},
		{"caught", `const f = () => { try { return f() } catch (e) { return f() } }; return f()`, stack},
		{"of getters", `const o = {get x() { return this.x }}; return o.x`, stack},
		{"of conversions", `const o = {toString() { return "" + o }}; return "" + o`, stack},
		{"of callbacks", `const f = () => [1].map(f); return f()`, stack},
		{"of replacements", `const f = () => "x".replace("x", f); return f()`, stack},
		{"of JSON", `const f = () => JSON.stringify({toJSON: f}); return f()`, stack},
		{"of generators", `function* g() { yield* g() } return [...g()]`, stack},
		{"of iterators", `const it = {[Symbol.iterator]() { return [...it] }}; return [...it]`, stack},
		{"of default values", `const f = (a = f()) => 1; return f()`, stack},
		{"of classes", `class B { } class A extends B { x = new A() } new A()`, memory},
		{"of apply", `const f = function () { return f.apply() }; return f()`, stack},
		{"of arrays in arrays", `let a = []; for (let i = 0; i < 1000; i++) a = [a]; return "" + a`, stack},
		{"of bound functions", `let f = () => 1; for (;;) f = f.bind(); return f()`, memory},
		{"of prototypes", `let o = {}; for (let i = 0; i < 5000; i++) o = Object.create(o); return o.x === undefined`, ""},
	})
}

func TestMemory(t *testing.T) {
	run(t, []attack{
		{"a string doubled", `let s = "x"; for (;;) s += s`, memory},
		{"a string doubled in templates", "let s = 'x'; for (;;) s = `${s}${s}`", memory},
		{"a string doubled without a loop", `let s = "x".repeat(1000); ` + strings.Repeat("s = s + s + s + s;", 20), memory},
		{"a string doubled by a method", `let s = "x"; for (;;) s = s.concat(s)`, memory},
		{"a string repeated", `return "x".repeat(1e9)`, memory},
		{"a string repeated by a hidden name", `return "x"["rep" + "eat"](1e9)`, memory},
		{"a lying count", `let n = 0; return "x".repeat({valueOf: () => n++ ? 1e9 : 1}).length`, ""},
		{"a string padded", `return "x".padEnd(2 ** 30)`, memory},
		{"a string replaced", `return "x".repeat(1e5).replaceAll("x", "y".repeat(1e5)).length`, memory},
		{"a string replaced by what stands before", "return 'x'.repeat(1e5).replace(/x/g, '$`').length", memory},
		{"strings joined", `return new Array(1e5).fill("x".repeat(1e5)).join("")`, memory},
		{"arrays that share their items", `let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return ("" + a).length`, memory},
		{"the same, flattened", `let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return a.flat(Infinity).length`, memory},
		{"the same, as JSON", `let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return JSON.stringify(a).length`, memory},
		{"the same, returned", `let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return a`, limit},
		{"an array filled", `return new Array(2 ** 32 - 1).fill(0)`, fuel},
		{"an array given a far index", `const a = []; a[4294967294] = 1; return a.reverse().length`, fuel},
		{"arrays given a far index", `const all = []; for (;;) { const a = []; a[4096] = 1; all.push(a) }`, memory},
		{"arrays given a length", `const all = []; for (;;) { const a = []; a.length = 4096; a.push(1); all.push(a) }`, memory},
		{"arrays made with a length", `const all = []; for (;;) { const a = new Array(4096); a.push(1); all.push(a) }`, memory},
		{"arrays made by another name", `const A = [].constructor, all = []; for (;;) { const a = new A(4096); a.push(1); all.push(a) }`, memory},
		{"arrays of what is left", `const big = new Array(5000).fill(1), all = []; for (;;) { const [x, ...rest] = big; all.push(rest) }`, memory},
		{"arrays of arguments", `const big = new Array(5000).fill(1), all = []; const f = (...a) => all.push(a); for (;;) f(...big)`, memory},
		{"arrays spread", `const big = new Array(5000).fill(1), all = []; for (;;) all.push([...big])`, memory},
		{"arrays spread from an iterator", `const big = new Array(5000).fill(1), all = []; for (;;) all.push([...big[Symbol.iterator]()])`, memory},
		{"arrays copied by a hidden name", `const big = new Array(5000).fill(1), all = []; for (;;) all.push(big["sl" + "ice"]())`, memory},
		{"objects spread", `const o = {}; for (let i = 0; i < 500; i++) o[i] = i; const all = []; for (;;) all.push({...o})`, memory},
		{"keys listed", `const o = {}; for (let i = 0; i < 500; i++) o[i] = i; const all = []; for (;;) all.push(Object.keys(o))`, memory},
		{"functions", `const all = []; for (;;) all.push(() => 1)`, memory},
		{"classes", `const all = []; for (;;) all.push(class { a() {} b() {} })`, memory},
		{"errors made deep down", `const all = [], f = (n) => { if (n) return f(n - 1); for (;;) all.push(new Error("x")) }; f(500)`, memory},
		{"errors caught deep down", `const all = [], f = (n) => { if (n) return f(n - 1); for (;;) try { null.x } catch (e) { all.push(e) } }; f(500)`, memory},
		{"a map", `const m = new Map(); for (let i = 0; ; i++) m.set(i, i)`, memory},
		{"a set by a constructor", `const big = new Array(5000).fill(0).map((_, i) => i), all = []; for (;;) all.push(new Set(big))`, memory},
		{"splitting", `const s = "x".repeat(5000), all = []; for (;;) all.push(s.split(""))`, memory},
		{"JSON", `const s = "[" + "{},".repeat(5000) + "0]", all = []; for (;;) all.push(JSON.parse(s))`, memory},
		{"buffers", `return new ArrayBuffer(2 ** 40)`, trap},
		{"typed arrays", `return new Uint8Array(2 ** 33)`, trap},
		{"promises", `const all = new Array(5000).fill(1); for (;;) Promise.all(all)`, memory},
	})
}

func TestNatives(t *testing.T) {
	run(t, []attack{
		{"a length that lies", `return Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)`, fuel},
		{"a length that changes its mind", `let n = 0; return Array.prototype.slice.call({get length() { return n++ ? 2 ** 53 - 1 : 1 }}).length`, ""},
		{"an object that is written as an array", `return Array.prototype.fill.call({length: 2 ** 53 - 1}, 1)`, trap},
		{"arguments that lie", `return (() => 1).apply(null, {length: 2 ** 53 - 1})`, fuel},
		{"concatenation of what claims to be spreadable", `return [].concat({length: 2 ** 32, [Symbol.isConcatSpreadable]: true}).length`, ""},
		{"String.raw", `return String.raw({raw: {length: 2 ** 53 - 1}})`, trap},
		{"sorting", `const a = new Array(2e4).fill("x".repeat(1e4)); for (;;) a.sort()`, fuel},
		{"JSON nested deep", `return JSON.parse("[".repeat(500000))`, trap},
		{"a big JSON", `return JSON.parse("[".repeat(5000000))`, memory},
		{"expressions that try every way", `return /^(a+)+$/.test("a".repeat(40) + "b")`, ""},
		{"the same, from the middle", `const r = /(a+)+$/g; r.lastIndex = 1; return r.test("a".repeat(60) + "b")`, deadline},
		{"the same, looking ahead", `return /^(?=(a+)+$)\1b/.test("a".repeat(60) + "b")`, deadline},
		{"the same, again and again", `return ("é" + ("a".repeat(24) + "b").repeat(4000)).replace(/(a+)+c|a+b/g, "")`, deadline},
		{"the same, splitting", `return ("é" + ("a".repeat(24) + "b").repeat(4000)).split(/(a+)+c|a+b/)`, deadline},
		{"a big expression", `return new RegExp("(a|b)".repeat(1e5)).test("x")`, trap},
		{"a big expression out of a text", `return "x".match("(a|b)".repeat(1e5))`, trap},
		{"an expression out of an object", `let n = 0; return "x".match({toString: () => "(a|b)".repeat(n++ ? 1e5 : 1)})`, ""},
		{"a heavy expression over a long text", `return new RegExp("(?:a?){60}b").test("a".repeat(1e6))`, fuel},
		{"own replacements under a symbol", `return /x/g[Symbol.replace]("x".repeat(1e4), "y".repeat(1e4)).length`, fuel},
	})
}

// TestCode tries every way to make code out of text, which would run unpaid.
func TestCode(t *testing.T) {
	run(t, []attack{
		{"eval", `return eval("1")`, trap},
		{"eval by another name", `return globalThis.eval("1")`, trap},
		{"Function", `return new Function("return 1")()`, trap},
		{"constructor of a function", `return (() => {}).constructor("return 1")()`, trap},
		{"constructor of a generator function", `return (function* () {}).constructor("yield 1")().next()`, trap},
		{"constructor of an async function", `return (async () => {}).constructor("return 1")()`, trap},
		{"constructor by a hidden name", `return (() => {})["construct" + "or"]("return 1")()`, trap},
		{"constructor by a template", "return (() => {})[`${'construct'}or`]('return 1')()", trap},
		{"constructor by a conversion", `return (() => {})[{toString: () => "constructor"}]("return 1")()`, trap},
		{"constructor by a pattern", `const {["construct" + "or"]: C} = () => {}; return C("return 1")()`, trap},
		{"constructor of a constructor", `return [].constructor.constructor("return 1")()`, trap},
		{"constructor of a host function", `return rhost.emit.constructor("return 1")()`, trap},
		{"constructor by its descriptor", `return Object.getOwnPropertyDescriptor(Object.getPrototypeOf(() => {}), "construct" + "or").value("return 1")()`, trap},
		{"constructor by a loop", `for (const k of Object.getOwnPropertyNames(Object.getPrototypeOf(() => {}))) if (k.length === 11) return "found"; return "none"`, ""},
		{"Reflect", `return Reflect.construct(Object, [])`, trap},
		{"Proxy", `return new Proxy({}, {})`, trap},
		{"the inside of the interpreter", `return new GoError()`, trap},
	})
}

// TestSourceMap checks that a script cannot make the host read a file.
func TestSourceMap(t *testing.T) {
	e := newEngine(t)
	src := source(`return 1`)
	src.Bytes = append(src.Bytes, "//# sourceMappingURL=/etc/passwd\n"...)
	sandboxtest.RunAttacks(t, e, sandbox.Limits{}, []sandboxtest.Attack{{Name: "at the end", Source: src, Output: "1"}})
}

// TestPollution changes what every object inherits; the next call finds nothing
// of it. RunAttacks runs each call twice.
func TestPollution(t *testing.T) {
	run(t, []attack{
		{"of prototypes", `
			for (const p of [Object.prototype, Array.prototype, String.prototype, Object.getPrototypeOf(() => {}), Error.prototype, Promise.prototype]) {
				if (Object.hasOwn(p, "leak")) throw new Error("leak")
				p.leak = 1
			}`, ""},
		{"of globals", `if (globalThis.leak) throw new Error("leak"); globalThis.leak = 1; globalThis.Array = null; JSON.parse = null`, ""},
		{"of services", `try { rhost.emit = 1 } catch (e) { return e.name } return "changed"`, ""},
		{"of symbols", `const s = Symbol.for("leak"); if (Object.prototype[s]) throw new Error("leak"); Object.prototype[s] = 1`, ""},
		{"of setters", `
			Object.defineProperty(Object.prototype, "value", {set() { throw new Error("set") }, configurable: true})
			rhost.state.set("k", {value: 1})
			return rhost.state.get("k").value`, ""},
		{"of iteration", `Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1 }; return [...[1, 2]]`, memory},
	})
}
