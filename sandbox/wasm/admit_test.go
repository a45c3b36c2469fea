package wasm_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

func TestRefusalsSayWhatWasFoundAndWhatIsNeeded(t *testing.T) {
	e := newEngine(t)
	i32x1 := []byte{TypeI32}
	guest := func(change func(*Module)) []byte {
		m := New()
		change(m)
		m.Invoke(nil, I32(0))
		return m.Bytes()
	}
	bare := func(change func(*Module)) []byte {
		m := Bare()
		change(m)
		return m.Bytes()
	}
	for _, tt := range []struct {
		name string
		src  []byte
		want string
	}{
		{"empty file", nil, "load p: the file is empty"},
		{
			"text", []byte("hello"),
			"load p: offset 0x0: this is not WebAssembly but text",
		},
		{
			"component", []byte("\x00asm\x0d\x00\x01\x00"),
			"load p: offset 0x4: this is a component-model binary, not a core module; build a core module: for Go GOOS=wasip1 -buildmode=c-shared, for Rust --target wasm32-unknown-unknown or wasm32-wasip1, or unbundle the component",
		},
		{
			"nothing in it", bare(func(*Module) {}),
			"load p: exports no function rhost_abi_v1, the marker of ABI rhost.v1, and is neither an Extism plugin nor a WASI command; build it with an SDK of rhost (`rhost plugin new`), or export and import what abi/SPEC.md says",
		},
		{
			"later ABI", bare(func(m *Module) { m.Func("rhost_abi_v2", nil, nil, nil) }),
			"load p: speaks rhost.v2; this host offers rhost.v1",
		},
		{
			"Go built as a command", guest(func(m *Module) { m.Func("_start", nil, nil, nil) }),
			"load p: exports _start and no _initialize: it was built as a command, not as a reactor; for Go, build with -buildmode=c-shared; for C, with -mexec-model=reactor",
		},
		{
			"no invoke", New().Bytes(),
			"load p: exports no function rhost_invoke, which rhost.v1 needs; see the exports in abi/SPEC.md",
		},
		{
			"invoke of another type", func() []byte {
				m := New()
				m.Func(v1.ExportInvoke, nil, i32x1, nil, I32(0))
				return m.Bytes()
			}(),
			"load p: exports rhost_invoke with type () → (i32); it must be (i32) → (i32); see the exports in abi/SPEC.md",
		},
		{
			"marker that is a global", func() []byte {
				m := Bare()
				m.Memory(1, 1)
				m.Export(v1.ExportMemory, 2, 0)
				m.Export(v1.ExportMarker, 3, m.Global(1))
				m.Invoke(nil, I32(0))
				return m.Bytes()
			}(),
			"load p: exports rhost_abi_v1 as a global; it must be a function; see the exports in abi/SPEC.md",
		},
		{
			"no memory", bare(func(m *Module) {
				m.Func(v1.ExportMarker, nil, nil, nil)
				m.Invoke(nil, I32(0))
			}),
			"load p: exports no memory memory, which rhost.v1 needs; see the exports in abi/SPEC.md",
		},
		{
			"unknown service", guest(func(m *Module) { m.Service("teleport") }),
			"load p: needs rhost.v1.teleport, which no host up to 1.1 has; use a newer host, or list the function under optional in the manifest if the module can do without",
		},
		{
			"later version", guest(func(m *Module) { m.Import("rhost.v2", "input", nil, nil) }),
			"load p: needs rhost.v2.input; this host offers rhost.v1",
		},
		{
			"service of another type", guest(func(m *Module) { m.Import(v1.Module, "emit", i32x1, nil) }),
			"load p: imports rhost.v1.emit with type (i32) → (); it is (i32, i32, i32, i32) → (i64); see the imports in abi/SPEC.md",
		},
		{
			"the meter", guest(func(m *Module) { m.Import("rhost.meter", "refuel", nil, nil) }),
			"",
		},
		{
			"other module", guest(func(m *Module) { m.Import("env", "puts", i32x1, i32x1) }),
			"load p: needs env.puts, which this host does not know; a guest may import from rhost.v1 and wasi_snapshot_preview1",
		},
		{
			"AssemblyScript's abort", guest(func(m *Module) { m.Import("env", "abort", []byte{TypeI32, TypeI32, TypeI32, TypeI32}, nil) }),
			"load p: needs env.abort, which this host does not know; compile AssemblyScript with --use abort=",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: tt.src})
			assert.Nil(t, m)
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			if tt.want != "" {
				assert.EqualError(t, err, tt.want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	e := newEngine(t)
	m := New()
	m.Service(v1.FuncStateCAS)
	m.Service(v1.FuncEmit)
	m.Service(v1.FuncStateGet)
	m.Core(v1.FuncLog)
	m.Invoke(nil, I32(0))
	src := m.Bytes()
	info := compile(t, e, "p", src).Info()
	assert.Equal(t, sandbox.Info{
		Name: "p", Engine: "wasm", Digest: sandbox.Digest(src), ABI: "rhost.v1", Size: len(src), Runtime: info.Runtime,
		Needs:     []abi.Capability{abi.CapEmit, abi.CapState},
		Functions: []string{"emit", "log", "state_cas", "state_get"},
	}, info)
	assert.Regexp(t, "^wazero .*, cost model 1$", info.Runtime)
}

func TestCacheDirIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		e, err := wasm.New(wasm.Options{CacheDir: dir})
		require.NoError(t, err)
		m := compile(t, e, "echo", echo())
		reply, _, err := once(t, m, newWorld(), callWith(`{"a":1}`))
		require.NoError(t, err)
		assert.JSONEq(t, `{"a":1}`, string(reply.Output))
		t.Cleanup(func() { assert.NoError(t, e.Close(t.Context())) })
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	require.NoError(t, os.Chmod(dir, 0o777))
	_, err = wasm.New(wasm.Options{CacheDir: dir})
	assert.ErrorContains(t, err, "others may write to it (-rwxrwxrwx), and it holds code that is run; chmod 700 it")
}
