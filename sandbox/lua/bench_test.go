package lua_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

const fib = `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end`

// work is what the benchmarks of overhead run, metered and plain.
var work = []struct{ name, body string }{
	{"calls", fib + ` return fib(22)`},
	{"numbers", `local s = 0 for i = 1, 300000 do s = s + i % 7 end return s`},
	{"tables", `local t = {} for i = 1, 60000 do t[i % 100] = i end return #t`},
	{"fields", `local t = {a = 1, b = 2} for i = 1, 60000 do t.a = t.a + t.b end return t.a`},
	{"texts", `local s = "" for i = 1, 10000 do s = ("x" .. i):upper() .. "y" end return s`},
}

// BenchmarkCall is a warm call of a small guest with an event of 300 bytes.
func BenchmarkCall(b *testing.B) {
	bench(b, `return {user = call.event.data.user, port = call.event.data.port}`)
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
			l := glua.NewState()
			defer l.Close()
			fn, err := l.LoadString(w.body)
			require.NoError(b, err)
			for b.Loop() {
				l.Push(fn)
				l.Call(0, 0)
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
