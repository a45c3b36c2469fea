package js_test

import (
	"encoding/json"
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
)

// TestSameAsTheInterpreter runs functions as they are and rewritten: what is
// paid for must not change what is computed.
func TestSameAsTheInterpreter(t *testing.T) {
	e := newEngine(t)
	for _, body := range []string{
		// statements
		`let s = 0; for (let i = 0; i < 10; i++) { if (i === 3) continue; if (i === 8) break; s += i } return s`,
		`let s = ""; for (const k in {a: 1, b: 2}) s += k; for (const v of [1, 2]) s += v; return s`,
		`let i = 0; do i++; while (i < 5); while (i < 9) i += 2; return i`,
		`a: for (let i = 0; i < 3; i++) { for (;;) { if (i === 1) break a; continue a } } return "out"`,
		`switch (3) { case 1: return "a"; case 3: { let x = "b"; return x } default: return "c" }`,
		`try { null.x } catch { return "caught" } finally { }`,
		`const f = () => { try { return 1 } finally { return 2 } }; return f()`,
		`const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); return fs.map((f) => f())`,
		`var x = 1; { var x = 2 } return x`,
		`if (true) var y = 3; else y = 4; return y`,
		// functions
		`const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(12)`,
		`function f(a, b = a + 1, ...rest) { return [a, b, rest, arguments.length, f.length] } return f(1, undefined, 3, 4)`,
		`const f = ({a, b: {c = 5, ...d} = {}, ...e}, [g, , h = 7, ...i]) => ({a, c, d, e, g, h, i}); return f({a: 1, b: {x: 2}, z: 3}, [4, 5, undefined, 6, 7])`,
		`function* g() { const x = yield 1; yield x * 2; return yield* [7, 8] } const it = g(); return [it.next(), it.next(21), it.next(), it.next(), it.next()]`,
		`function* a() { try { yield 1 } finally { yield 2 } } function* b() { yield* a() } const it = b(); return [it.next(), it.return(9), it.next()]`,
		`return (function () { "use strict"; return this === undefined })()`,
		`const o = {f() { return super.toString === Object.prototype.toString }}; return o.f()`,
		`return [((x) => x).name, (function named() {}).name, (() => {}).name]`,
		// classes
		`class A { #p = 1; static s = 2; x = this.#p + 1; get p() { return this.#p } set p(v) { this.#p = v } static m() { return A.s } ["c" + 1]() { return 3 } }
			const a = new A(); a.p = 5; return [a.p, a.x, A.s, A.m(), a.c1()]`,
		`class A { constructor(x) { this.x = x } } class B extends A { y = this.x * 2; constructor(x) { super(x); this.z = this.y + 1 } } const b = new B(2); return [b.x, b.y, b.z, b instanceof A]`,
		`class E extends Error { constructor(m) { super(m); this.name = "E" } } try { throw new E("q") } catch (e) { return [e.name, e.message, e + "", e instanceof Error] }`,
		`class L extends Array { sum() { return this.reduce((a, b) => a + b, 0) } } const l = L.from([1, 2, 3]); return [l.sum(), Array.isArray(l), l.length]`,
		`class A { static { this.x = 4 } static y = this.x + 1 } return A.y`,
		// expressions
		"const a = 1, b = 'x'; return `${a}-${b}-${[1, 2]}-${{}}-${null}`",
		"const tag = (s, ...v) => s.raw.join('|') + v.join(','); return tag`a${1}b${2}c`",
		`let s = "a"; s += 1; s += null; s += [1, 2]; return s + true + undefined`,
		`return [1 + "2", "3" - 1, +"4", 1 + null, [] + {}, 1 + undefined, "5" * "2"]`,
		`return 1 + 2 + "3" + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12`,
		`const o = {a: {b: null}}; return [o?.a?.b?.c, o.x?.y.z, o.f?.(), o.a?.["b"], o?.["a"].b ?? "n"]`,
		`let a = null; a ??= 5; a ||= 6; a &&= 7; return a`,
		`let i = 1; const o = {}; o[i++] = i++; o[i] ??= i; o["a" + i] = 1; o.x = o["x"] ? 1 : 2; return [i, o]`,
		`const a = [1, 2, 3]; a[1] += 5; a[a.length] = 9; a["length"] -= 1; [a[0], a[1]] = [a[1], a[0]]; return a`,
		`const o = {}; [o.a, o["b"], ...c] = [1, 2, 3, 4]; var c; return [o, c]`,
		`let x, y, r; ({x, y: [y], ...r} = {x: 1, y: [2], z: 3}); return [x, y, r]`,
		`const o = {a: 1, get b() { return this.a + 1 }, ["c"]: 3, __proto__: {d: 4}, ...{e: 5}}; return [o.b, o.c, o.d, o.e, Object.keys(o)]`,
		`return [typeof x, typeof null, typeof (() => 1), void 0, delete {}.x, "a" in {a: 1}, !0, ~5, -(-3), 2 ** 3 ** 2]`,
		`let n = 5; return [n++ + ++n, n-- - --n, n, (1, 2, 3)]`,
		`return [..."héllo", ...[1, 2], ...new Set([1, 1])]`,
		`return Math.max(...[1, 5, 3], 4)`,
		// arrays
		`return [3, 1, 10, 2].sort()`,
		`return [[3, 1, 2].toSorted((a, b) => b - a), [1, 2, 3].toReversed(), [1, 2, 3].with(1, 9), [1, 2, 3, 4].toSpliced(1, 2, "x")]`,
		`const a = [1, 2, 3, 4, 5]; return [a.splice(1, 2, "x", "y", "z"), a, a.indexOf("y"), a.lastIndexOf(5), a.at(-1), a.includes(4)]`,
		`const a = [1, 2]; a.push(3, 4); a.unshift(0); a.shift(); a.pop(); a.reverse(); a.fill(7, 1, 2); a.copyWithin(0, 1); return a`,
		`return [1, [2, [3, [4]]]].flat().concat([5], 6, [[7]])`,
		`return [[1, [2]].flat(Infinity), [1, 2].flatMap((x) => [x, x * 2]), [, 1].flat()]`,
		`return [[1, 2, 3].map((x, i, a) => x * i + a.length), [1, 2, 3].filter((x) => x > 1), [1, 2, 3].reduce((a, b) => a + b), [1, 2].reduceRight((a, b) => a + "" + b)]`,
		`return [[1, 2].some((x) => x > 1), [1, 2].every((x) => x > 1), [5, 6].find((x) => x > 5), [5, 6].findIndex((x) => x > 6), [1, 2].findLast(() => true), [...[7, 8].entries()], [...["a"].keys()]]`,
		`return [[1, null, undefined, "x", [2, 3]].join("-"), "" + [1, [2, 3]], [1, 2].toString(), [].join()]`,
		`const a = [1]; a.push(a); return "" + a`,
		`return [Array.from({length: 3}, (_, i) => i * 2), Array.from("abc"), Array.from(new Map([[1, 2]])), Array.of(1, 2), Array.isArray([])]`,
		`return [new Array(3).length, new Array(1, 2), Array(2).fill(0), new Array("3")]`,
		`return (function () { return Array.prototype.slice.call(arguments, 1) })(1, 2, 3)`,
		`return Array.prototype.map.call("abc", (c) => c + c)`,
		// strings
		`return ["abc".repeat(2), "5".padStart(3, "0"), "5".padEnd(3), "aXbX".replaceAll("X", "-"), "a,b".split(","), "abc".split(""), "a1b".split(/\d/), "a1b".split(/(\d)/), "abc".split("", 2)]`,
		`return ["abc".indexOf("c"), "abcabc".lastIndexOf("b"), "abc".includes("b"), "abc".startsWith("a"), "abc".endsWith("c"), "abc".at(-1), "abc".charCodeAt(1), "abc".concat(1, null)]`,
		`return ["Straße".toUpperCase(), "ABC".toLowerCase(), "  x ".trim(), " x".trimStart(), "abc".slice(1), "abc".substring(2, 0), "abc".substr(-2, 1), "a".localeCompare("b"), "e\u0301".normalize().length]`,
		`return [String(5), String(null), String(Symbol("s")), String.fromCharCode(72, 105), String.fromCodePoint(128512)]`,
		// regular expressions
		`return ["abcabc".replace(/(b)(?<n>c)/g, "[$1-$<n>-$&-$$-$` + "`" + `-$']"), "abc".replace("b", "$&$&"), "abc".replace(/b/, (m, i, s) => m + i + s), "aaa".replaceAll("a", "b$$")]`,
		`return ["éabcabc".replace(/(b)(?<n>c)/g, "[$1-$<n>-$&-$` + "`" + `-$'-$2-$3]"), "éxx".replace(/x/g, (m, i) => i), "éa1b2".replace(/(?<l>[a-z])(\d)/g, (m, a, b, i, s, g) => b + a + i + g.l)]`,
		`return ["abab".match(/b/g), "abab".match(/(a)(b)/), "é1é2".match(/\d/g), "x".match(/y/), "x".match(/y/g), "abab".search(/b/), "aéb".search("b")]`,
		`return [..."é1a2".matchAll(/([a-zé])(\d)/g)].map((m) => [m[0], m[1], m.index])`,
		`return ["éa1b22c".split(/(\d+)/), "éabc".split(/(?:)/), "ab".split(/(?=b)/), "é".split(/x/), "é,b,c".split(/,/, 2)]`,
		`const r = /a(\d)/g, out = []; let m; while ((m = r.exec("a1 a2"))) out.push(m[1], r.lastIndex); return out`,
		`const r = new RegExp("a+", "gi"); return [r.source, r.flags, r.test("xAa"), r.lastIndex, RegExp("b").test("b"), r instanceof RegExp, /x/.constructor === RegExp]`,
		`return ["aBc".replace(/b/i, "x"), /^b/m.test("a\nb"), /a.b/s.test("a\nb"), /\u{1F600}/u.test("😀"), /a/y.test("ba"), /(?<=a)b/.test("ab"), /(a)\1/.test("aa")]`,
		`return "xay".replace(/a/g, "$0$1$01")`,
		// objects and collections
		`return [Object.entries({a: 1}), Object.fromEntries([["b", 2]]), Object.assign({}, {c: 3}, null), Object.keys("ab"), Object.values([1]), Object.freeze([1])]`,
		`const o = Object.defineProperty({}, "x", {value: 1}); return [o.x, Object.keys(o), Object.getOwnPropertyNames(o), Object.getPrototypeOf([]) === Array.prototype]`,
		`const m = new Map([["a", 1]]); m.set("b", 2).delete("a"); const s = new Set([1, 2, 2]); return [m.size, m.get("b"), [...m], [...s], s.has(2), [...s.union(new Set([3]))]]`,
		`const w = new WeakMap(), k = {}; w.set(k, 1); return [w.get(k), w.has({})]`,
		`return [JSON.stringify({a: [1, undefined, () => 1, NaN], b: undefined, d: new Date(0), e: "é\u2028"}), JSON.stringify([1, {a: 2}], null, 2), JSON.stringify({a: 1, b: 2}, ["b"]), JSON.stringify({a: 1}, (k, v) => k ? v + 1 : v), JSON.stringify("x", null, "-"), JSON.stringify(undefined), JSON.stringify([], null, 1), JSON.stringify({a: {}}, null, "ab")]`,
		`return [JSON.parse('{"a":[1,null,"x",{"b":true}]}'), JSON.parse("[1,2]", (k, v) => Array.isArray(v) ? v : v + 1)]`,
		`const f = function (a, b) { return [this.x, a, b] }; return [f.call({x: 1}, 2, 3), f.apply({x: 1}, [2, 3]), f.bind({x: 1}, 2)(3), f.apply({x: 1})]`,
		`return [isNaN("x"), parseInt("12px"), parseFloat("1.5e3"), (255).toString(16), (1.005).toFixed(2), Number("0x10"), encodeURIComponent("é&"), decodeURIComponent("%C3%A9")]`,
		`const s = Symbol("x"), o = {[s]: 1}; return [o[s], s.toString(), Object.getOwnPropertySymbols(o).length, Symbol.for("a") === Symbol.for("a")]`,
		`return new Date(Date.UTC(2020, 1, 29)).toISOString()`,
		`let log = []; Promise.resolve(1).then((v) => { log.push(v); throw new Error("e") }).catch((e) => log.push(e.message)).finally(() => log.push("f")); return "sync"`,
	} {
		t.Run(body, func(t *testing.T) {
			want, err := goja.New().RunString("\"use strict\"; JSON.stringify((function (call) {\n" + body + "\n})(null))")
			require.NoError(t, err)
			got := result(t, e, source("return JSON.stringify((function () {\n"+body+"\n})())"))
			var text string
			require.NoError(t, json.Unmarshal(got, &text))
			assert.Equal(t, want.String(), text)
		})
	}
}

func result(t *testing.T, e sandbox.Engine, src sandbox.Source) json.RawMessage {
	t.Helper()
	m, err := e.Compile(t.Context(), src)
	require.NoError(t, err)
	inst, err := m.New(t.Context(), sandbox.Limits{})
	require.NoError(t, err)
	s := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{})
	reply, _, err := inst.Invoke(t.Context(), &abi.Call{}, s)
	require.NoError(t, err)
	require.Equal(t, abi.ResultOK, reply.Result, reply.Message)
	return reply.Output
}

// TestHost checks what a script finds of the host.
func TestHost(t *testing.T) {
	var attacks []sandboxtest.Attack
	for _, tt := range []struct{ body, want string }{
		{`return call.event.data`, `{"user":"root","port":22,"tags":["a",null,"b"],"none":[],"odd \"key\"":"é\n"}`},
		{`return [call.event.ext.region, call.event.time, call.attempt, call.with.n]`, `["eu","2026-03-01T12:30:00.25Z",2,12.5]`},
		{`return [new Date().toISOString(), Date.now() === Date.now(), new Date(2020, 0, 1).toISOString()]`, `["2026-03-01T12:30:00.250Z",true,"2020-01-01T00:00:00.000Z"]`},
		{`return Math.random() === Math.random()`, `false`},
		{`rhost.state.set("k", {a: [1]}); return rhost.state.get("k")`, `{"value":{"a":[1]},"version":1}`},
		{`rhost.state.set("k", 1); rhost.state.delete("k"); return rhost.state.get("k")`, `null`},
		{`return [rhost.state.cas("k", 5, 1), rhost.state.cas("k", 0, 1)]`, `[false,true]`},
		{`rhost.state.set("k", {["__proto__"]: {x: 1}}); const v = rhost.state.get("k").value; return [v.x === undefined, Object.keys(v)]`, `[true,["__proto__"]]`},
		{`try { rhost.random(5000) } catch (e) { return [e.name, e.status, e.message, e instanceof Error] }`, `["RhostError","limit","the host refused: limit",true]`},
		{`return [rhost.kv.get("text"), rhost.kv.get("bytes"), rhost.kv.get("none")]`, `["héllo",[255,0],null]`},
		{`rhost.kv.set("k", [255, 1], 1000); rhost.kv.set("t", "é"); return [rhost.kv.get("k"), rhost.kv.get("t")]`, `[[255,1],"é"]`},
		{`rhost.kv.delete("text"); return rhost.kv.get("text")`, `null`},
		{`try { rhost.kv.set("k", {}) } catch (e) { return e.message }`, `"a value is a string or an array of bytes; use JSON.stringify for other values"`},
		{`try { rhost.kv.set("k", [256]) } catch (e) { return e.message }`, `"a value is an array with something else than bytes in it"`},
		{`try { rhost.kv.set("k", "x", -1) } catch (e) { return e.message }`, `"a time to live is in milliseconds, 0 for ever"`},
		{`try { rhost.kv.set("", "x") } catch (e) { return e.status }`, `"invalid"`},
		{`const r = rhost.http({url: "https://a.example/x"}); return [r.status, r.headers, r.body]`, `[404,{"content-type":"text/plain","x-n":"1, b"},"GET https://a.example/x "]`},
		{`rhost.http({url: "u"}); const r = rhost.http({url: "u", method: "put", body: {a: 1}, headers: {"X-A": 5}}); return [r.body, r.headers["x-n"]]`, `["PUT u {\"a\":1} X-A=5 content-type=application/json","2, b"]`},
		{`return rhost.http({url: "u", body: "t", headers: {"Content-Type": "a/b"}}).body`, `"POST u t Content-Type=a/b"`},
		{`try { rhost.http({url: "https://elsewhere.example/"}) } catch (e) { return e.status }`, `"denied"`},
		{`try { rhost.http({url: "https://a.example/slow", timeout: 5}) } catch (e) { return e.status }`, `"timeout"`},
		{`try { rhost.http() } catch (e) { return e.message }`, `"http takes {url, method, headers, body, timeout}"`},
		{`return [rhost.secret("token"), rhost.secret("other")]`, `["s3cret",null]`},
		{`return [rhost.has("http"), rhost.has("kv_get"), rhost.has("has"), rhost.has("teleport")]`, `[true,true,true,false]`},
		{`try { rhost.emit("") } catch (e) { return e.status }`, `"invalid"`},
		{`try { rhost.emit("x", () => 1) } catch (e) { return e.message }`, `"a function has no JSON form"`},
		{`try { rhost.emit(1) } catch (e) { return e.message }`, `"the type of an event is a string"`},
		{`return Object.keys(rhost)`, `["config","debug","drop","emit","error","fail","has","http","info","kv","log","notify","now","random","retry","secret","state","warn"]`},
		{`return "emit" in rhost && rhost.nothing === undefined && rhost.emit === rhost.emit`, `true`},
		{`return (async () => { await null; return [1] })()`, `[1]`},
		{`return new Date(0)`, `"1970-01-01T00:00:00.000Z"`},
		{`return {toJSON: () => ({a: 1})}`, `{"a":1}`},
		{`return Object.assign(Object.create({x: 1}), {y: 2})`, `{"y":2}`},
		{`return [undefined, null, "\ud800"]`, `[null,null,"�"]`},
		{`return undefined`, ``},
	} {
		attacks = append(attacks, sandboxtest.Attack{Name: tt.body, Source: source(tt.body), Output: tt.want})
	}
	e := newEngine(t)
	sandboxtest.RunAttacks(t, e, sandbox.Limits{}, attacks)
	for _, form := range []string{
		`export const invoke = (call) => 1`, `export let invoke = async () => 1`, `function invoke() { return 1 }`,
		`const run = () => 1; export { run as invoke }`, "export {\n  invoke,\n}\nfunction invoke() { return 1 }",
		`export const x = 1; export function invoke() { return x } export class C {}`,
		"const s = `export ${'`'} export`; /* export */ export function invoke() { return /export \\/ [/]/.test(s) ? 0 : 1 }",
		"let a = 1\nexport function invoke() { return a }",
	} {
		assert.Equal(t, "1", string(result(t, e, sandbox.Source{Name: "p", Bytes: []byte(form)})), form)
	}
}

// TestWhere checks what the author of a script reads when it is stopped.
func TestWhere(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct{ name, src, want string }{
		{"an error", "export function invoke() {\n  throw new Error('boom')\n}", "call p: trap fault at invoke (p.js:2): Error: boom"},
		{"an error in a function", "const check = () => {\n  null.x\n}\nexport function invoke() {\n  check()\n}", "trap fault at check (p.js:2): TypeError: Cannot read property 'x' of "},
		{"an error in an export", "export {\n  run as invoke\n}\nfunction run() {\n  throw 1\n}", "trap fault at run (p.js:5): 1"},
		{"an error outside", "\nlet x = y\nexport function invoke() {}", "trap fault at p.js:2: ReferenceError: y is not defined"},
		{"an error value", "export function invoke() {\n  throw {message: 'no'}\n}", "trap fault at invoke (p.js:2): no"},
		{"an error in an async function", "export async function invoke() {\n  await 1\n  throw new Error('late')\n}", "trap fault at invoke (p.js:3): Error: late"},
		{"a promise without an end", "export function invoke() {\n  return new Promise(() => {})\n}", "trap fault: invoke returned a promise that nothing will settle"},
		{"an invoke that is none", "export let invoke = 1", "abi fault: invoke is not a function when the script has run"},
		{"fuel", "function spin() {\n  for (;;) {}\n}\nexport function invoke() {\n  spin()\n}", "call p: fuel fault at spin (p.js:2): used up 10000 units of fuel"},
		{"the last host call", "export function invoke() {\n  rhost.now()\n  throw 1\n}", "(last host call: now)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", File: "plugins/p.js", Bytes: []byte(tt.src)})
			require.NoError(t, err)
			inst, err := m.New(t.Context(), sandbox.Limits{})
			require.NoError(t, err)
			s := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), sandbox.Limits{Fuel: 10_000})
			_, _, err = inst.Invoke(t.Context(), &abi.Call{}, s)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
