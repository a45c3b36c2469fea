package js_test

import (
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

// work is what the benchmarks of overhead run, metered and plain.
var work = []struct{ name, body string }{
	{"calls", `const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(20)`},
	{"numbers", `let s = 0; for (let i = 0; i < 100000; i++) s = s + i % 7; return s`},
	{"arrays", `const t = []; for (let i = 0; i < 30000; i++) t[i % 100] = i; return t.length`},
	{"fields", `const t = {a: 1, b: 2}; for (let i = 0; i < 30000; i++) t.a = t.a + t.b; return t.a`},
	{"texts", `let s = ""; for (let i = 0; i < 5000; i++) s = ("x" + i).toUpperCase() + "y"; return s`},
	{"callbacks", `return new Array(10000).fill(2).map((x, i) => x * i).filter((x) => x % 3).reduce((a, b) => a + b, 0)`},
}

// BenchmarkCall is a warm call of a small guest with an event of 300 bytes.
func BenchmarkCall(b *testing.B) {
	bench(b, `return {user: call.event.data.user, port: call.event.data.port}`)
}

func bench(b *testing.B, body string) {
	b.Helper()
	e := newEngine(b)
	m, err := e.Compile(b.Context(), source(body))
	require.NoError(b, err)
	inst, err := m.New(b.Context(), sandbox.Limits{})
	require.NoError(b, err)
	call := &abi.Call{Match: abi.Match{ID: "m-1", Rule: "r", Tenant: "default"}, Event: event.Event{
		ID: "e-1", Source: "/sshd", Type: "ssh.failed",
		Data: []byte(`{"user":"root","port":51234,"address":"173.234.31.186","host":"LabSZ","pid":24200,"message":"Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2","tags":["auth","ssh"]}`),
	}}
	lim := sandbox.Limits{Fuel: 1 << 40, Memory: 1 << 40, Deadline: 1 << 40}
	var fuel int64
	b.ReportAllocs()
	for b.Loop() {
		_, usage, err := inst.Invoke(b.Context(), call, sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), lim))
		if err != nil {
			b.Fatal(err)
		}
		fuel = usage.Fuel
	}
	b.ReportMetric(float64(fuel), "fuel/op")
}

func BenchmarkMetered(b *testing.B) {
	for _, w := range work {
		b.Run(w.name, func(b *testing.B) { bench(b, w.body) })
	}
}

// BenchmarkPlain is the same work on the interpreter alone.
func BenchmarkPlain(b *testing.B) {
	for _, w := range work {
		b.Run(w.name, func(b *testing.B) {
			vm := goja.New()
			v, err := vm.RunScript("p.js", "(function () { \"use strict\"\n"+w.body+"\n})")
			require.NoError(b, err)
			fn, _ := goja.AssertFunction(v)
			for b.Loop() {
				if _, err := fn(goja.Undefined()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile is admission and compilation of a small script.
func BenchmarkCompile(b *testing.B) {
	e, src := newEngine(b), source(work[0].body)
	for b.Loop() {
		if _, err := e.Compile(b.Context(), src); err != nil {
			b.Fatal(err)
		}
	}
}
