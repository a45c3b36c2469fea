package lua_test

import (
	"testing"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
)

// TestLanguage checks what scripts compute; most of it the parts of the library
// that this package has its own versions of.
func TestLanguage(t *testing.T) {
	var attacks []sandboxtest.Attack
	for _, tt := range []struct{ body, want string }{
		// patterns
		{`return {("hello world"):find("wor")}`, `[7,9]`},
		{`return {("hello world"):find("o w", 1, true)}`, `[5,7]`},
		{`return {("hello"):find("l+")}`, `[3,4]`},
		{`return {("hello"):find("(l)(l)")}`, `[3,4,"l","l"]`},
		{`return {("hello"):find("")}`, `[1,0]`},
		{`return {("hello"):find("", 10)}`, `{}`},
		{`return ("hello"):find("xyz") == nil`, `true`},
		{`return {("key = value"):match("^(%w+)%s*=%s*(%w+)$")}`, `["key","value"]`},
		{`return {("2026-03-01"):match("(%d+)-(%d+)-(%d+)")}`, `["2026","03","01"]`},
		{`return ("  trim  "):match("^%s*(.-)%s*$")`, `"trim"`},
		{`return ("f(a(b)c)d"):match("%b()")`, `"(a(b)c)"`},
		{`return ("THE (quick) fox"):find("%((%a+)%)")`, `5`},
		{`return {("hello"):match("()ll()")}`, `[3,5]`},
		{`return ("say 'hi' and \"ho\""):match("(['\"])(.-)%1")`, `"'"`},
		{`return ("THE (quick) fox"):gsub("%f[%a]%a+", "x")`, `"x (x) x"`},
		{`return ("[a]"):match("[]]")`, `"]"`},
		{`return ("a-b"):match("[a%-]+")`, `"a-"`},
		{`return ("x^y"):match("[^^]+")`, `"x"`},
		{`return ("abc"):gsub("%w", "%0%0")`, `"aabbcc"`},
		{`return {("hello world"):gsub("o", "0", 1)}`, `["hell0 world",1]`},
		{`return ("hello"):gsub("", "-")`, `"-h-e-l-l-o-"`},
		{`return ("$name is $age"):gsub("%$(%w+)", {name = "Bob", age = 42})`, `"Bob is 42"`},
		{`return ("abc"):gsub("b", function() return nil end)`, `"abc"`},
		{`return ("abc"):gsub("(a)(b)", "%2%1")`, `"bac"`},
		{`return ("100%"):gsub("%%", "%%%%")`, `"100%%"`},
		{`local t = {} for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do t[k] = v end return t`, `{"a":"1","b":"2"}`},
		{`local t = {} for w in ("one two"):gmatch("%a+") do t[#t + 1] = w end return t`, `["one","two"]`},
		{`local n = 0 for _ in ("abc"):gmatch("") do n = n + 1 end return n`, `4`},
		{`return select(2, pcall(string.find, "x", "[a"))`, `"p.lua:2: malformed pattern (missing ']')"`},
		{`return select(2, pcall(string.find, "x", "%"))`, `"p.lua:2: malformed pattern (ends with '%')"`},
		{`return select(2, pcall(string.gsub, "x", "x", "%2"))`, `"p.lua:2: invalid capture index"`},
		// formats
		{`return ("%d|%5d|%-5d|%05d"):format(42, 42, 42, 42)`, `"42|   42|42   |00042"`},
		{`return ("%.2f|%8.3f|%e|%g"):format(3.14159, 2.5, 12345, 0.1)`, `"3.14|   2.500|1.234500e+04|0.1"`},
		{`return ("%x|%X|%#x|%o"):format(255, 255, 255, 8)`, `"ff|FF|0xff|10"`},
		{`return ("%s|%10s|%-10s|%.2s|%05s"):format("abc", "abc", "abc", "abc", "abc")`, `"abc|       abc|abc       |ab|  abc"`},
		{`return ("%q"):format('a "b"\n')`, `"\"a \\\"b\\\"\\\n\""`},
		{`return ("%c%c%%"):format(72, 105)`, `"Hi%"`},
		{`return ("%s %s"):format(nil, true)`, `"nil true"`},
		{`return ("%f %g"):format(1/0, -1/0)`, `"inf -inf"`},
		{`return ("%d"):format("10")`, `"10"`},
		// strings
		{`return {("abc"):byte(1, -1)}`, `[97,98,99]`},
		{`return {("abc"):byte(10)}`, `{}`},
		{`return string.char(72, 105)`, `"Hi"`},
		{`return {("abc"):rep(3), ("abc"):rep(0), ("abc"):rep(-1), ("abc"):rep(2.9)}`, `["abcabcabc","","","abcabc"]`},
		{`return {("abc"):upper(), ("ABC"):lower(), ("abc"):reverse(), ("abc"):len(), #"abc"}`, `["ABC","abc","cba",3,3]`},
		{`return {("hello"):sub(2, 3), ("hello"):sub(-3), ("hello"):sub(2)}`, `["el","llo","ello"]`},
		{`return 1 .. "a" .. 2.5`, `"1a2.5"`},
		{`return "10" + 5`, `15`},
		// tables
		{`local t = {3, 1, 2} table.sort(t) return t`, `[1,2,3]`},
		{`local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t`, `[3,2,1]`},
		{`local t = {"b", "c", "a"} table.sort(t) return table.concat(t, ",")`, `"a,b,c"`},
		{`local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return t`, `[0,1,2,3]`},
		{`local t = {1, 2, 3} return {table.remove(t), table.remove(t, 1), #t, table.remove(t, 9) == nil}`, `[3,1,1,true]`},
		{`return table.concat({1, 2, 3}, "-", 2, 3)`, `"2-3"`},
		{`return table.concat({})`, `""`},
		{`return {unpack({1, 2, 3}, 2)}`, `[2,3]`},
		{`return {table.maxn({1, 2}), table.getn({1, 2})}`, `[2,2]`},
		{`local t = {} for i, v in ipairs({"a", "b", nil, "d"}) do t[i] = v end return t`, `["a","b"]`},
		{`local t = {} for k in pairs({z = 1, y = 2, x = 3, 10, 20}) do t[#t + 1] = k end return t`, `[1,2,"z","y","x"]`},
		{`return {next({}), next({5})}`, `{"2":1,"3":5}`},
		{`local t = {1, 2, 3} t[#t] = nil return #t`, `2`},
		{`return rawget(setmetatable({}, {__index = {x = 1}}), "x") == nil`, `true`},
		// errors
		{`return {pcall(error, "boom")}`, `[false,"p.lua:2: boom"]`},
		{`return {pcall(error, {code = 7})}`, `[false,{"code":7}]`},
		{`local ok, e = pcall(function() local x = nil return x.y end) return e:match("p.lua:2") ~= nil`, `true`},
		{`return {xpcall(function() error("x", 0) end, function(e) return e .. "!" end)}`, `[false,"x!"]`},
		{`return {xpcall(function() return 1, 2 end, error)}`, `[true,1,2]`},
		{`return {pcall(function(...) return select("#", ...), ... end, 1, nil, 3)}`, `[true,3,1,null,3]`},
		{`local f local ok = pcall(function() local x = 5 f = function() return x end error("e") end) return f()`, `5`},
		{`return select(2, pcall(function() local t = {} t[t.x.y] = 1 end)):match("table: 0x") == nil`, `true`},
		{`return select(2, pcall(function() return nil .. {} end)):find("concat") ~= nil`, `true`},
		// coroutines
		{`local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
			local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return {x, y, coroutine.status(co)}`, `[2,20,"dead"]`},
		{`local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {gen(), gen(), gen()}`, `[1,2,3]`},
		{`return {coroutine.resume(coroutine.create(function() error("x", 0) end))}`, `[false,"x"]`},
		{`local co = coroutine.wrap(function() return pcall(function() coroutine.yield(1) error("e", 0) end) end) return {co()}`, `[false,"p.lua:2: attempt to yield across a C-call boundary"]`},
		// numbers and text
		{`return {1, 1.5, -0, 1e15, 2^53, 0.1}`, `[1,1.5,0,1000000000000000,9007199254740992,0.1]`},
		{`return {tonumber("0x10"), tonumber("10", 2), tonumber("  5  "), tonumber("x") == nil}`, `[16,2,5,true]`},
		{`return {tostring(1), tostring(1.5), tostring(true), tostring(nil)}`, `["1","1.5","true","nil"]`},
		{`local t, f = {}, print return {tostring(t), tostring(f), tostring(t)}`, `["table: 1","function: 2","table: 1"]`},
		{`math.randomseed(7) local a = math.random(100) math.randomseed(7) return a == math.random(100) and a >= 1 and a <= 100`, `true`},
		{`return {math.floor(1.7), math.max(1, 3, 2), math.huge > 1e308, math.random() < 1}`, `[1,3,true,true]`},
		// JSON
		{`return {}`, `{}`},
		{`return rhost.array()`, `[]`},
		{`return {list = rhost.array({}), object = {}}`, `{"list":[],"object":{}}`},
		{`return {1, nil, 3}`, `[1,null,3]`},
		{`return {[10] = "a", [20] = "b"}`, `{"10":"a","20":"b"}`},
		{`return "é\n\t\"\\\1"`, `"é\n\t\"\\\u0001"`},
		{`return "\255"`, `"�"`},
		{`return call.event.data`, `{"user":"root","port":22,"tags":["a",null,"b"],"none":[],"odd \"key\"":"é\n"}`},
		{`return {call.event.data.tags[1], #call.event.data.tags, call.event.data.absent == nil, call.event.ext.region}`, `["a",3,true,"eu"]`},
		{`rhost.state.set("k", {a = {1}}) local v, version = rhost.state.get("k") return {v, version}`, `[{"a":[1]},1]`},
		{`rhost.state.set("k", 1) rhost.state.delete("k") return {rhost.state.get("k")}`, `{"2":"not_found"}`},
		{`return {rhost.state.cas("k", 5, 1)}`, `{"2":"conflict"}`},
		{`return {rhost.random(5000)}`, `{"2":"limit"}`},
		{`return {rhost.kv.get("text"), #rhost.kv.get("bytes"), rhost.kv.get("none")}`, `["héllo",2,null,"not_found"]`},
		{`assert(rhost.kv.set("k", "\255\0", 1000)) local v = rhost.kv.get("k") return {#v, v:byte(1), v:byte(2)}`, `[2,255,0]`},
		{`rhost.kv.delete("text") return {rhost.kv.get("text")}`, `{"2":"not_found"}`},
		{`return {rhost.kv.set("", "x")}`, `{"2":"invalid"}`},
		{`return {pcall(rhost.kv.set, "k", "x", -1)}`, `[false,"p.lua:2: bad argument #3 to (anonymous) (a time to live is in milliseconds, 0 for ever)"]`},
		{`local r = rhost.http{url = "https://a.example/x"} return {r.status, r.headers, r.body}`, `[404,{"content-type":"text/plain","x-n":"1, b"},"GET https://a.example/x "]`},
		{`rhost.http{url = "u"} return rhost.http{url = "u", method = "put", body = {a = 1}, headers = {["X-A"] = 5}}.body`, `"PUT u {\"a\":1} X-A=5 content-type=application/json"`},
		{`return #rhost.http{url = "u", body = "\255\0"}.body`, `48`},
		{`return {rhost.http{url = "https://elsewhere.example/"}}`, `{"2":"denied"}`},
		{`return {rhost.http{url = "https://a.example/slow", timeout = 5}}`, `{"2":"timeout"}`},
		{`return {pcall(rhost.http, {uri = "u"})}`, `[false,"p.lua:2: bad argument #1 to (anonymous) (http takes {url, method, headers, body, timeout}: unknown field \"uri\")"]`},
		{`return {rhost.secret("token"), rhost.secret("other")}`, `["s3cret",null,"not_found"]`},
		{`return {rhost.has("http"), rhost.has("kv_get"), rhost.has("has"), rhost.has("teleport")}`, `[true,true,true,null,"unsupported"]`},
		{`return {rhost.json.encode({a = {1, "é"}}), rhost.json.decode('{"a":[1,null]}').a[1], rhost.json.decode("{")}`, `["{\"a\":[1,\"é\"]}",1,null,"invalid"]`},
		{`return {rhost.emit("")}`, `{"2":"invalid"}`},
		{`return {pcall(rhost.emit, "x", print)}`, `[false,"p.lua:2: bad argument #2 to (anonymous) (a function has no JSON form)"]`},
	} {
		attacks = append(attacks, sandboxtest.Attack{Name: tt.body, Source: source(tt.body), Output: tt.want})
	}
	sandboxtest.RunAttacks(t, newEngine(t), sandbox.Limits{}, attacks)
}
