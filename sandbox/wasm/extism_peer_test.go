package wasm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/sandbox/wasm/extism"
)

// peerKernel is Extism's own kernel, a WebAssembly module.
type peerKernel struct{ api.Module }

func newPeerKernel(tb testing.TB) peerKernel {
	tb.Helper()
	src := extismFile(tb, "extism-runtime.wasm")
	ctx := context.WithoutCancel(tb.Context())
	rt := wazero.NewRuntime(ctx)
	tb.Cleanup(func() { require.NoError(tb, rt.Close(ctx)) })
	m, err := rt.Instantiate(ctx, src)
	require.NoError(tb, err)
	return peerKernel{m}
}

// call calls a function and returns its result, or 0.
func (p peerKernel) call(t require.TestingT, name string, args ...uint64) uint64 {
	results, err := p.ExportedFunction(name).Call(context.Background(), args...)
	require.NoError(t, err)
	if len(results) == 0 {
		return 0
	}
	return results[0]
}

// TestKernelAgreesWithExtisms does the same things with our kernel and Extism's and
// compares what a plugin can see of them. Handles differ; what they name must not.
func TestKernelAgreesWithExtisms(t *testing.T) {
	peer := newPeerKernel(t)
	rapid.Check(t, func(t *rapid.T) {
		ours := extism.New(make([]byte, 4<<20), func(uint64) bool { return true })
		input := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "input")
		require.NoError(t, ours.Reset(input))
		peer.call(t, "reset")
		type pair struct{ ours, peers uint64 }
		var live []pair
		if len(input) > 0 {
			h := peer.call(t, "alloc", uint64(len(input)))
			peer.Memory().Write(uint32(h), input)
			peer.call(t, "input_set", h, uint64(len(input)))
		}
		pick := func(what string) pair { return live[rapid.IntRange(0, len(live)-1).Draw(t, what)] }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			op := rapid.IntRange(0, 8).Draw(t, "op")
			if len(live) == 0 {
				op = 0
			}
			switch op {
			case 0, 1:
				n := rapid.Uint64Range(0, 2000).Draw(t, "n")
				h, err := ours.Alloc(n)
				require.NoError(t, err)
				p := pair{h, peer.call(t, "alloc", n)}
				require.Equal(t, p.peers == 0, p.ours == 0)
				for at := range n { // what a block held before is nobody's promise
					require.NoError(t, ours.Store8(p.ours+at, 0))
					peer.call(t, "store_u8", p.peers+at, 0)
				}
				if n > 0 {
					live = append(live, p)
				}
			case 2:
				i := rapid.IntRange(0, len(live)-1).Draw(t, "free")
				ours.Free(live[i].ours)
				peer.call(t, "free", live[i].peers)
				live = append(live[:i], live[i+1:]...)
			case 3, 4:
				p := pick("store")
				if n := ours.Length(p.ours); n >= 8 {
					at, v := rapid.Uint64Range(0, n-8).Draw(t, "at"), rapid.Uint64().Draw(t, "v")
					require.NoError(t, ours.Store64(p.ours+at, v))
					peer.call(t, "store_u64", p.peers+at, v)
				}
			case 5:
				p := pick("output")
				n := rapid.Uint64Range(0, ours.Length(p.ours)).Draw(t, "length")
				require.NoError(t, ours.SetOutput(p.ours, n))
				peer.call(t, "output_set", p.peers, n)
				require.Equal(t, peer.call(t, "output_length"), ours.OutputLength())
			case 6:
				p := pick("error")
				require.NoError(t, ours.SetError(p.ours))
				peer.call(t, "error_set", p.peers)
				require.Equal(t, p.peers, peer.call(t, "error_get"))
				require.Equal(t, p.ours, ours.ErrorHandle())
			case 7:
				at := rapid.Uint64Range(0, 120).Draw(t, "at")
				require.Equal(t, uint32(peer.call(t, "input_load_u8", at)), uint32(ours.LoadInput8(at)), "byte %d of %d", at, len(input))
				require.Equal(t, peer.call(t, "input_load_u64", at), ours.LoadInput64(at), "bytes at %d of %d", at, len(input))
			}
			require.Equal(t, peer.call(t, "input_length"), ours.InputLength())
			for _, p := range live {
				n := peer.call(t, "length", p.peers)
				require.Equal(t, n, ours.Length(p.ours))
				b, err := ours.Bytes(p.ours)
				require.NoError(t, err)
				theirs, ok := peer.Memory().Read(uint32(p.peers), uint32(n))
				require.True(t, ok)
				require.Equal(t, theirs, b)
			}
		}
	})
}
