package lua_test

import (
	"strings"
	"testing"
	"time"

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
	attacks := make([]sandboxtest.Attack, len(list))
	for i, a := range list {
		attacks[i] = sandboxtest.Attack{Name: a.name, Source: source(a.body)}
		if a.kind != "" {
			attacks[i].Kinds = []sandbox.FaultKind{a.kind}
		}
	}
	sandboxtest.RunAttacks(t, newEngine(t), lim, attacks)
}

func source(body string) sandbox.Source {
	return sandbox.Source{Name: "p", Bytes: []byte("function invoke(call)\n" + body + "\nend\n")}
}

func TestLoops(t *testing.T) {
	lim := sandbox.Limits{Fuel: 1_000_000, Memory: 4 << 20}
	if sandboxtest.Race {
		lim = sandbox.Limits{Fuel: 150_000, Memory: 4 << 20}
	}
	runWith(t, lim, []attack{
		{"plain", `while true do end`, fuel},
		{"repeat", `repeat until false`, fuel},
		{"numeric", `for i = 1, 0, 0 do end for i = 1, math.huge do end`, fuel},
		{"goto", `::again:: goto again`, fuel},
		{"tail calls", `local function f() return f() end return f()`, fuel},
		{"in pcall", `while true do pcall(function() while true do end end) end`, fuel},
		{"in xpcall's handler", `xpcall(error, function() while true do end end)`, fuel},
		{"in a coroutine", `coroutine.wrap(function() while true do end end)()`, fuel},
		{"in a coroutine in a coroutine", `coroutine.wrap(function() pcall(coroutine.wrap(function() while true do end end)) while true do end end)()`, fuel},
		{"of resumes", `local co = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(co) end`, fuel},
		{"of dead coroutines", `local co = coroutine.create(error) while true do coroutine.resume(co) end`, fuel},
		{"in __tostring", `tostring(setmetatable({}, {__tostring = function() while true do end end}))`, fuel},
		{"in __index", `local t = setmetatable({}, {__index = function() while true do end end}) return t.x`, fuel},
		{"in __concat", `return setmetatable({}, {__concat = function() while true do end end}) .. ""`, fuel},
		{"in __lt while sorting", `local mt = {__lt = function() while true do end end} table.sort({setmetatable({}, mt), setmetatable({}, mt)})`, fuel},
		{"in a comparison", `table.sort({1, 2, 3}, function() while true do end end)`, fuel},
		{"in a replacement", `return ("x"):gsub("x", function() while true do end end)`, fuel},
		{"in an iterator", `for x in function() return 1 end do end`, fuel},
		{"outside invoke", `end while true do end function f()`, fuel},
		{"of natives", `while true do pcall(pcall, pcall, pcall) end`, fuel},
		{"of next over removed keys", `local t = {} for i = 1, 3000 do t["k" .. i] = 1 t["k" .. i] = nil end while true do next(t) end`, fuel},
		{"of lengths over nils", `local t = {} for i = 1, 5000 do t[i] = 1 end for i = 1, 5000 do t[i] = nil end while true do local n = #t end`, fuel},
		{"of long comparisons", `local a, b = ("x"):rep(1e6), ("x"):rep(1e6) while a == b do end`, fuel},
	})
	sandboxtest.RunAttacks(t, newEngine(t), sandbox.Limits{Fuel: 1 << 50}, []sandboxtest.Attack{{
		Name: "until the time is up", Source: source(`while true do pcall(function() while true do end end) end`),
		Kinds: []sandbox.FaultKind{deadline}, Deadline: 20 * time.Millisecond,
	}})
}

func TestRecursion(t *testing.T) {
	run(t, []attack{
		{"plain", `local function f(n) return 1 + f(n + 1) end return f(1)`, stack},
		{"caught", `local function f() pcall(f) return f() + 1 end return f()`, stack},
		{"of metamethods", `local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] .. "" end return t.x`, stack},
		{"of __tostring", `local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return tostring(t) .. "" end return tostring(t)`, stack},
		{"of replacements", `local function f() return (("x"):gsub("x", f)) .. "" end return f()`, stack},
		{"of comparisons", `local function f() table.sort({1, 2}, f) return true and 1 end return f()`, stack},
		{"of pcall", `local t = {} for i = 1, 7000 do t[i] = pcall end return pcall(unpack(t))`, stack},
		{"of coroutines", `local function f() return coroutine.wrap(function() return f() end)() end return f()`, trap},
		{"of coroutines that are caught", `local function f() return coroutine.resume(coroutine.create(f)) end return f()`, ""},
		{"of arguments", `local t = {} for i = 1, 5000 do t[i] = i end local function f(...) return 1 + f(1, ...) end return f(unpack(t))`, stack},
		{"of __index tables", `local t = {} for i = 1, 1000 do t = setmetatable({}, {__index = t}) end return t.x`, trap},
	})
}

func TestMemory(t *testing.T) {
	run(t, []attack{
		{"a string doubled", `local s = "x" while true do s = s .. s end`, memory},
		{"a string doubled without a loop", `local s = ("x"):rep(1000) ` + strings.Repeat("s = s .. s .. s .. s ", 20), memory},
		{"a string repeated", `return ("x"):rep(1e15)`, memory},
		{"a string repeated for ever", `return ("x"):rep(math.huge)`, memory},
		{"a string repeated by what is no number", `return ("x"):rep(0/0)`, memory},
		{"a string replaced", `return ("x"):rep(1e5):gsub("x", ("y"):rep(1e5))`, memory},
		{"a string replaced by its captures", `return ("x"):rep(1e5):gsub(".*", ("%0"):rep(1000))`, memory},
		{"strings joined", `local t = {} for i = 1, 1000 do t[i] = ("x"):rep(1e4) end return table.concat(t)`, memory},
		{"strings joined with a long separator", `return table.concat({1, 2, 3, 4}, ("x"):rep(1e6))`, memory},
		{"a string formatted", `local s = ("%s"):rep(100) local l = {} for i = 1, 100 do l[i] = ("x"):rep(1e5) end return s:format(unpack(l))`, memory},
		{"tables", `local t = {} while true do t[#t + 1] = {} end`, memory},
		{"a million tables", `local t = {} for i = 1, 1e6 do t[i] = {{}, {}, {}} end`, memory},
		{"tables made large", `local all = {} while true do all[#all + 1] = {nil, nil, nil, nil, nil, nil, nil, nil} end`, memory},
		{"a table with many keys", `local t = {} for i = 1, 1e9 do t["k" .. i] = i end`, memory},
		{"a table whose keys come and go", `local t = {} for i = 0.5, 1e9 do t[i] = 1 t[i] = nil end`, memory},
		{"a table with a key that is no number", `local t = {} while true do rawset(t, 0/0, 1) end`, trap},
		{"a far index", `local t = {} t[1000000] = 1 return #t`, memory},
		{"a farther index", `local t = {} t[67108863] = 1 return #t`, ""},
		{"inserting far away", `local t = {} table.insert(t, 1000000, 1) return #t`, memory},
		{"functions", `local t = {} while true do t[#t + 1] = function() return t end end`, memory},
		{"coroutines left alone", `while true do coroutine.create(function() end) end`, memory},
		{"coroutines with deep stacks", `
			local function f(n) if n == 0 then coroutine.yield() else return 1 + f(n - 1) end end
			local all = {}
			while true do local co = coroutine.create(f) coroutine.resume(co, 2000) all[#all + 1] = co end`, memory},
		{"arguments", `local t = {} for i = 1, 5000 do t[i] = i end local all = {} local function f(...) all[#all + 1] = {...} end while true do f(unpack(t)) end`, memory},
		{"results", `return #{unpack({}, 1, 1e8)}`, trap},
		{"bytes", `return #{("x"):rep(1e6):byte(1, -1)}`, trap},
		{"addresses", `local t = {} while true do t[#t + 1] = tostring({}) end`, memory},
		{"a long output", `local t = {} for i = 1, 300 do t[i] = ("x"):rep(1000) end return t`, limit},
	})
}

func TestNatives(t *testing.T) {
	run(t, []attack{
		{"sorting with pcall", `table.sort({3, 1, 2, 5, 4}, pcall)`, ""},
		{"sorting with a comparison that lies", `local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() return true end)`, ""},
		{"sorting a lot", `local t = {} for i = 1, 20000 do t[i] = ("x"):rep(100) .. i end while true do table.sort(t) end`, memory},
		{"a pattern that tries every way", `return ("a"):rep(30000):find(("a-"):rep(20) .. "b")`, fuel},
		{"balanced", `return ("("):rep(200000):find("%b()")`, fuel},
		{"many brackets", `return ("x"):find(("("):rep(3000000))`, memory},
		{"fewer brackets", `return ("x"):find(("("):rep(300000))`, trap},
		{"deep patterns", `return ("x"):rep(1000):find(("x?"):rep(1000) .. ("x"):rep(1000))`, trap},
		{"a pattern that goes nowhere", `for _ in ("x"):rep(1e5):gmatch("") do end`, ""},
		{"formats", `return ("%99999d"):format(1)`, trap},
		{"code out of text", `return loadstring(("not "):rep(200000) .. "1")`, trap},
		{"load", `return load(function() return "x" end)`, trap},
		{"dofile", `return dofile("/etc/passwd")`, trap},
		{"require", `return require("os")`, trap},
		{"os", `return os.exit(1)`, trap},
		{"io", `return io.open("/etc/passwd")`, trap},
		{"debug", `return debug.getregistry()`, trap},
		{"string.dump", `return string.dump(invoke)`, trap},
		{"collectgarbage", `return collectgarbage()`, trap},
		{"newproxy", `return newproxy(true)`, trap},
		{"getfenv", `return getfenv(0)`, trap},
		{"_printregs", `return _printregs()`, trap},
		{"channels", `return channel.make()`, trap},
		{"the metatable of strings", `getmetatable("").__index = nil`, trap},
		{"another metatable for strings", `setmetatable("", {})`, trap},
		{"the metatable of lists", `getmetatable(rhost.array()).__index = nil`, trap},
	})
}

// TestPoisoning changes what every script starts with; the next call finds
// nothing of it. RunAttacks runs each call twice.
func TestPoisoning(t *testing.T) {
	run(t, []attack{
		{"of globals", `assert(leak == nil) leak = 1 print = nil _G.pairs = nil`, ""},
		{"of libraries", `assert(string.leak == nil and ("x").leak == nil) string.leak = 1 string.format = nil`, ""},
		{"of services", `assert(rhost.leak == nil) rhost.leak = 1 rhost.emit = nil rhost.state.get = nil`, ""},
		{"of the globals' metatable", `assert(getmetatable(_G) == nil) setmetatable(_G, {__index = function() return 1 end})`, ""},
		{"of random numbers", `math.randomseed(1)`, ""},
	})
}

func TestOutsideInvoke(t *testing.T) {
	e := newEngine(t)
	sandboxtest.RunAttacks(t, e, sandbox.Limits{}, []sandboxtest.Attack{
		{Name: "an invoke that is none", Source: sandbox.Source{Name: "p", Bytes: []byte("function invoke() end invoke = 1")}, Kinds: []sandbox.FaultKind{sandbox.FaultABI}},
		{Name: "an invoke that was taken away", Source: sandbox.Source{Name: "p", Bytes: []byte("function invoke() end invoke = nil")}, Kinds: []sandbox.FaultKind{sandbox.FaultABI}},
	})
}
