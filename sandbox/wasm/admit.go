package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// sdkFix is the advice for a module that was built for something else.
const sdkFix = "build it with an SDK of rhost (`rhost plugin new`), or export and import what abi/SPEC.md says"

// admission checks modules against what this host offers.
type admission struct {
	offers map[string]map[string]fuel.FuncType // by import module and name
}

func newAdmission(modules map[string][]hostFunc) admission {
	a := admission{offers: make(map[string]map[string]fuel.FuncType)}
	for module, funcs := range modules {
		a.offers[module] = make(map[string]fuel.FuncType)
		for _, f := range funcs {
			a.offers[module][f.name] = fuel.FuncType{Params: valueTypes(f.params), Results: valueTypes(f.results)}
		}
	}
	return a
}

// valueTypes converts wazero's types to those of package fuel; both are the
// bytes of the binary format.
func valueTypes(types []byte) []fuel.ValueType {
	out := make([]fuel.ValueType, len(types))
	for i, t := range types {
		out[i] = fuel.ValueType(t)
	}
	return out
}

// check decides whether a module speaks our ABI and whether this host has what
// it imports. It returns the capabilities that the module asks for. The error
// is a *sandbox.Refusal.
func (a admission) check(name string, info *fuel.Info) ([]abi.Capability, error) {
	if _, ok := info.Export(v1.ExportMarker); !ok {
		return nil, stranger(name, info)
	}
	_, command := info.Export("_start")
	if _, reactor := info.Export(v1.ExportInitialize); command && !reactor {
		// Its runtime would not be initialized when rhost_invoke is called.
		return nil, &sandbox.Refusal{
			Module: name, Reason: "exports _start and no _initialize: it was built as a command, not as a reactor",
			Fix: "for Go, build with -buildmode=c-shared; for C, with -mexec-model=reactor",
		}
	}
	if err := checkExports(name, info); err != nil {
		return nil, err
	}
	return a.checkImports(name, info)
}

// checkExports checks what ABI v1 says a guest exports.
func checkExports(name string, info *fuel.Info) error {
	i32 := []fuel.ValueType{fuel.I32}
	for _, want := range []struct {
		name     string
		kind     fuel.Kind
		fn       fuel.FuncType
		optional bool
	}{
		{name: v1.ExportMarker, kind: fuel.KindFunc},
		{name: v1.ExportMemory, kind: fuel.KindMemory},
		{name: v1.ExportInvoke, kind: fuel.KindFunc, fn: fuel.FuncType{Params: i32, Results: i32}},
		{name: v1.ExportInitialize, kind: fuel.KindFunc, optional: true},
		{name: v1.ExportInit, kind: fuel.KindFunc, fn: fuel.FuncType{Params: i32, Results: i32}, optional: true},
	} {
		e, ok := info.Export(want.name)
		refuse := func(format string, args ...any) error {
			return &sandbox.Refusal{Module: name, Reason: fmt.Sprintf(format, args...), Fix: "see the exports in abi/SPEC.md"}
		}
		switch {
		case !ok && want.optional:
		case !ok:
			return refuse("exports no %s %s, which %s needs", want.kind, want.name, v1.Module)
		case e.Kind != want.kind:
			return refuse("exports %s as a %s; it must be a %s", want.name, e.Kind, want.kind)
		case want.kind == fuel.KindFunc && !sameType(e.Func, want.fn):
			return refuse("exports %s with type %s; it must be %s", want.name, e.Func, want.fn)
		}
	}
	return nil
}

// checkImports checks that every import is there with the type it is used with.
func (a admission) checkImports(name string, info *fuel.Info) ([]abi.Capability, error) {
	needs := make(map[abi.Capability]bool)
	for _, imp := range info.Imports {
		if reason, fix := a.missing(imp); reason != "" {
			return nil, &sandbox.Refusal{Module: name, Reason: reason, Fix: fix}
		}
		if imp.Module == v1.Module && slices.Contains(v1.Services(), imp.Name) {
			needs[sandbox.CapabilityOf(imp.Name)] = true
		}
	}
	var list []abi.Capability
	for _, c := range abi.Capabilities() {
		if needs[c] {
			list = append(list, c)
		}
	}
	return list, nil
}

// missing says why an import cannot be met; reason is "" when it can.
func (a admission) missing(imp fuel.Import) (reason, fix string) {
	full := imp.Module + "." + imp.Name
	funcs, known := a.offers[imp.Module]
	if imp.Kind != fuel.KindFunc {
		return fmt.Sprintf("imports the %s %s; a guest brings its own", imp.Kind, full), "define and export it instead"
	}
	have, ok := funcs[imp.Name]
	switch {
	case ok && sameType(have, imp.Func):
		return "", ""
	case ok:
		return fmt.Sprintf("imports %s with type %s; it is %s", full, imp.Func, have), "see the imports in abi/SPEC.md"
	case known:
		return fmt.Sprintf("needs %s, which this host does not know", full), "see the imports in abi/SPEC.md"
	case strings.HasPrefix(imp.Module, v1.ModulePrefix):
		return fmt.Sprintf("needs %s; this host offers %s", full, v1.Module), ""
	case imp.Module == "env" && imp.Name == "abort":
		return "needs env.abort, which this host does not know", "compile AssemblyScript with --use abort="
	}
	return fmt.Sprintf("needs %s, which this host does not know", full),
		fmt.Sprintf("a guest may import from %s and %s", v1.Module, moduleWASI)
}

func sameType(a, b fuel.FuncType) bool {
	return slices.Equal(a.Params, b.Params) && slices.Equal(a.Results, b.Results)
}
