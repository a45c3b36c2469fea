package wasm_test

import (
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
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// goCommand returns the module of the Go program that does what its arguments say.
func goCommand(tb testing.TB) sandbox.Module {
	tb.Helper()
	return compile(tb, newEngine(tb), "command", BuildGoCommand(tb, "testdata/command/go"))
}

// roomy are a world's limits for a Go program, which begins with its runtime.
func roomy() *world {
	w := newWorld()
	w.limits.Memory = 32 << 20
	return w
}

// argsOf is a call with those words on the command line.
func argsOf(words ...string) *abi.Call {
	with, err := json.Marshal(map[string]any{"args": words})
	if err != nil {
		panic(err)
	}
	return callWith(string(with))
}

func TestGoCommand(t *testing.T) {
	m := goCommand(t)
	info := m.Info()
	assert.Equal(t, "wasi", info.ABI)
	assert.Equal(t, []abi.Capability{abi.CapConfig}, info.Needs)
	assert.Equal(t, "_start", info.Entry)
	for _, tt := range []struct {
		args string
		want abi.Reply
		line string // the last of the log
	}{
		{"", gives(`{"specversion":"1.0","id":"e1","source":"/sshd","type":"ssh.failed","data":{"user":"bob"}}`), ""},
		{"lines", gives(`1`), ""},
		{"user", gives(`"seen bob"`), ""},
		{"leak", gives(`1`), ""},
		{"file", gives(`true`), ""},
		{"network", gives(`true`), ""},
		{"sleep", gives(`true`), ""},
		{"stat", gives(`false`), ""},
		{"exit 0 all is well", gives(`{"half": "done"}`), "warn all is well"},
		{"exit 1 no such user", failure("no such user"), "warn no such user"},
		{"exit 75 try later", abi.Reply{Result: abi.ResultRetry, Message: "try later"}, "warn try later"},
		{"exit 111 try later", abi.Reply{Result: abi.ResultRetry, Message: "try later"}, "warn try later"},
		{"exit 99 not for us", abi.Reply{Result: abi.ResultDrop, Message: "not for us"}, "warn not for us"},
		{"exit -1", failure("ended with code -1"), ""},
		{"exit 256", failure("ended with code 256"), ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			w := roomy()
			reply, _, err := once(t, m, w, argsOf(strings.Fields(tt.args)...))
			require.NoError(t, err)
			assert.Equal(t, tt.want, reply)
			if tt.line != "" {
				require.NotEmpty(t, w.lines)
				assert.Equal(t, tt.line, w.lines[len(w.lines)-1])
			}
		})
	}
}

func TestCommandThatPanics(t *testing.T) {
	w := roomy()
	reply, _, err := once(t, goCommand(t), w, argsOf("panic"))
	require.NoError(t, err)
	assert.Equal(t, abi.ResultFail, reply.Result)
	assert.Equal(t, "panic: no such user", reply.Message, "and not the last line of its stack")
}

func TestCommandThatTakesAllMemory(t *testing.T) {
	w := roomy()
	w.limits.Fuel = 1 << 40
	_, _, err := once(t, goCommand(t), w, argsOf("memory"))
	assert.Equal(t, sandbox.FaultMemory, sandbox.KindOf(err), "%v", err)
}

func TestCommandInput(t *testing.T) {
	m := goCommand(t)
	for with, want := range map[string]string{
		`{"input":"some text\n"}`:                           `"some text"`,
		`{"input":"a\nb\n","args":["lines"]}`:               `2`,
		`{"input":{"data":{"user":"eve"}},"args":["user"]}`: `"seen eve"`,
		`{"input":" [1, 2]\r\n"}`:                           `[1,2]`,
	} {
		reply, _, err := once(t, m, roomy(), callWith(with))
		require.NoError(t, err)
		assert.JSONEq(t, want, string(reply.Output), with)
	}
	for _, call := range []*abi.Call{callWith(`{"input":null}`), {}} {
		reply, _, err := once(t, m, roomy(), call)
		require.NoError(t, err)
		assert.Nil(t, reply.Output, "nothing in, nothing out")
	}
	for with, want := range map[string]string{
		`{"args":"echo"}`: "with.args: write a list of texts", `{"export":"main"}`: `there is no function "main" to call; it exports _start`,
	} {
		_, _, err := once(t, m, roomy(), callWith(with))
		assert.Equal(t, sandbox.FaultABI, sandbox.KindOf(err))
		assert.ErrorContains(t, err, want)
	}
}

func TestCommandEnvironment(t *testing.T) {
	m := goCommand(t)
	call := callWith(`{"args":["around","",7,{"a":null},"two words"]}`)
	call.Config = json.RawMessage(`{"limit":5,"HOST":"eu-1","bad=name":"x","list":[1]}`)
	reply, _, err := once(t, m, roomy(), call)
	require.NoError(t, err)
	var around struct{ Args, Env []string }
	require.NoError(t, json.Unmarshal(reply.Output, &around))
	assert.Equal(t, []string{"command", "around", "", "7", `{"a":null}`, "two words"}, around.Args)
	assert.Equal(t, []string{
		"HOST=eu-1", "limit=5", "list=[1]", "RHOST_ATTEMPT=1", "RHOST_KEY=k1",
		`RHOST_MATCH={"tenant":"default","rule":"burst","version":"v1","id":"m1","at":"2026-02-28T23:00:00Z","trigger":"e1","bind":{}}`,
		"RHOST_WITH=" + string(call.With),
	}, around.Env)

	w := roomy()
	w.grant = nil
	reply, _, err = once(t, m, w, call)
	require.NoError(t, err)
	assert.NotContains(t, string(reply.Output), "HOST=eu-1", "settings have to be granted")
	assert.Contains(t, string(reply.Output), "RHOST_KEY=k1")
}

func TestCommandOutputIsBounded(t *testing.T) {
	m, w := goCommand(t), roomy()
	w.limits.Output = 100
	_, _, err := once(t, m, w, callWith(`{"input":"`+strings.Repeat("x", 101)+`"}`))
	assert.Equal(t, sandbox.FaultLimit, sandbox.KindOf(err))
	assert.ErrorContains(t, err, "more than 100 bytes of standard output; raise limits.output of the plugin")
	_, _, err = once(t, m, w, callWith(`{"input":"`+strings.Repeat("x", 99)+`"}`))
	assert.Equal(t, sandbox.FaultLimit, sandbox.KindOf(err))
	assert.ErrorContains(t, err, "output of 101 bytes", "quotes count, too")
	_, _, err = once(t, m, w, callWith(`{"input":"`+strings.Repeat("x", 98)+`"}`))
	assert.NoError(t, err)
}

// A command that is run again, in the instance it was run in or in another, does the
// same for the same fuel.
func TestCommandsArePristine(t *testing.T) {
	e := newEngine(t)
	for name, src := range map[string][]byte{"go": BuildGoCommand(t, "testdata/command/go"), "c": buildC(t), "rust": buildRust(t)} {
		t.Run(name, func(t *testing.T) {
			if src == nil {
				t.Skip("no compiler")
			}
			m := compile(t, e, name, src)
			w := roomy()
			i := instance(t, m, w.limits)
			first, usage, err := i.Invoke(t.Context(), callWith(`{"input":"abc"}`), w.session())
			require.NoError(t, err)
			for range 3 {
				if !i.Reusable() {
					i = instance(t, m, w.limits)
				}
				again, usageAgain, err := i.Invoke(t.Context(), callWith(`{"input":"abc"}`), w.session())
				require.NoError(t, err)
				assert.Equal(t, first, again)
				assert.Equal(t, usage.Fuel, usageAgain.Fuel)
			}
		})
	}
}

func TestCCommand(t *testing.T) {
	src := buildC(t)
	if src == nil {
		t.Skip("clang and wasm-ld are needed to build a C guest")
	}
	long := strings.Repeat("loud ", 1000)
	i := instance(t, compile(t, newEngine(t), "upper", src), patient())
	for range 2 { // proc_exit ends the call, not the instance
		reply, _, err := i.Invoke(t.Context(), callWith(`{"input":"`+long+`"}`), newWorld().session())
		require.NoError(t, err)
		assert.Equal(t, `"`+strings.ToUpper(long)+`"`, string(reply.Output))
		assert.True(t, i.Reusable())
	}
}

func TestRustCommand(t *testing.T) {
	src := buildRust(t)
	if src == nil {
		t.Skip("rustc with a wasm32 WASI target is needed to build a Rust guest")
	}
	m := compile(t, newEngine(t), "upper", src)
	reply, _, err := once(t, m, roomy(), callWith(`{"input":"loud"}`))
	require.NoError(t, err)
	assert.Equal(t, gives(`"LOUD"`), reply)
	reply, _, err = once(t, m, roomy(), argsOf("3"))
	require.NoError(t, err)
	assert.Equal(t, failure("as told"), reply)
}

// The programs with which wazero tests its WASI, in C and Rust.
func TestCommandsOfOthers(t *testing.T) {
	text, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	require.NoError(t, err)
	dir := filepath.Join(strings.TrimSpace(string(text)), "imports", "wasi_snapshot_preview1", "testdata")
	e := newEngine(t)
	for _, name := range []string{"zig-cc", "cargo-wasi"} {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join(dir, name, "wasi.wasm"))
			if err != nil {
				t.Skipf("the module cache holds no test programs: %v", err)
			}
			m := compile(t, e, name, src)
			reply, _, err := once(t, m, roomy(), argsOf("stat"))
			require.NoError(t, err)
			assert.Equal(t, `"stdin isatty: false\nstdout isatty: false\nstderr isatty: true\n/ isatty: false"`, string(reply.Output))
			reply, _, err = once(t, m, roomy(), argsOf("ls", "/"))
			require.NoError(t, err)
			assert.NotContains(t, string(reply.Output), "etc", "there are no files")
		})
	}
}

// buildC compiles the C command, or returns nil where there is no compiler for it.
func buildC(tb testing.TB) []byte {
	tb.Helper()
	return buildWith(tb, func(out string) *exec.Cmd {
		return exec.CommandContext(tb.Context(), "clang", "--target=wasm32", "-O2", "-mbulk-memory", "-nostdlib", "-o", out, "testdata/command/c/main.c")
	})
}

// buildRust compiles the Rust command, whose target has had two names.
func buildRust(tb testing.TB) []byte {
	tb.Helper()
	for _, rustc := range []string{"rustc", "/usr/bin/rustc"} {
		for _, target := range []string{"wasm32-wasip1", "wasm32-wasi"} {
			src := buildWith(tb, func(out string) *exec.Cmd {
				return exec.CommandContext(tb.Context(), rustc, "--target", target, "-C", "opt-level=2", "-C", "strip=symbols", "-o", out, "testdata/command/rust/main.rs")
			})
			if src != nil {
				return src
			}
		}
	}
	return nil
}

func buildWith(tb testing.TB, command func(out string) *exec.Cmd) []byte {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "out.wasm")
	if err := command(out).Run(); err != nil {
		return nil
	}
	src, err := os.ReadFile(out)
	require.NoError(tb, err)
	return src
}

// hostileCommand makes a command of a body that may use two WASI functions.
func hostileCommand(body func(m *Module, write, read Func) Code) []byte {
	m := kernelModule()
	write := m.Import(preview1, "fd_write", i32s(4), []byte{TypeI32})
	read := m.Import(preview1, "fd_read", i32s(4), []byte{TypeI32})
	m.Func("_start", nil, nil, []byte{TypeI32}, body(m, write, read))
	return m.Bytes()
}

func TestHostileCommands(t *testing.T) {
	e := newEngine(t)
	exit := func(code int32) []byte {
		m := kernelModule()
		f := m.Import(preview1, "proc_exit", []byte{TypeI32}, nil)
		m.Func("_start", nil, nil, nil, Forever(I32(code), Call(f)))
		return m.Bytes()
	}
	vector := "\x00\x10\x00\x00\x00\x40\x00\x00" // 16 KiB at 4096
	io := func(f func(write, read Func) Func, list, count int32) []byte {
		return hostileCommand(func(m *Module, write, read Func) Code {
			m.Data(8, vector)
			fd := int32(0)
			if f(write, read) == write {
				fd = 1
			}
			return Forever(I32(fd), I32(list), I32(count), I32(64), Call(f(write, read)), Drop())
		})
	}
	write := func(w, _ Func) Func { return w }
	read := func(_, r Func) Func { return r }
	for _, tt := range []struct {
		name   string
		src    []byte
		kind   sandbox.FaultKind
		want   string
		limits sandbox.Limits
	}{
		{"exits for ever", exit(0), "", "", patient()},
		{"exits with an odd code", exit(-2147483648), "", "ended with code -2147483648", patient()},
		{"floods its output", io(write, 8, 1), sandbox.FaultLimit, "more than 262144 bytes of standard output", patient()},
		{"writes nothing for ever", io(write, 16, 1), sandbox.FaultFuel, "out of fuel", patient()},
		{"reads for ever", io(read, 8, 1), sandbox.FaultFuel, "out of fuel", patient()},
		{"reads into everything", io(read, 0, 8000), sandbox.FaultFuel, "out of fuel", patient()},
		{"bad list", io(read, -8, 1), sandbox.FaultFuel, "out of fuel", patient()},
		{"lying count", io(read, 8, -1), sandbox.FaultFuel, "out of fuel", patient()},
		{"wrapping count", io(read, 8, 0x2000_0001), sandbox.FaultFuel, "out of fuel", patient()},
		{"clock", io(read, 8, 1), sandbox.FaultDeadline, "out of time", sandbox.Limits{Fuel: 1 << 60, Deadline: 10 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := compile(t, e, "p", tt.src)
			w := newWorld()
			w.limits = tt.limits
			reply, _, err := once(t, m, w, callWith(`{"input":"`+strings.Repeat("x", 100_000)+`"}`))
			assert.Equal(t, tt.kind, sandbox.KindOf(err), "%v", err)
			if tt.kind != "" {
				assert.ErrorContains(t, err, tt.want)
				return
			}
			assert.Equal(t, tt.want, reply.Message)
		})
	}
}

// catCommand copies its standard input to its standard output and exits.
func catCommand() []byte {
	m := kernelModule()
	write := m.Import(preview1, "fd_write", i32s(4), []byte{TypeI32})
	read := m.Import(preview1, "fd_read", i32s(4), []byte{TypeI32})
	exit := m.Import(preview1, "proc_exit", []byte{TypeI32}, nil)
	const vector, moved, buffer = 8, 64, 4096
	room := Seq(I32(vector), I32(buffer), Store(0), I32(vector), I32(100), Store(4))
	one := Seq(I32(vector), I32(1), I32(moved))
	m.Func("_start", nil, nil, nil, Forever(
		room, I32(0), one, Call(read), Drop(),
		I32(moved), Load(0), Op(0x45), If(I32(0), Call(exit)),
		I32(vector), I32(moved), Load(0), Store(4), I32(1), one, Call(write), Drop(),
	))
	return m.Bytes()
}

func TestSmallCommand(t *testing.T) {
	text := strings.Repeat("abc", 100)
	reply, _, err := once(t, compile(t, newEngine(t), "cat", catCommand()), newWorld(), callWith(`{"input":"`+text+`"}`))
	require.NoError(t, err)
	assert.Equal(t, gives(`"`+text+`"`), reply)
}
