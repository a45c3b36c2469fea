package wasm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// The ABIs of guests that were written for another host and run as they are.
const (
	abiExtism = "extism" // a plugin that imports the kernel of Extism
	abiWASI   = "wasi"   // a WASI preview 1 command
)

// The import modules that those guests know.
const (
	moduleExtism  = "extism:host/env"
	moduleObserve = "dylibso_observe" // of builds instrumented for tracing
)

// What runtimes of languages export.
const (
	exportStart   = "_start"            // of a command: does everything
	exportCtors   = "__wasm_call_ctors" // start-up code of C and C++
	exportHaskell = "hs_init"           // (i32, i32) → (); start-up of Haskell's runtime
)

// foreign says how a guest that was written for another host is called. It is not
// changed once made.
type foreign struct {
	abi     string
	exports []string // that can be called, sorted
	entry   string   // the one that is called when a call names none; "" when it has to
	inits   []string // run at start-up, in order
}

// admitted is what admission found out about a module.
type admitted struct {
	info    sandbox.Info
	foreign *foreign // nil for guests of our own ABI
}

// foreignModules are the functions that only such guests may import.
func foreignModules() map[string][]hostFunc {
	return map[string][]hostFunc{moduleExtism: extismFuncs(), moduleObserve: observeFuncs()}
}

// foreignAdmissions says what the guests of each ABI may import.
func foreignAdmissions(modules map[string][]hostFunc) map[string]admission {
	plugins := maps.Clone(modules)
	maps.DeleteFunc(plugins, func(module string, _ []hostFunc) bool { return strings.HasPrefix(module, v1.ModulePrefix) })
	delete(plugins, moduleStub)
	return map[string]admission{
		abiExtism: newAdmission(plugins),
		abiWASI:   newAdmission(map[string][]hostFunc{moduleWASI: modules[moduleWASI], moduleObserve: modules[moduleObserve]}),
	}
}

// admit decides which ABI a module speaks and whether this host has what it imports.
// The error is a *sandbox.Refusal.
func (e *Engine) admit(name string, info *fuel.Info) (admitted, error) {
	own, ok := e.admission.speaks(info)
	spoken := v1.Module
	if !ok {
		spoken = abiOf(info)
	}
	if spoken == v1.Module {
		needs, err := e.admission.check(name, info)
		return admitted{info: sandbox.Info{ABI: own.Module, Needs: needs}}, err
	}
	f, err := newForeign(name, spoken, info)
	if err != nil {
		return admitted{}, err
	}
	if err := e.foreign[spoken].checkForeign(name, spoken, info); err != nil {
		return admitted{}, err
	}
	return admitted{
		info:    sandbox.Info{ABI: spoken, Needs: foreignNeeds(info), Exports: f.exports, Entry: f.entry},
		foreign: f,
	}, nil
}

// abiOf returns the ABI that a module without our marker seems to speak: our own where
// nothing else can be made of it.
func abiOf(info *fuel.Info) string {
	marked := func(e fuel.Export) bool { return strings.HasPrefix(e.Name, v1.MarkerPrefix) }
	if slices.ContainsFunc(info.Exports, marked) || notRunHere(info) != nil {
		return v1.Module
	}
	if imports(info, moduleExtism) {
		return abiExtism
	}
	if e, ok := info.Export(exportStart); ok && isEntry(e) && !imports(info, v1.Module) {
		return abiWASI
	}
	return v1.Module
}

func imports(info *fuel.Info, module string) bool {
	return slices.ContainsFunc(info.Imports, func(i fuel.Import) bool { return i.Module == module })
}

// newForeign finds out how a module is called.
func newForeign(name, spoken string, info *fuel.Info) (*foreign, error) {
	f := &foreign{abi: spoken, inits: startupOf(info)}
	var plain []string // candidates that a language's runtime did not make
	for _, e := range info.Exports {
		if isEntry(e) && !ofRuntime(e.Name) {
			plain = append(plain, e.Name)
		}
	}
	f.exports = slices.Sorted(slices.Values(plain))
	if e, ok := info.Export(exportStart); ok && isEntry(e) && len(f.inits) == 0 {
		// A command does its own start-up; after another's it would be the second.
		f.exports = append(f.exports, exportStart)
	}
	f.entry = f.choose(plain)
	if len(f.exports) == 0 {
		return nil, &sandbox.Refusal{
			Module: name, Reason: "this is " + what(spoken) + " without a function to call",
			Fix: "export one that takes nothing and returns an i32 or nothing",
		}
	}
	return f, nil
}

// choose picks the function that is called when nobody says which.
func (f *foreign) choose(plain []string) string {
	if f.abi == abiWASI && slices.Contains(f.exports, exportStart) {
		return exportStart
	}
	for _, usual := range []string{"invoke", "run", "handle"} {
		if slices.Contains(plain, usual) {
			return usual
		}
	}
	switch {
	case len(plain) == 1:
		return plain[0]
	case len(plain) == 0 && len(f.exports) == 1:
		return f.exports[0]
	}
	return ""
}

// isEntry reports whether an export can be called for its effects alone.
func isEntry(e fuel.Export) bool {
	results := e.Func.Results
	return e.Kind == fuel.KindFunc && len(e.Func.Params) == 0 &&
		(len(results) == 0 || len(results) == 1 && results[0] == fuel.I32)
}

// ofRuntime recognises functions that toolchains export for themselves.
func ofRuntime(export string) bool {
	return strings.HasPrefix(export, "_") || strings.HasPrefix(export, "asyncify_") || strings.HasPrefix(export, "hs_")
}

// startupOf lists the start-up code of a module's language that is to be run before
// the first call.
func startupOf(info *fuel.Info) []string {
	var list []string
	has := func(name string, params int) bool {
		e, ok := info.Export(name)
		return ok && e.Kind == fuel.KindFunc && len(e.Func.Params) == params && len(e.Func.Results) == 0
	}
	switch {
	case has(v1.ExportInitialize, 0):
		list = append(list, v1.ExportInitialize)
	case has(exportCtors, 0):
		list = append(list, exportCtors)
	}
	if e, ok := info.Export(exportHaskell); ok && has(exportHaskell, 2) && !slices.ContainsFunc(e.Func.Params, func(t fuel.ValueType) bool { return t != fuel.I32 }) {
		list = append(list, exportHaskell)
	}
	return list
}

// startNames are the exports that start-up calls, in order; those that are not there
// are passed over.
func (m *module) startNames() []string {
	if m.foreign == nil {
		return []string{m.start, v1.ExportInitialize, v1.ExportInit}
	}
	return append([]string{m.start}, m.foreign.inits...)
}

// foreignNeeds says which capabilities the imports of a guest ask for.
func foreignNeeds(info *fuel.Info) []abi.Capability {
	asks := map[string]abi.Capability{
		moduleExtism + ".config_get":   abi.CapConfig,
		moduleExtism + ".var_get":      abi.CapState,
		moduleExtism + ".var_set":      abi.CapState,
		moduleExtism + ".http_request": abi.CapHTTP,
		moduleWASI + ".environ_get":    abi.CapConfig,
	}
	var needs []abi.Capability
	for _, c := range []abi.Capability{abi.CapState, abi.CapConfig, abi.CapHTTP} {
		if slices.ContainsFunc(info.Imports, func(i fuel.Import) bool { return asks[i.Module+"."+i.Name] == c }) {
			needs = append(needs, c)
		}
	}
	return needs
}

// what names the guests of an ABI.
func what(spoken string) string {
	if spoken == abiExtism {
		return "an Extism plugin"
	}
	return "a WASI command"
}

// pick returns the function that a call asks for.
func (f *foreign) pick(export string) (string, error) {
	have := "it exports " + strings.Join(f.exports, ", ")
	switch {
	case export == "" && f.entry == "":
		return "", fmt.Errorf("which function is to be called? %s; say so with export: NAME, for the plugin in rhost.yaml or in the arguments of the step", have)
	case export == "":
		return f.entry, nil
	case !slices.Contains(f.exports, export):
		return "", fmt.Errorf("there is no function %q to call; %s", export, have)
	}
	return export, nil
}
