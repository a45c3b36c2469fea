package js_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/js"
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

func newEngine(testing.TB) sandbox.Engine { return js.New(js.Options{}) }

func guests() map[sandboxtest.Behaviour]sandbox.Source {
	bodies := map[sandboxtest.Behaviour]string{
		sandboxtest.Echo: `return call.with`,
		sandboxtest.Describe: `
			const {match: m, event: e} = call
			return {tenant: m.tenant, rule: m.rule, match: m.id, trigger: m.trigger, bind: m.bind, event: e.id,
				source: e.source, type: e.type, user: e.data.user, attempt: call.attempt, key: call.key, limit: rhost.config.limit}`,
		sandboxtest.EmitTwo: `
			rhost.emit("test.one", {n: 1})
			rhost.emit("test.two", {n: 2})
			rhost.notify("ops", {ok: true})`,
		sandboxtest.StateCounter: `
			const {value: count, version} = rhost.state.get("count") ?? {value: 0, version: 0}
			if (!rhost.state.cas("count", version, count + 1)) throw new Error("conflict")
			return {count: count + 1}`,
		sandboxtest.Fail:  `rhost.emit("x"); try { rhost.fail("broken") } catch (e) { return 1 } finally { return 2 }`,
		sandboxtest.Retry: `rhost.emit("x"); rhost.retry("later")`,
		sandboxtest.Drop:  `rhost.emit("x"); rhost.drop()`,
		sandboxtest.LeakCheck: `
			count++
			globalThis.count = (globalThis.count ?? 0) + 1
			Array.prototype.count = (Array.prototype.count ?? 0) + 1
			if ([].count !== count || globalThis.count !== count) throw new Error("leak")
			return {count}`,
		sandboxtest.LogLines: `
			rhost.log("debug", "one"); rhost.log("two"); console.warn("three"); rhost.error("four")`,
		sandboxtest.NowRandom: `
			const random = rhost.random(8).map((b) => b.toString(16).padStart(2, "0")).join("")
			return {now: rhost.now(), random}`,
		sandboxtest.Denied: `
			try { rhost.emit("x") } catch (e) { return {status: e.status} }
			return {status: "ok"}`,
		sandboxtest.EffectsBomb: `
			for (let accepted = 0; ; accepted++) {
				try { rhost.emit("x") } catch (e) { return {accepted, status: e.status} }
			}`,
		sandboxtest.InfiniteLoop: `for (;;) {}`,
		sandboxtest.MemoryBomb:   `const all = []; for (;;) all.push({})`,
		sandboxtest.StackBomb:    `const f = (n) => 1 + f(n + 1); return f(1)`,
		sandboxtest.HostCallBomb: `for (;;) rhost.now()`,
		sandboxtest.OutputBomb:   `return "x".repeat(512 * 1024)`,
		sandboxtest.Crash:        `throw new Error("boom")`,
	}
	guests := make(map[sandboxtest.Behaviour]sandbox.Source)
	for b, body := range bodies {
		guests[b] = sandbox.Source{
			Name: string(b), File: "plugins/" + string(b) + ".js",
			Bytes: []byte("let count = 0\nexport function invoke(call) {\n" + body + "\n}\n"),
		}
	}
	return guests
}
