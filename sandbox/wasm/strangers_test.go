package wasm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// TestStrangersAreNamed uploads what people have lying about, under the name of a
// plugin. Each is refused, and called what it is.
func TestStrangersAreNamed(t *testing.T) {
	const (
		run   = ", and this host runs modules of ABI rhost.v1, Extism plugins and WASI commands"
		js    = "this is a module for JavaScript (it imports wasm-bindgen)" + run
		goJS  = "this is a Go program for JavaScript (GOOS=js)" + run + "; build with GOOS=wasip1 and -buildmode=c-shared"
		emsc  = "this is a module for Emscripten's JavaScript" + run + "; build with -sSTANDALONE_WASM, or with wasi-sdk"
		thing = "this is not WebAssembly but "
	)
	e := newEngine(t)
	i32x1 := []byte{TypeI32}
	with := func(module, name string, exports ...string) []byte {
		m := kernelModule()
		if module != "" {
			m.Import(module, name, i32x1, i32x1)
		}
		for _, export := range exports {
			m.Func(export, nil, nil, nil)
		}
		return m.Bytes()
	}
	section := func(name string) []byte {
		body := Seq(Code{byte(len(name))}, Code(name))
		return append(with("", ""), Seq(Code{0, byte(len(body))}, body)...)
	}
	for _, tt := range []struct {
		name string
		src  []byte
		want string
	}{
		{"GOOS=js", with("gojs", "runtime.wasmExit"), goJS},
		{"GOOS=js, older", with("go", "runtime.wasmExit"), goJS},
		{"wasm-bindgen", with("wbg", "__wbindgen_throw", "_start"), js},
		{"wasm-bindgen before its tool ran", with("__wbindgen_placeholder__", "__wbindgen_describe"), js},
		{"wasm-bindgen's section", section("__wasm_bindgen_unstable"), js},
		{"Emscripten", with("env", "invoke_ii"), emsc},
		{"Emscripten's runtime", with("env", "emscripten_resize_heap", "_start"), emsc},
		{"Emscripten's C++", with("env", "__cxa_throw"), emsc},
		{"Emscripten, made small", with("a", "a"), "this is a module for Emscripten's JavaScript, with its imports renamed"},
		{"shared library", section("dylink.0"), "this is a shared library (it is linked when it is loaded)" + run + "; link it statically"},
		{"WASI 0.2", with("wasi:cli/run@0.2.0", "run"), "this is the core of a component (it imports WASI 0.2)" + run + "; build for WASI preview 1: wasm32-wasip1 instead of wasm32-wasip2"},
		{"core of a component", with("", "", "cabi_realloc"), "this is the core of a component (it exports cabi_realloc)"},
		{"WASI preview 0", with("wasi_unstable", "fd_write", "_start"), "this is a program for WASI preview 0 (wasi_unstable)"},
		{"threads", with("wasi", "thread-spawn", "_start"), "this is a program with threads (wasm32-wasip1-threads)" + run + "; build for wasm32-wasip1, without threads"},
		{"Extism before 1.0", with("env", "extism_input_length"), "this is an Extism plugin from before Extism 1.0"},
		{"Proxy-Wasm", with("env", "proxy_log", "proxy_abi_version_0_2_1"), "this is a Proxy-Wasm filter, for Envoy and its like"},
		{"waPC", with("wapc", "__guest_request"), "this is a waPC guest"},
		{"Fastly", with("fastly_http_req", "body_downstream_get", "_start"), "this is a program for Fastly Compute"},
		{"Javy", with("javy_quickjs_provider_v3", "eval_bytecode"), "this is a Javy program"},
		{"OPA", with("env", "opa_abort", "opa_eval_ctx_new"), "this is a policy of Open Policy Agent"},
		{"CosmWasm", with("env", "db_read", "interface_version_8"), "this is a CosmWasm contract"},

		{"Extism plugin of another kernel", with("extism:host/env", "teleport", "run"), "load p: this is an Extism plugin that needs extism:host/env.teleport, which this host does not know"},
		{"Extism function of another type", with("extism:host/env", "alloc", "run"), "load p: this is an Extism plugin that imports extism:host/env.alloc with type (i32) → (i32); it is (i64) → (i64); build it with a toolchain for extism:host/env"},
		{"Extism plugin without a function", with("extism:host/env", "http_status_code"), "load p: this is an Extism plugin without a function to call; export one that takes nothing and returns an i32 or nothing"},
		{"Extism plugin with a service of ours", func() []byte {
			m := kernelModule()
			kernelCall(m, "reset")
			m.Service("emit")
			m.Func("run", nil, nil, nil)
			return m.Bytes()
		}(), "load p: this is an Extism plugin that imports rhost.v1.emit; to use it, the module exports rhost_abi_v1"},
		{"Extism plugin without memory", func() []byte {
			m := Bare()
			kernelCall(m, "reset")
			m.Func("run", nil, nil, nil)
			return m.Bytes()
		}(), "load p: this is an Extism plugin that exports no memory"},
		{"our own guest with the kernel", func() []byte {
			m := New()
			kernelCall(m, "reset")
			m.Invoke(nil, I32(0))
			return m.Bytes()
		}(), "load p: needs extism:host/env.reset, which this host does not know; a guest may import from rhost.v1 and wasi_snapshot_preview1"},
		{"command with another's functions", with("env", "puts", "_start"), "load p: this is a WASI command that needs env.puts, which this host does not know; a command may import from wasi_snapshot_preview1"},
		{"command with the kernel's neighbour", with("extism:host/user", "mult", "_start"), "load p: this is a WASI command that needs extism:host/user.mult, which this host does not know"},
		{"command that imports the meter", with("rhost.meter", "refuel", "_start"), "the import module \"rhost.meter\" is the host's own"},
		{"a library", with("", "", "add"), "load p: exports no function rhost_abi_v1, the marker of ABI rhost.v1, and is neither an Extism plugin nor a WASI command"},

		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "this is a component-model binary, not a core module"},
		{"ELF", []byte("\x7fELF\x02\x01\x01\x00"), thing + "an ELF program for this machine; build for wasm32"},
		{"Windows", []byte("MZ\x90\x00\x03\x00"), thing + "a Windows program"},
		{"macOS", []byte("\xcf\xfa\xed\xfe\x07\x00"), thing + "a macOS program"},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00asm"), thing + "gzip; unpack it first"},
		{"zstd", []byte("\x28\xb5\x2f\xfd\x04"), thing + "zstd; unpack it first"},
		{"zip", []byte("PK\x03\x04\x14"), thing + "a zip archive; unpack it first"},
		{"object files", []byte("!<arch>\n/ 0"), thing + "an archive of object files; link it first"},
		{"text format", []byte(";; a module\n(module (func))"), "this is the text format of WebAssembly; turn it into binary with wat2wasm"},
		{"text format that begins at once", []byte("(component)"), "this is the text format of WebAssembly"},
		{"shell script", []byte("#!/bin/sh\necho hi\n"), thing + "a script; name it .lua or .js, if it is one"},
		{"JSON", []byte(`{"wasm":[{"path":"count_vowels.wasm"}]}`), thing + "JSON"},
		{"web page", []byte("\n<!DOCTYPE html>\n<html>"), thing + "a web page; download the file itself"},
		{"Git LFS", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), thing + "a pointer of Git LFS; fetch the file itself with git lfs pull"},
		{"JavaScript", []byte("export function invoke(call) {\n  return 1;\n}\n"), thing + "the source of a JavaScript or TypeScript program; name it .js, if it is one"},
		{"JavaScript with a comment", []byte("// counts vowels\nconst n = 1;\n"), thing + "the source of a JavaScript or TypeScript program"},
		{"Python", []byte("import json\n\ndef invoke(call):\n    return json.dumps(call)\n"), thing + "the source of a Python program"},
		{"Python that prints", []byte("print('hi')\n"), thing + "the source of a Python program"},
		{"Lua", []byte("function invoke(call)\n  return 1\nend\n"), thing + "a Lua script; name it .lua"},
		{"Go", []byte("// Command p.\npackage main\n\nimport \"fmt\"\n"), thing + "the source of a Go program; put it into a folder plugins/NAME/ and run rhost plugin build NAME"},
		{"Rust", []byte("use extism_pdk::*;\n\n#[plugin_fn]\npub fn run() {}\n"), thing + "the source of a Rust program; compile it for wasm32-wasip1 or wasm32-unknown-unknown first"},
		{"C", []byte("#include <stdio.h>\nint main(void) { return 0; }\n"), thing + "the source of a C program; compile it for wasm32 first"},
		{"prose", []byte("Dear sir or madam,"), thing + "text"},
		{"letters of others", []byte("日本語のテキストファイルです。これはプラグインではありません。名前が間違っています。"), thing + "text"},
		{"noise", []byte("\xff\xfe\x00\x01"), "this is not WebAssembly: it does not begin with \\0asm"},
		{"nothing", nil, "the file is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: tt.src})
			assert.Nil(t, m)
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
