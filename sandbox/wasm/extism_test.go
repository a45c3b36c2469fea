package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm"
	"github.com/rhost/rhost/sandbox/wasm/extism"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// extismSDK is the module that the plugins of these tests come with.
const extismSDK = "github.com/extism/go-sdk@v1.7.1"

// extismPlugin reads a plugin that comes with Extism's Go SDK.
func extismPlugin(tb testing.TB, name string) []byte {
	tb.Helper()
	return extismFile(tb, filepath.Join("wasm", name))
}

// extismFile reads a file of Extism's Go SDK, from the module cache.
func extismFile(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := exec.CommandContext(tb.Context(), "go", "mod", "download", "-json", extismSDK).Output()
	if err != nil {
		tb.Skipf("%s of %s is needed: go mod download %s: %v", name, extismSDK, extismSDK, err)
	}
	var module struct{ Dir string }
	require.NoError(tb, json.Unmarshal(text, &module))
	src, err := os.ReadFile(filepath.Join(module.Dir, name))
	require.NoError(tb, err)
	return src
}

// output is a reply that is ok.
func gives(text string) abi.Reply { return abi.Reply{Output: json.RawMessage(text)} }

func failure(message string) abi.Reply { return abi.Reply{Result: abi.ResultFail, Message: message} }

// TestRealExtismPlugins runs the plugins that Extism tests its own hosts with, each as
// it is, and expects what those tests expect.
func TestRealExtismPlugins(t *testing.T) {
	e := newEngine(t)
	read := func(plugin string) sandbox.Module { return compile(t, e, plugin, extismPlugin(t, plugin)) }
	const noFile = "/mnt/test.txt" // a plugin has no files
	for _, tt := range []struct {
		plugin string
		export string // "" is the one that stands out
		input  string
		config string
		want   abi.Reply
		lines  []string
	}{
		{plugin: "alloc.wasm"},
		{plugin: "config.wasm", config: `{"thing":"hello"}`, want: gives(`{"config": "hello"}`)},
		{plugin: "config.wasm", config: `{}`, want: gives(`{"config": "<unset by host>"}`)},
		{plugin: "count_vowels.wasm", export: "count_vowels", input: "hello world", want: gives(`{"count":3,"total":3,"vowels":"aeiouAEIOU"}`)},
		{plugin: "count_vowels.wasm", input: "aaaaaa", want: gives(`{"count":6,"total":6,"vowels":"aeiouAEIOU"}`)},
		{plugin: "count_vowels.wasm", input: "bbbbbbb", want: gives(`{"count":0,"total":0,"vowels":"aeiouAEIOU"}`)},
		{plugin: "count_vowels.wasm", want: gives(`{"count":0,"total":0,"vowels":"aeiouAEIOU"}`)},
		{plugin: "count_vowels_std.wasm", input: "hello world", want: gives(`{"count": 3, "config": "<unset by host>", "a": "this is var a"}`)},
		{plugin: "exit.wasm", config: `{"code":"-1"}`, want: failure("ended with code -1")},
		{plugin: "exit.wasm", config: `{"code":"500"}`, want: failure("ended with code 500")},
		{plugin: "exit.wasm", config: `{"code":"abc"}`, want: failure("ended with code 1")},
		{plugin: "exit.wasm", export: "_start", want: failure("ended with code 2")},
		{plugin: "exit.wasm", config: `{"code":"75"}`, want: abi.Reply{Result: abi.ResultRetry, Message: "ended with code 75"}},
		{plugin: "fail.wasm", want: failure("Some error message")},
		{plugin: "fs.wasm", want: failure("ended with code 1"), lines: []string{"error open " + noFile + ": errno 76"}},
		{plugin: "fs_std.wasm", want: failure("ended with code 1"), lines: []string{"error open " + noFile + ": Not implemented on wasip1"}},
		{plugin: "hello.wasm", want: gives(`"Hello, world!"`)},
		{plugin: "hello_haskell.wasm", input: "John", config: `{"greeting":"Howdy"}`, want: gives(`"Howdy, John"`)},
		{plugin: "input_offset.wasm", input: "hello world", want: gives(`"\u000b\u0000\u0000\u0000\u0000\u0000\u0000\u0000"`)},
		{plugin: "lib.wasm"},
		{plugin: "log.wasm", lines: []string{"debug this is a trace log", "debug this is a debug log", "info this is an info log", "warn this is a warning log", "error this is an error log"}},
		{plugin: "nested.c.instr.wasm", want: gives(`"Hello from Wasm!"`)},
		{plugin: "noop.wasm"},
		{plugin: "noop.wasm", export: "run_test"},
		{plugin: "println.wasm", input: "hi", lines: []string{"info this was printed from the plugin hi"}},
		{plugin: "read_write.wasm", export: "try_read", config: `{"path":"` + noFile + `"}`, want: failure("Failed to read file")},
		{plugin: "read_write.wasm", export: "try_write", config: `{"path":"` + noFile + `"}`, want: failure("Failed to read file")},
		{plugin: "replace.wasm", input: strings.Repeat("a test b ", 4000), want: gives(`"` + strings.Repeat("a wasm b ", 4000) + `"`)},
		{plugin: "sleep.wasm", config: `{"duration":"0"}`, want: gives(`"slept for 0 seconds"`)},
		{plugin: "std_command.wasm", input: "ben", want: gives(`"hello ben"`)},
		{plugin: "var.wasm", want: gives(`"a: 0"`)},
	} {
		t.Run(strings.Join([]string{tt.plugin, tt.export, tt.config}, " "), func(t *testing.T) {
			w := newWorld()
			w.grant = abi.Grant{abi.CapConfig}
			w.limits.Memory, w.limits.Fuel = 32<<20, 100_000_000
			in, err := json.Marshal(tt.input)
			require.NoError(t, err)
			call := callWith(`{"input":` + string(in) + `}`)
			call.Config = json.RawMessage(tt.config)
			call.Export = tt.export
			reply, _, err := once(t, read(tt.plugin), w, call)
			require.NoError(t, err)
			if want := tt.want.Message; strings.HasPrefix(want, "Failed") {
				assert.Contains(t, reply.Message, want)
				reply.Message = want
			}
			assert.Equal(t, tt.want, reply)
			assert.Equal(t, tt.lines, w.lines)
		})
	}
}

// A plugin that sleeps for seconds is stopped: time does not pass while it waits, it has
// to look at the clock over and over.
func TestExtismPluginThatSleeps(t *testing.T) {
	m := compile(t, newEngine(t), "sleep", extismPlugin(t, "sleep.wasm"))
	call := callWith(`{}`)
	call.Config = json.RawMessage(`{"duration":"3"}`)
	_, _, err := once(t, m, newWorld(), call)
	assert.Equal(t, sandbox.FaultFuel, sandbox.KindOf(err), "%v", err)

	w := newWorld()
	w.limits.Fuel, w.limits.Deadline = 1<<50, 20*time.Millisecond
	call.Config = json.RawMessage(`{"duration":"1000000"}`)
	_, _, err = once(t, m, w, call)
	assert.Equal(t, sandbox.FaultDeadline, sandbox.KindOf(err), "%v", err)
}

// commit is what a host does with the effects of a call.
func (w *world) commit(effects []abi.Effect) {
	if w.state == nil {
		w.state = make(map[string]json.RawMessage)
	}
	for _, e := range effects {
		w.state[e.Name] = e.Value
	}
}

func TestExtismVariables(t *testing.T) {
	e := newEngine(t)
	m := compile(t, e, "vowels", extismPlugin(t, "count_vowels.wasm"))
	assert.Equal(t, []abi.Capability{abi.CapState, abi.CapConfig}, m.Info().Needs)

	// With state they last, in the tenant's state.
	w := newWorld()
	for _, c := range []struct{ text, want string }{{"aaa", `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`}, {"bbba", `{"count":1,"total":4,"vowels":"aeiouAEIOU"}`}} {
		reply, _, err := once(t, m, w, callWith(`{"input":"`+c.text+`"}`))
		require.NoError(t, err)
		assert.Equal(t, c.want, string(reply.Output))
		w.commit(reply.Effects)
	}
	assert.Equal(t, map[string]json.RawMessage{"extism/vowels/total": json.RawMessage(`"4"`)}, w.state)

	// Without it, each call begins without any, in the same instance as well.
	w.grant = abi.Grant{abi.CapConfig}
	for range 3 {
		reply, _, err := once(t, m, w, callWith(`{"input":"aaa"}`))
		require.NoError(t, err)
		assert.JSONEq(t, `{"count":3,"total":3,"vowels":"aeiouAEIOU"}`, string(reply.Output))
		assert.Empty(t, reply.Effects)
	}
	m = compile(t, e, "counter", extismCounter())
	i := instance(t, m, w.limits)
	for range 3 {
		reply, _, err := i.Invoke(t.Context(), callWith(""), w.session())
		require.NoError(t, err)
		assert.Equal(t, `"x"`, string(reply.Output))
		require.True(t, i.Reusable(), "nor in an instance that is kept")
	}

	// Values need not be text.
	m = compile(t, e, "doubles", extismPlugin(t, "var.wasm"))
	for _, c := range []struct{ stored, want string }{
		{`"\n\u0000\u0000\u0000"`, `"\u0014\u0000\u0000\u0000"`},
		{`{"base64":"CgAAAA=="}`, `"\u0014\u0000\u0000\u0000"`},
		{`{"base64":"QAAAAA=="}`, `{"base64":"gAAAAA=="}`},
	} {
		w := newWorld()
		w.state = map[string]json.RawMessage{"extism/doubles/a": json.RawMessage(c.stored)}
		reply, _, err := once(t, m, w, callWith(""))
		require.NoError(t, err)
		assert.Equal(t, []abi.Effect{{Kind: abi.EffectStateSet, Name: "extism/doubles/a", Value: json.RawMessage(c.want)}}, reply.Effects)
	}
}

// A plugin that is not told what its input is gets the call.
func TestExtismInputIsTheCall(t *testing.T) {
	m := compile(t, newEngine(t), "p", extismEcho())
	for _, tt := range []struct{ with, want string }{
		{`{"a":[1,null]}`, `{"event":{"specversion":"1.0","id":"e1","source":"/sshd","type":"ssh.failed","data":{"user":"bob"}},
			"with":{"a":[1,null]},"match":{"tenant":"default","rule":"burst","version":"v1","id":"m1","at":"2026-02-28T23:00:00Z","trigger":"e1","bind":{}},
			"attempt":1,"key":"k1"}`},
		{`{"input":"some \"text\""}`, `"some \"text\""`},
		{`{"input":"{\"n\": 1}"}`, `{"n": 1}`},
		{`{"input":{"n": 1}}`, `{"n": 1}`},
		{`{"input":12.5}`, `12.5`},
		{`{"input":"12.5"}`, `12.5`},
	} {
		reply, _, err := once(t, m, newWorld(), callWith(tt.with))
		require.NoError(t, err)
		assert.JSONEq(t, tt.want, string(reply.Output))
	}
	for _, with := range []string{`{"input":null}`, `{"input":""}`} {
		reply, _, err := once(t, m, newWorld(), callWith(with))
		require.NoError(t, err)
		assert.Nil(t, reply.Output, "no input, no output")
	}
	call := callWith("")
	call.Event.Type, call.Match.Trigger = "", "time"
	reply, _, err := once(t, m, newWorld(), call)
	require.NoError(t, err)
	assert.Contains(t, string(reply.Output), `{"event":null,"with":{},"match":`)
}

func TestExtismExports(t *testing.T) {
	e := newEngine(t)
	m := compile(t, e, "rw", extismPlugin(t, "read_write.wasm"))
	assert.Equal(t, []string{"try_read", "try_write"}, m.Info().Exports)
	assert.Empty(t, m.Info().Entry)
	assert.Equal(t, "extism", m.Info().ABI)
	for _, tt := range []struct{ export, with, want string }{
		{"", "", "which function is to be called? it exports try_read, try_write; say so with export: NAME"},
		{"try_raed", "", `there is no function "try_raed" to call; it exports try_read, try_write`},
		{"try_read", `{"export":"_initialize"}`, `there is no function "_initialize" to call`},
		{"", `{"export":7}`, "with.export: write the name of a function"},
	} {
		call := callWith(tt.with)
		call.Export = tt.export
		_, _, err := once(t, m, newWorld(), call)
		assert.Equal(t, sandbox.FaultABI, sandbox.KindOf(err))
		assert.ErrorContains(t, err, tt.want)
	}

	two := kernelModule()
	kernelCall(two, "reset")
	two.Func("first", nil, []byte{TypeI32}, nil, I32(1))
	two.Func("second", nil, []byte{TypeI32}, nil, I32(2))
	two.Func("run", nil, nil, nil)
	m = compile(t, e, "two", two.Bytes())
	assert.Equal(t, "run", m.Info().Entry)
	for _, tt := range []struct{ export, with, want string }{
		{"", "", ""},
		{"first", "", "ended with code 1"},
		{"first", `{"export":"second"}`, "ended with code 2"}, // the step knows better
	} {
		call := callWith(tt.with)
		call.Export = tt.export
		reply, _, err := once(t, m, newWorld(), call)
		require.NoError(t, err)
		assert.Equal(t, tt.want, reply.Message)
	}
}

// Plugins that need something of their own host get it from a program that offers it.
func TestExtismHostFunctions(t *testing.T) {
	i64 := []fuel.ValueType{fuel.I64}
	text := func(change func(string) string) func(context.Context, *extism.Kernel, []uint64) error {
		return func(_ context.Context, k *extism.Kernel, args []uint64) error {
			b, err := k.Bytes(args[0])
			if err != nil {
				return err
			}
			args[0], err = k.Put([]byte(change(string(b))))
			return err
		}
	}
	e, err := wasm.New(wasm.Options{CacheDir: sharedCache(t), HostFunctions: []wasm.HostFunction{
		{Name: "mult", Params: []fuel.ValueType{fuel.I64, fuel.I64}, Results: i64, Call: func(_ context.Context, _ *extism.Kernel, a []uint64) error {
			a[0] *= a[1]
			return nil
		}},
		{Module: "host", Name: "to_upper", Params: i64, Results: i64, Call: text(strings.ToUpper)},
		{Name: "hostGreenMessage", Params: i64, Results: i64, Call: text(func(s string) string { return "green:" + s })},
		{Name: "hostPurpleMessage", Params: i64, Results: i64, Call: text(func(s string) string { return "purple:" + s })},
	}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close(context.WithoutCancel(t.Context()))) }()
	for _, tt := range []struct{ plugin, export, input, want string }{
		{"host.wasm", "", "", "42 x 2 = 84"},
		{"host_memory.wasm", "", "Frodo", "HELLO FRODO!"},
		{"host_multiple.wasm", "say_green", "John Doe", "green:🫱 Hey from say_green John Doe"},
		{"host_multiple.wasm", "say_purple", "Jane Doe", "purple:👋 Hello from say_purple Jane Doe"},
	} {
		m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: extismPlugin(t, tt.plugin)})
		require.NoError(t, err)
		w := newWorld()
		call := callWith(`{"input":"` + tt.input + `"}`)
		call.Export = tt.export
		reply, usage, err := once(t, m, w, call)
		require.NoError(t, err)
		assert.Equal(t, tt.want, strings.Trim(string(reply.Output), `"`))
		assert.Positive(t, usage.HostCalls, "it counts as a service")
		require.NoError(t, m.Close(t.Context()))
	}

	_, err = wasm.New(wasm.Options{HostFunctions: []wasm.HostFunction{{Module: "rhost.v1", Name: "emit"}}})
	assert.EqualError(t, err, "host function rhost.v1.emit: the module is the engine's own")
}

func TestExtismPluginsThatNeedTheirHost(t *testing.T) {
	e := newEngine(t)
	for plugin, want := range map[string]string{
		"host.wasm":          "load p: this is an Extism plugin that needs the host function extism:host/user.mult; only the host that it was written for has it",
		"host_multiple.wasm": "needs the host function extism:host/user.host",
		"host_memory.wasm":   "needs host.to_upper, of another module or of its own host",
		"main.wasm":          "load p: this is an Extism plugin that needs lib.capitalize, of another module or of its own host; link the modules into one first, as wasm-merge does, if that is another module; only the host that it was written for has it otherwise",
	} {
		_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: extismPlugin(t, plugin)})
		var refusal *sandbox.Refusal
		require.ErrorAs(t, err, &refusal)
		assert.ErrorContains(t, err, want, plugin)
	}
}

// Plugins give the same answer, for the same fuel, in an instance that has served other
// calls as in a new one.
func TestExtismCallsArePristine(t *testing.T) {
	e := newEngine(t)
	for plugin, input := range map[string]string{
		"count_vowels.wasm": "hello world", "replace.wasm": "a test", "hello_haskell.wasm": "John", "config.wasm": "", "std_command.wasm": "ben", "println.wasm": "x",
	} {
		t.Run(plugin, func(t *testing.T) {
			m := compile(t, e, plugin, extismPlugin(t, plugin))
			w := newWorld()
			w.limits.Memory = 32 << 20
			call := callWith(`{"input":"` + input + `"}`)
			i := instance(t, m, w.limits)
			first, usage, err := i.Invoke(t.Context(), call, w.session())
			require.NoError(t, err)
			for range 3 {
				if i.Reusable() {
					_, _, err := i.Invoke(t.Context(), callWith(`{"input":"`+strings.Repeat("quite another text ", 100)+`"}`), w.session())
					require.NoError(t, err)
				}
				if !i.Reusable() {
					i = instance(t, m, w.limits)
				}
				again, usageAgain, err := i.Invoke(t.Context(), call, w.session())
				require.NoError(t, err)
				assert.Equal(t, first, again)
				assert.Equal(t, usage.Fuel, usageAgain.Fuel)
				assert.Equal(t, usage.PeakMemory, usageAgain.PeakMemory)
			}
			short := newWorld()
			short.limits.Memory, short.limits.Fuel = 32<<20, usage.Fuel
			_, _, err = once(t, m, short, call)
			require.NoError(t, err, "a budget of what it uses is enough")
			short.limits.Fuel--
			_, _, err = once(t, m, short, call)
			assert.Equal(t, sandbox.FaultFuel, sandbox.KindOf(err), "and one less is too little: %v", err)
		})
	}
}

// A plugin's large output and input take no more memory than the call may have.
func TestExtismMemoryIsShared(t *testing.T) {
	m := compile(t, newEngine(t), "p", extismEcho())
	w := newWorld()
	w.limits.Memory, w.limits.Fuel = 1<<20, 1<<40
	text := func(n int) *abi.Call { return callWith(`{"input":"` + string(bytes.Repeat([]byte{'x'}, n)) + `"}`) }
	_, usage, err := once(t, m, w, text(200_000))
	require.NoError(t, err)
	assert.Greater(t, usage.PeakMemory, int64(400_000), "the kernel's memory is the guest's")
	_, _, err = once(t, m, w, text(2_000_000))
	assert.Equal(t, sandbox.FaultMemory, sandbox.KindOf(err))
	assert.ErrorContains(t, err, "out of memory: the input has 2000000 bytes and the call may have")
	_, _, err = once(t, m, w, text(700_000))
	assert.Equal(t, sandbox.FaultMemory, sandbox.KindOf(err), "no room for the output: %v", err)
}
