package wasm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// BenchmarkCall measures a pristine call in an instance that is kept: input of
// some 300 bytes, and the memory put back afterwards.
func BenchmarkCall(b *testing.B) {
	e := newEngine(b)
	emits := New()
	input, emit := emits.Core(v1.FuncInput), emits.Service(v1.FuncEmit)
	emits.Invoke(nil, I32(4096), Get(0), Call(input), Drop(), ask(emit, put(emits, 100, message("account.locked", `{"user":"root"}`))), I32(0))
	for _, bb := range []struct {
		name   string
		module sandbox.Module
		with   string
	}{
		{"small guest reads its input", compile(b, e, "echo", echo()), `{"a":1}`},
		{"small guest emits an event", compile(b, e, "emits", emits.Bytes()), ""},
		{"Go guest reads and emits", goGuest(b), `{"do":"effects"}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			i := instance(b, bb.module, patient())
			call := callWith(bb.with)
			call.Event.Data = []byte(`{"user":"root","addr":"192.0.2.17","port":51234,"method":"password","host":"web-17.example.org","pid":24200,"message":"Failed password for root from 192.0.2.17 port 51234 ssh2"}`)
			call.Match.Bind = map[string][]string{"fail": {"0190a1b2-0000-7000-8000-000000000001", "0190a1b2-0000-7000-8000-000000000002"}}
			var usage sandbox.Usage
			b.ReportAllocs()
			for b.Loop() {
				s := sandbox.NewSession(sandbox.Services{}, abi.Capabilities(), patient())
				var err error
				_, usage, err = i.Invoke(b.Context(), call, s)
				if err != nil || !i.Reusable() {
					b.Fatal(err, i.Reusable())
				}
			}
			b.ReportMetric(float64(usage.Fuel), "fuel/op")
		})
	}
}

// BenchmarkNew measures making an instance of a module that has one already, and
// closing it.
func BenchmarkNew(b *testing.B) {
	e := newEngine(b)
	for _, bb := range []struct {
		name   string
		module sandbox.Module
	}{
		{"small guest", compile(b, e, "echo", echo())},
		{"Go guest", goGuest(b)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			instance(b, bb.module, patient())
			for b.Loop() {
				i, err := bb.module.New(b.Context(), patient())
				require.NoError(b, err)
				require.NoError(b, i.Close(b.Context()))
			}
		})
	}
}

// BenchmarkCompile measures admission and compilation without a cache.
func BenchmarkCompile(b *testing.B) {
	for name, src := range map[string][]byte{"small guest": echo(), "Go guest": conformanceGuest(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				e := newColdEngine(b)
				m, err := e.Compile(b.Context(), sandbox.Source{Name: "p", Bytes: src})
				require.NoError(b, err)
				require.NoError(b, m.Close(b.Context()))
				require.NoError(b, e.Close(b.Context()))
			}
		})
	}
}

// BenchmarkForeign measures calls of guests that were written for another host, each in
// an instance as start-up left it.
func BenchmarkForeign(b *testing.B) {
	e := newEngine(b)
	for _, bb := range []struct {
		name   string
		module sandbox.Module
	}{
		{"small Extism plugin copies its input", compile(b, e, "echo", extismEcho())},
		{"Extism plugin counts vowels", compile(b, e, "vowels", extismPlugin(b, "count_vowels.wasm"))},
		{"Go command copies its input", goCommand(b)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			slot := sandbox.NewSlot()
			require.NoError(b, slot.Swap(b.Context(), open{bb.module}, 1))
			call := callWith(`{"input":"hello world"}`)
			var usage sandbox.Usage
			b.ReportAllocs()
			for b.Loop() {
				var err error
				_, usage, err = slot.Call(b.Context(), call, roomy().session())
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(usage.Fuel), "fuel/op")
			require.NoError(b, slot.Close(b.Context()))
		})
	}
}

// open is a module that a slot does not close.
type open struct{ sandbox.Module }

func (open) Close(context.Context) error { return nil }
