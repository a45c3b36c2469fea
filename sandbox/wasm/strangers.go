package wasm

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// kind is a sort of module that people have and this host does not run, with how it
// is recognised: by something it imports, from a module, whose name may end with a
// star, and with a name that begins so; by how the name of something it exports or of a
// custom section begins.
type kind struct {
	module, name, export, section string

	what string // "a Go program for JavaScript (GOOS=js)"
	fix  string
}

const (
	rebuildFix = "build it for wasm32-wasip1 or wasm32-unknown-unknown"
	ownHostFix = "what it does for that host has to be written for this one: `rhost plugin new`"
)

// kindsNotRun lists them, the more telling signs first.
func kindsNotRun() []kind {
	const (
		emscripten = "a module for Emscripten's JavaScript"
		standalone = "build with -sSTANDALONE_WASM, or with wasi-sdk"
		bindgen    = "a module for JavaScript (it imports wasm-bindgen)"
		bindgenFix = "build without wasm-bindgen for wasm32-unknown-unknown, with an SDK of rhost, or as a program for wasm32-wasip1"
		component  = "the core of a component (it imports WASI 0.2)"
		compFix    = "build for WASI preview 1: wasm32-wasip1 instead of wasm32-wasip2"
		library    = "a shared library (it is linked when it is loaded)"
	)
	return []kind{
		{module: "gojs", what: "a Go program for JavaScript (GOOS=js)", fix: "build with GOOS=wasip1 and -buildmode=c-shared"},
		{module: "go", name: "runtime.", what: "a Go program for JavaScript (GOOS=js)", fix: "build with GOOS=wasip1 and -buildmode=c-shared"},
		{module: "wbg", what: bindgen, fix: bindgenFix},
		{module: "__wbindgen_*", what: bindgen, fix: bindgenFix},
		{section: "__wasm_bindgen_unstable", what: bindgen, fix: bindgenFix},
		{section: "dylink", what: library, fix: "link it statically"},
		{module: "GOT.*", what: library, fix: "link it statically"},
		{module: "wasi:*", what: component, fix: compFix},
		{export: "cabi_realloc", what: "the core of a component (it exports cabi_realloc)", fix: compFix},
		{module: "wasi", name: "thread-spawn", what: "a program with threads (wasm32-wasip1-threads)", fix: "build for wasm32-wasip1, without threads"},
		{module: "wasi_unstable", what: "a program for WASI preview 0 (wasi_unstable)", fix: rebuildFix + " with a newer toolchain"},
		{module: "env", name: "extism_", what: "an Extism plugin from before Extism 1.0", fix: "build it with a newer Extism PDK"},
		{export: "proxy_abi_version_", what: "a Proxy-Wasm filter, for Envoy and its like", fix: ownHostFix},
		{module: "wapc", what: "a waPC guest", fix: ownHostFix},
		{module: "fastly_*", what: "a program for Fastly Compute", fix: ownHostFix},
		{module: "javy_quickjs_provider*", what: "a Javy program that is linked to Javy's runtime when it is loaded", fix: "name the script itself .js, or build it without Javy's dynamic linking"},
		{export: "opa_eval_ctx_new", what: "a policy of Open Policy Agent", fix: ownHostFix},
		{export: "interface_version_", what: "a CosmWasm contract", fix: ownHostFix},
		{module: "env", name: "invoke_", what: emscripten, fix: standalone},
		{module: "env", name: "emscripten_", what: emscripten, fix: standalone},
		{module: "env", name: "_emscripten_", what: emscripten, fix: standalone},
		{module: "env", name: "__syscall_", what: emscripten, fix: standalone},
		{module: "env", name: "__cxa_", what: emscripten, fix: standalone},
		{module: "env", name: "__assert_fail", what: emscripten, fix: standalone},
		{module: "a", name: "a", what: emscripten + ", with its imports renamed", fix: standalone},
	}
}

// matches reports whether a module has the sign of the kind.
func (k kind) matches(info *fuel.Info) bool {
	switch {
	case k.export != "":
		return slices.ContainsFunc(info.Exports, func(e fuel.Export) bool { return strings.HasPrefix(e.Name, k.export) })
	case k.section != "":
		return slices.ContainsFunc(info.Customs, func(c fuel.Custom) bool { return strings.HasPrefix(c.Name, k.section) })
	}
	prefix, open := strings.CutSuffix(k.module, "*")
	return slices.ContainsFunc(info.Imports, func(i fuel.Import) bool {
		return (i.Module == k.module || open && strings.HasPrefix(i.Module, prefix)) && strings.HasPrefix(i.Name, k.name)
	})
}

// notRunHere recognises a module that was made for a host that is not imitated here.
func notRunHere(info *fuel.Info) *kind {
	for _, k := range kindsNotRun() {
		if k.matches(info) {
			return &k
		}
	}
	return nil
}

// stranger says what a module is that neither carries our marker nor speaks an ABI
// that is run as it is.
func stranger(name string, info *fuel.Info) error {
	if k := notRunHere(info); k != nil {
		return &sandbox.Refusal{
			Module: name, Fix: k.fix,
			Reason: fmt.Sprintf("this is %s, and this host runs modules of ABI %s, Extism plugins and WASI commands", k.what, v1.Module),
		}
	}
	return &sandbox.Refusal{
		Module: name, Fix: sdkFix,
		Reason: fmt.Sprintf("exports no function %s, the marker of ABI %s, and is neither an Extism plugin nor a WASI command", v1.ExportMarker, v1.Module),
	}
}

// checkForeign checks that a guest written for another host finds what it imports.
func (a admission) checkForeign(name, spoken string, info *fuel.Info) error {
	refuse := func(fix, format string, args ...any) error {
		return &sandbox.Refusal{Module: name, Reason: "this is " + what(spoken) + " that " + fmt.Sprintf(format, args...), Fix: fix}
	}
	if e, ok := info.Export(v1.ExportMemory); !ok || e.Kind != fuel.KindMemory {
		return refuse("", "exports no memory")
	}
	for _, imp := range info.Imports {
		full := imp.Module + "." + imp.Name
		have, known := a.offers[imp.Module][imp.Name]
		switch {
		case imp.Kind != fuel.KindFunc:
			return refuse("define and export it instead", "imports the %s %s; a guest brings its own", imp.Kind, full)
		case known && sameType(have, imp.Func):
		case known:
			return refuse("build it with a toolchain for "+imp.Module, "imports %s with type %s; it is %s", full, imp.Func, have)
		case imp.Module == v1.Module:
			return refuse("to use it, the module exports "+v1.ExportMarker+" and what else abi/SPEC.md says", "imports %s", full)
		case imp.Module == moduleExtism, imp.Module == moduleWASI:
			return refuse("", "needs %s, which this host does not know", full)
		case spoken == abiExtism && strings.HasPrefix(imp.Module, "extism:host"):
			return refuse("only the host that it was written for has it", "needs the host function %s", full)
		case spoken == abiExtism:
			return refuse("link the modules into one first, as wasm-merge does, if that is another module; only the host that it was written for has it otherwise",
				"needs %s, of another module or of its own host", full)
		default:
			return refuse(fmt.Sprintf("a command may import from %s", moduleWASI), "needs %s, which this host does not know", full)
		}
	}
	return nil
}
