package lua_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/lua"
	"github.com/rhost/rhost/sandbox/sandboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPromises(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Harness{
		Engine: newEngine,
		Guests: guests(),
		Limits: sandbox.Limits{Fuel: 1_000_000, Memory: 4 << 20},
	})
}

func newEngine(t testing.TB) sandbox.Engine {
	t.Helper()
	e, err := lua.New(lua.Options{})
	require.NoError(t, err)
	return e
}

func guests() map[sandboxtest.Behaviour]sandbox.Source {
	bodies := map[sandboxtest.Behaviour]string{
		sandboxtest.Echo: `return call.with`,
		sandboxtest.Describe: `
			local m, e = call.match, call.event
			return {tenant = m.tenant, rule = m.rule, match = m.id, trigger = m.trigger, bind = m.bind, event = e.id,
				source = e.source, type = e.type, user = e.data.user, attempt = call.attempt, key = call.key, limit = rhost.config.limit}`,
		sandboxtest.EmitTwo: `
			assert(rhost.emit("test.one", {n = 1}))
			assert(rhost.emit("test.two", {n = 2}))
			assert(rhost.notify("ops", {ok = true}))`,
		sandboxtest.StateCounter: `
			local count, version = rhost.state.get("count")
			if not count then count, version = 0, 0 end
			assert(rhost.state.cas("count", version, count + 1))
			return {count = count + 1}`,
		sandboxtest.Fail:  `rhost.emit("x") pcall(rhost.fail, "broken") return 1`,
		sandboxtest.Retry: `rhost.emit("x") rhost.retry("later")`,
		sandboxtest.Drop:  `rhost.emit("x") rhost.drop()`,
		sandboxtest.LeakCheck: `
			count = (count or 0) + 1
			string.count = (string.count or 0) + 1
			assert(string.count == count)
			return {count = count}`,
		sandboxtest.LogLines: `
			rhost.log("debug", "one") rhost.log("two") rhost.warn("three") rhost.log("error", "four")`,
		sandboxtest.NowRandom: `
			local hex = rhost.random(8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
			return {now = rhost.now(), random = hex}`,
		sandboxtest.Denied: `
			local ok, status = rhost.emit("x")
			return {status = ok and "ok" or status}`,
		sandboxtest.EffectsBomb: `
			local n = 0
			while true do
				local ok, status = rhost.emit("x")
				if not ok then return {accepted = n, status = status} end
				n = n + 1
			end`,
		sandboxtest.InfiniteLoop: `while true do end`,
		sandboxtest.MemoryBomb:   `local t = {} while true do t[#t + 1] = {} end`,
		sandboxtest.StackBomb:    `local function f(n) return 1 + f(n + 1) end return f(1)`,
		sandboxtest.HostCallBomb: `while true do rhost.now() end`,
		sandboxtest.OutputBomb:   `return ("x"):rep(512 * 1024)`,
		sandboxtest.Crash:        `error("boom")`,
	}
	guests := make(map[sandboxtest.Behaviour]sandbox.Source)
	for b, body := range bodies {
		guests[b] = sandbox.Source{Name: string(b), File: "plugins/" + string(b) + ".lua", Bytes: []byte("function invoke(call)\n" + body + "\nend\n")}
	}
	return guests
}
