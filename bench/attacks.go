package main

import (
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/js"
	"github.com/rhost/rhost/sandbox/lua"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// crowd is the guests of one engine that a quiet tenant has for neighbours: one that
// behaves, and those that do not.
type crowd struct {
	engine  sandbox.Engine
	name    string
	honest  []byte
	attacks []wasmtest.Attack // or scripts
}

// crowds are the engines with their attacks. Those on scripts are of the kinds that the
// hostile suites of the engines know: time, memory, stack, and natives that take long.
func crowds() ([]crowd, error) {
	w, err := wasm.New(wasm.Options{})
	if err != nil {
		return nil, err
	}
	l, err := lua.New(lua.Options{})
	if err != nil {
		return nil, err
	}
	return []crowd{
		{engine: w, name: "Wasm", honest: smallGuest(), attacks: wasmtest.Attacks()},
		{
			engine: l, name: "Lua",
			honest: []byte(`function invoke(call) rhost.emit("blocked", {ip = call.with.ip}) return {ip = call.with.ip} end`),
			attacks: scripts("function invoke(call) ", " end",
				"loop", `while true do end`,
				"loop in pcall", `while true do pcall(function() while true do end end) end`,
				"loop in a coroutine", `coroutine.wrap(function() while true do end end)()`,
				"recursion", `local function f(n) return 1 + f(n + 1) end return f(1)`,
				"string doubled", `local s = "x" while true do s = s .. s end`,
				"strings", `local t = {} while true do t[#t + 1] = ("x"):rep(1000) end`,
				"tables", `local t = {} while true do t[#t + 1] = {} end`,
				"closures", `local t = {} while true do t[#t + 1] = function() return t end end`,
				"coroutines", `while true do coroutine.create(function() end) end`,
				"pattern", `local s = ("a"):rep(5000) return s:find(("a-"):rep(20) .. "b")`,
				"sort", `local t = {} for i = 1, 20000 do t[i] = -i end while true do table.sort(t) end`,
				"error", `error("no")`,
			),
		},
		{
			engine: js.New(js.Options{}), name: "JavaScript",
			honest: []byte(`export function invoke(call) { rhost.emit("blocked", {ip: call.with.ip}); return {ip: call.with.ip} }`),
			attacks: scripts("export function invoke(call) { ", " }",
				"loop", `for (;;) {}`,
				"loop in try and finally", `try { for (;;) {} } finally { for (;;) {} }`,
				"recursion", `const f = (n) => 1 + f(n + 1); return f(1)`,
				"string doubled", `let s = "x"; for (;;) s += s`,
				"strings", `const t = []; for (;;) t.push("x".repeat(1000))`,
				"arrays", `const all = []; for (;;) all.push([1, 2, 3])`,
				"objects", `const all = []; for (;;) all.push({a: {b: 1}})`,
				"far index", `const a = []; a[4294967294] = 1; return a.reverse().length`,
				"promises", `const p = () => Promise.resolve().then(p); return p()`,
				"regexp", `return /(a+)+$/.test("a".repeat(5000) + "b") || /(?=(a+)+$)b/.test("a".repeat(5000) + "b")`,
				"sort", `const t = Array.from({length: 20000}, (_, i) => -i); for (;;) t.slice().sort()`,
				"JSON", `const s = JSON.stringify(Array.from({length: 5000}, (_, i) => ({i}))); for (;;) JSON.parse(s)`,
				"error", `throw new Error("no")`,
			),
		},
	}, nil
}

// scripts makes attacks of pairs of a name and the body of invoke.
func scripts(before, after string, pairs ...string) []wasmtest.Attack {
	var list []wasmtest.Attack
	for n := 0; n < len(pairs); n += 2 {
		list = append(list, wasmtest.Attack{Name: pairs[n], Wasm: []byte(before + pairs[n+1] + after)})
	}
	return list
}
