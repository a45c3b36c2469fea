package wasm_test

import (
	"testing"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
	"github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// conformanceGuest is a Go plugin that does what its arguments say.
func conformanceGuest(tb testing.TB) []byte {
	tb.Helper()
	return wasmtest.BuildGo(tb, "testdata/conformance")
}

// TestPromises runs the suite that all engines share.
func TestPromises(t *testing.T) {
	guests := make(map[sandboxtest.Behaviour]sandbox.Source)
	for b, src := range map[sandboxtest.Behaviour][]byte{
		sandboxtest.Echo:         echo(),
		sandboxtest.Describe:     conformanceGuest(t),
		sandboxtest.EmitTwo:      emitTwo(),
		sandboxtest.StateCounter: stateCounter(),
		sandboxtest.Fail:         verdict(1, "broken"),
		sandboxtest.Retry:        verdict(2, "later"),
		sandboxtest.Drop:         verdict(3, ""),
		sandboxtest.LeakCheck:    leakCheck(),
		sandboxtest.LogLines:     logLines(),
		sandboxtest.NowRandom:    nowRandom(),
		sandboxtest.Denied:       denied(),
		sandboxtest.EffectsBomb:  effectsBomb(),
		sandboxtest.InfiniteLoop: infiniteLoop(),
		sandboxtest.MemoryBomb:   memoryBomb(),
		sandboxtest.StackBomb:    stackBomb(),
		sandboxtest.HostCallBomb: hostCallBomb(),
		sandboxtest.OutputBomb:   outputBomb(),
		sandboxtest.Crash:        crash(),
	} {
		guests[b] = sandbox.Source{Name: string(b), File: string(b) + ".wasm", Bytes: src}
	}
	sandboxtest.Run(t, sandboxtest.Harness{
		Engine: func(tb testing.TB) sandbox.Engine { return newEngine(tb) },
		Guests: guests,
	})
}
